"""A student folded from two topics, a school's facts as a problem, and what is said when a plan takes another's place."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Iterable
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from contracts.envelope import Data
from contracts.events import (
    EvidenceSubmitted,
    LogTicked,
    MasteryChanged,
    PlanPublished,
    ProgrammeChanged,
    SeatAssigned,
    SeatReleased,
    StudentEnrolled,
    StudentTransferred,
    StudentWithdrawn,
)
from contracts.events.mastery import Move
from services.scheduling.domain import (
    Announcement,
    Draft,
    Level,
    Student,
    announce,
    concerns,
    effective_on,
    evolve,
    initial,
    needs_at,
    next_header,
    week_of,
)
from services.scheduling.seating import Plan, Seat, digest, solve
from services.scheduling.solver import assign
from tests.unit.scheduling.builders import (
    FRAMEWORK,
    MONDAY,
    a_calendar,
    a_class,
    a_framework,
    a_policy,
    a_scale,
    a_school,
    a_section,
    a_student,
    enrolled,
)

TICK = dt.datetime(2026, 10, 2, 6, 0, tzinfo=dt.UTC)
A = (FRAMEWORK, "A")


def an_enrolment(school: str = "HS1", *classes: str) -> StudentEnrolled:
    return StudentEnrolled(school=school, grade="9", classes=classes, effective=MONDAY)


def a_move(level: int | None, *, competency: str = "A", pieces: int = 1, cause: int = 7) -> MasteryChanged:
    policy = {"policy": "p", "policy_version": 1, "value_thousandths": None, "previous_level": None}
    move = Move.model_validate({"framework": FRAMEWORK, "competency": competency, "level": level, "pieces": pieces, **policy})
    return MasteryChanged(cause=str(cause), school="HS1", moves=(move,))


def folded(*events: Data) -> Student:
    state = initial
    for event in events:
        state = evolve(state, event)
    return state


def test_an_enrolment_places_a_student_and_a_later_one_replaces_it() -> None:
    student = folded(an_enrolment("HS1", "C1"), an_enrolment("HS1", "C2"))
    assert (student.school, student.grade, student.classes) == ("HS1", "9", ("C2",))


def test_a_transfer_moves_her_and_a_withdrawal_from_where_she_was_says_nothing() -> None:
    transfer = StudentTransferred(from_school="HS1", school="HS2", grade="10", effective=MONDAY)
    left_old = StudentWithdrawn(school="HS1", reason="moved", effective=MONDAY)
    assert folded(an_enrolment(), transfer, left_old).school == "HS2"
    left = folded(an_enrolment("HS1", "C1"), a_move(2), left_old)
    assert (left.school, left.classes, left.levels) == (None, (), {A: Level(2, 7)})


def test_a_move_gives_a_level_no_level_or_takes_the_competency_away() -> None:
    assert folded(a_move(2)).levels == {A: Level(2, 7)}
    assert folded(a_move(2), a_move(None, cause=9)).levels == {A: Level(None, 9)}
    assert folded(a_move(2), a_move(None, pieces=0)).levels == {}


def test_what_does_not_concern_her_gives_her_back_as_she_is() -> None:
    student = folded(an_enrolment(), a_move(1))
    piece = EvidenceSubmitted(framework=FRAMEWORK, competency="A", score_thousandths=1, scale="d4")
    for event in (piece, ProgrammeChanged(programme="IEP", effective=MONDAY), LogTicked(time=TICK, date=MONDAY)):
        assert evolve(student, event) is student
        assert not concerns(event)


def test_a_withdrawn_student_is_there_on_her_last_day() -> None:
    assert effective_on(an_enrolment()) == MONDAY
    assert effective_on(StudentWithdrawn(school="HS1", reason="moved", effective=MONDAY)) == MONDAY + dt.timedelta(days=1)
    assert effective_on(StudentWithdrawn(school="HS1", reason="moved", effective=dt.date.max)) == dt.date.max
    assert effective_on(a_move(1)) is None


enrolments = st.lists(
    st.one_of(
        st.builds(an_enrolment, st.sampled_from(["HS1", "HS2"]), st.sampled_from(["C1", "C2"])),
        st.builds(
            lambda school: StudentWithdrawn(school=school, reason="moved", effective=MONDAY), st.sampled_from(["HS1", "HS2"])
        ),
    )
)
moves = st.lists(
    st.builds(
        lambda level, code, cause: a_move(level, competency=code, cause=cause),
        st.none() | st.integers(1, 4),
        st.sampled_from("AB"),
        st.integers(0, 99),
    )
)


@given(enrolments, moves, st.randoms(use_true_random=False))
def test_the_two_topics_may_be_read_in_any_interleaving(left: list[Data], right: list[Data], chance: random.Random) -> None:
    expected = folded(*left, *right)
    first, second, mixed = list(left), list(right), []
    while first or second:
        source = first if first and (not second or chance.random() < 0.5) else second
        mixed.append(source.pop(0))
    assert folded(*mixed) == expected


# A school's facts.


def test_a_school_needs_what_its_students_have_evidence_in_any_framework_of() -> None:
    school = a_school({a_student(1): enrolled({"A": 1}), a_student(2): enrolled({})}, ())
    unused = replace(
        school,
        frameworks=(*school.frameworks, a_framework("X", framework="other")),
        policies=(a_policy(), a_policy(2, framework="other")),
    )
    found = needs_at(unused)
    assert [need.reason for need in found[a_student(1)]] == ["level-1-of-4", "no-evidence"]
    assert [(need.competency, need.reason) for need in found[a_student(2)]] == [("A", "no-evidence"), ("B", "no-evidence")]


def test_a_week_seats_the_lowest_first_and_tells_the_others_why() -> None:
    students = {
        a_student(1): enrolled({"A": 1, "B": 4}),
        a_student(2): enrolled({"A": 3, "B": 4}),
        a_student(3): enrolled({"A": 4, "B": 4}),
        a_student(4): enrolled({"A": 1, "B": 4}, "taught", "no-such-class"),
        a_student(5): enrolled({"A": 4, "B": 1}),
    }
    classes = [a_section("S", "MON-FLEX", capacity=1, competencies=["A"]), a_class("taught", "MON-FLEX", school="HS2")]
    plan = solve(week_of(a_school(students, classes), MONDAY), assign)
    [seat] = plan.seats
    assert (seat.student, seat.class_, seat.competency, seat.reason) == (a_student(1), "S", "A", "level-1-of-4")
    on_monday = {each.student: each.reason for each in plan.unseated if each.date == MONDAY}
    assert on_monday == {
        a_student(2): "no-capacity",
        a_student(3): "no-need",
        a_student(4): "class-meets",
        a_student(5): "no-section",
    }


def test_another_schools_section_offers_no_seat_here() -> None:
    elsewhere = a_class("S", "MON-FLEX", duty="flex", school="HS2")
    plan = solve(week_of(a_school({a_student(1): enrolled({"A": 1})}, [elsewhere]), MONDAY), assign)
    assert plan.seats == ()
    assert {each.reason for each in plan.unseated} == {"no-section"}


@given(st.randoms(use_true_random=False))
def test_facts_in_any_order_are_the_same_problem(chance: random.Random) -> None:
    students = [(a_student(n), enrolled({"A": 1 + n % 4, "B": 1 + n % 3}, f"C{n % 3}")) for n in range(12)]
    classes = [a_class(f"C{n}", f"{day}-FLEX") for n, day in enumerate(("MON", "TUE", "WED"))]
    classes += [a_section(f"S{n}", capacity=3, competencies="AB"[:n]) for n in range(3)]
    expected = week_of(a_school(dict(students), classes), MONDAY)
    chance.shuffle(students)
    chance.shuffle(classes)
    shuffled = a_school(dict(students), classes)
    turned = replace(shuffled, students={who: replace(s, levels=dict(list(s.levels.items())[::-1])) for who, s in students})
    assert digest(week_of(turned, MONDAY)) == digest(expected)
    assert solve(week_of(turned, MONDAY), assign) == solve(expected, assign)


def test_what_a_plan_does_not_depend_on_leaves_its_digest_as_it_is() -> None:
    students = {a_student(1): enrolled({"A": 1})}
    before = digest(week_of(a_school(students, [a_section("S")]), MONDAY))
    moved = {a_student(1): replace(students[a_student(1)], grade="12", levels={A: Level(1, cause=99)})}
    assert digest(week_of(a_school(moved, [a_section("S"), a_class("C", "MON-P1")]), MONDAY)) == before
    renamed = replace(a_school(students, [a_section("S")]), scales={"d4": a_scale("d4").model_copy(update={"label": "New"})})
    assert digest(week_of(renamed, MONDAY)) == before
    assert digest(week_of(a_school(students, [a_section("S")], calendar=a_calendar(closed=[MONDAY])), MONDAY)) != before


# What a plan says.


def a_draft(*seats: Seat, digest: str = "d1") -> Draft:
    return Draft("HS1", MONDAY, digest, Plan(seats, ()), input=9, entries=20, time=TICK)


BEFORE = next_header(a_draft(digest="d0"), None)


def a_seat(number: int = 1, class_: str = "S1", *, competency: str = "A", date: dt.date = MONDAY) -> Seat:
    return Seat(date, "FLEX", a_student(number), class_, FRAMEWORK, competency, "level-1-of-4")


def said(before: Iterable[Seat], after: Iterable[Seat]) -> list[Announcement]:
    seats = tuple(after)
    return list(announce(next_header(a_draft(*seats), BEFORE), before, seats))


def test_a_plan_says_itself_first_then_what_it_takes_back_then_what_it_gives() -> None:
    published, released, assigned = said([a_seat(1), a_seat(2)], [a_seat(2), a_seat(3)])
    assert isinstance(published.data, PlanPublished)
    assert (published.subject, published.data.seats, published.data.input) == (None, 2, "9")
    assert isinstance(released.data, SeatReleased)
    assert (released.subject, released.data.class_, released.data.reason) == (a_student(1), "S1", "replanned")
    assert isinstance(assigned.data, SeatAssigned)
    assert (assigned.subject, assigned.data.competency, assigned.data.reason) == (a_student(3), "A", "level-1-of-4")


def test_a_student_who_changes_section_is_released_from_the_old_one() -> None:
    assert [type(each.data) for each in said([a_seat(1, "S1")], [a_seat(1, "S2")])] == [PlanPublished, SeatReleased, SeatAssigned]


def test_a_seat_that_stays_for_another_competency_is_given_anew_and_not_released() -> None:
    assert [type(each.data) for each in said([a_seat()], [a_seat(competency="B")])] == [PlanPublished, SeatAssigned]


def test_a_retry_says_the_same_and_the_next_plan_has_ids_of_its_own() -> None:
    again, once = said([], [a_seat()]), said([], [a_seat()])
    assert again == once
    following = announce(next_header(a_draft(a_seat()), next_header(a_draft(), BEFORE)), [], [a_seat()])
    assert not {each.id for each in once} & {each.id for each in following}


seats = st.lists(
    st.builds(a_seat, st.integers(1, 4), st.sampled_from(["S1", "S2"]), competency=st.sampled_from("AB")),
    unique_by=lambda seat: (seat.student, seat.date, seat.period),
)


@given(seats, seats)
def test_folding_what_is_said_over_the_old_seats_gives_the_new_ones(before: list[Seat], after: list[Seat]) -> None:
    held = {(seat.student, seat.date, seat.period): seat.class_ for seat in before}
    for each in said(before, after):
        match each.data:
            case SeatReleased() as released:
                assert held.pop((each.subject or "", released.date, released.period)) == released.class_
            case SeatAssigned() as assigned:
                held[each.subject or "", assigned.date, assigned.period] = assigned.class_
    assert held == {(seat.student, seat.date, seat.period): seat.class_ for seat in after}
