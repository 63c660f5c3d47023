"""The synthetic school: a timetable without clashes, flex duty for everybody, and evidence that looks like learning."""

from __future__ import annotations

import json
from collections import Counter
from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from statistics import mean

import pytest

from contracts.submissions import validate
from deploy.seed import curriculum, learning
from deploy.seed.chance import Chance
from deploy.seed.district import SCHOOL_SIZE, District, district, one_school
from deploy.seed.highschool import TEACHERS, School
from deploy.seed.school_year import DAYS, FLEX, TAUGHT, bells, school_year

DISTRICT = one_school()
[SCHOOL] = DISTRICT.schools()
PIECES = learning.term(SCHOOL, DISTRICT.competencies, DISTRICT.days)


@pytest.fixture(params=[SCHOOL, *district(1200, 1, seed=9).schools()], ids=lambda school: school.id)
def school(request: pytest.FixtureRequest) -> School:
    made: School = request.param
    return made


def test_the_school_is_as_large_as_it_should_be() -> None:
    assert (len(SCHOOL.students), len(SCHOOL.teachers)) == (400, 30) == (400, TEACHERS)
    framework = curriculum.read("highschool")["framework"]
    assert framework["count"] == len(framework["competencies"]) == 49
    assert {each["axis"] for each in framework["competencies"]} == {"content", "skill", "language", "habit"}


def test_no_student_has_two_classes_at_once(school: School) -> None:
    for student in school.students:
        meetings = [meeting for section in school.sections_of(student) for meeting in section.meetings]
        assert max(Counter(meetings).values()) == 1, student.id
        assert {period for _, period in meetings} >= {*TAUGHT, "ADV"}


def test_no_teacher_has_two_classes_at_once(school: School) -> None:
    busy = Counter((section.teacher, meeting) for section in school.sections.values() for meeting in section.meetings)
    assert max(busy.values()) == 1
    assert {teacher for teacher, _ in busy} == set(school.teachers)


def test_every_student_takes_all_six_subjects(school: School) -> None:
    for student in school.students:
        courses = [section.course for section in school.sections_of(student) if section.grade is not None]
        assert len(set(courses)) == 6
        assert all(course.endswith(f"-{student.grade}") for course in courses)


def test_flex_has_a_seat_for_everybody_every_day(school: School) -> None:
    duties = [section for section in school.sections.values() if section.flex_duty]
    for day in DAYS:
        seats = sum(duty.capacity or 0 for duty in duties if (day, FLEX) in duty.meetings)
        assert seats >= len(school.students)
    assert {period["period"] for period in bells() if period["flex"]} == {FLEX}


def test_some_students_have_a_class_in_flex_that_scheduling_must_leave_alone() -> None:
    booked = [s for s in SCHOOL.students if any(p == FLEX for c in SCHOOL.sections_of(s) for _, p in c.meetings)]
    assert 0 < len(booked) < len(SCHOOL.students) // 5
    assert all(student.enl in ("entering", "emerging") for student in booked)


def test_a_term_is_about_twenty_thousand_pieces_that_the_door_takes() -> None:
    assert 18_000 <= len(PIECES) <= 22_000
    assert len({(piece.submission["source"], piece.submission["id"]) for piece in PIECES}) == len(PIECES)
    for piece in PIECES[::7]:
        validate(json.loads(json.dumps(piece.submission), parse_float=Decimal))
    for submission in curriculum.submissions(curriculum.read("highschool")):
        validate(json.loads(json.dumps(submission), parse_float=Decimal))


def test_evidence_is_sent_late_sometimes_and_never_before_it_happened() -> None:
    happened = [datetime.fromisoformat(piece.submission["time"]) for piece in PIECES]
    assert all(time <= piece.sent for time, piece in zip(happened, PIECES, strict=True))
    assert all(one.sent <= next_.sent for one, next_ in pairwise(PIECES))
    assert sum(later < before for before, later in pairwise(happened)) > 500


def test_three_apps_send_their_own_kinds_and_practice_is_marked() -> None:
    data = [(piece.submission["source"].split("/")[0], piece.submission["data"]) for piece in PIECES]
    assert {app for app, _ in data} == set(learning.APPS)
    kinds = Counter((app, each["kind"]) for app, each in data)
    assert {kind for app, kind in kinds if app == "workbench"} == {"assessment", "practice"}
    assert {kind for app, kind in kinds if app == "portfolio"} == {"performance", "judgement"}
    assert {kind for app, kind in kinds if app == "advisory"} == {"observation"}
    assert all("assessor" in each for _, each in data if each["kind"] in ("judgement", "performance", "observation"))


def test_students_learn() -> None:
    marks = [piece.submission["data"] for piece in PIECES if piece.submission["data"]["scale"] == "hs-percent"]
    of_first_units = [each["score"] for each in marks if each["competency"] in ("MA.1", "SC.1")]
    third = len(of_first_units) // 3
    assert mean(of_first_units[-third:]) > mean(of_first_units[:third]) + 10


def test_language_learners_show_evidence_in_their_language_and_others_carry_none() -> None:
    learners = {student.id for student in SCHOOL.students if student.language is not None}
    for piece in PIECES:
        data = piece.submission["data"]
        assert ("language" in data) == (data["student"]["value"] in learners and not data["competency"].startswith("HA"))


def test_nobody_shows_anything_outside_her_enrolment() -> None:
    students = {student.id: student for student in SCHOOL.students}
    for piece in PIECES:
        student = students[piece.submission["data"]["student"]["value"]]
        day = datetime.fromisoformat(piece.submission["time"]).date()
        assert student.enters <= day <= (student.leaves or day)


def test_a_district_is_the_same_for_the_same_seed_only() -> None:
    def first(seed: int) -> list[object]:
        return [submission for _, submission in zip(range(200), district(600, 3, seed=seed).evidence(), strict=False)]

    assert first(4) == first(4) != first(5)


@pytest.mark.parametrize("students", [1, 550, 551, 10_000])
def test_a_district_has_as_many_students_as_asked_for(students: int) -> None:
    made: District = district(students, 1, seed=1)
    assert sum(made.sizes) == students
    assert max(made.sizes) <= SCHOOL_SIZE
    assert max(made.sizes) - min(made.sizes) <= 1


def test_a_district_of_a_million_is_made_a_school_at_a_time() -> None:
    made = district(1_000_000, 2, seed=1)
    assert len(made.sizes) == 1819
    assert next(iter(made.evidence()))["source"].endswith("d1-0001")


def test_the_school_year_leaves_holidays_out() -> None:
    year = school_year(2025)
    days = list(year.school_days())
    assert len(days) == 186
    assert not set(days) & set(year.closed)
    assert all(day.weekday() < 5 for day in days)
    assert (year.starts.isoformat(), year.spring.isoformat()) == ("2025-09-04", "2026-02-02")


def test_chance_is_fair_and_repeats() -> None:
    draws = [Chance("fair").fraction(), *(Chance("fair", n).fraction() for n in range(4000))]
    assert draws[0] == Chance("fair").fraction()
    assert 0.48 < mean(draws) < 0.52
    assert sorted(Chance("deck").shuffled(range(52))) == list(range(52)) != Chance("deck").shuffled(range(52))
    normal = [Chance("bell", n).normal() for n in range(4000)]
    assert -0.06 < mean(normal) < 0.06
    assert 0.9 < mean(draw * draw for draw in normal) < 1.1
