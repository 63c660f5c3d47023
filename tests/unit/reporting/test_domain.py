"""Given what was told of a student, when one more thing is told, then this is what pages know of her."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from dataclasses import replace
from functools import reduce

from hypothesis import given
from hypothesis import strategies as st

from contracts.envelope import Data, Event
from contracts.events import (
    EvidenceSubmitted,
    LogTicked,
    MasteryChanged,
    ProgrammeChanged,
    SeatAssigned,
    SeatReleased,
    StudentEnrolled,
    StudentTransferred,
    StudentWithdrawn,
)
from contracts.events.mastery import Move
from services.reporting.domain import ALL, Seat, Standing, Student, effective_on, evolve, head_counts, initial, level_counts, terms

NOON = dt.datetime(2026, 10, 5, 12, tzinfo=dt.UTC)
MONDAY = dt.date(2026, 10, 5)
SUBJECT = "s-" + "a" * 26


def an_evidence(competency: str = "MA.1", **fields: object) -> EvidenceSubmitted:
    stated = {"framework": "hs", "competency": competency, "score_thousandths": 3000, "scale": "d4"}
    return EvidenceSubmitted.model_validate(stated | fields)


def a_move(level: int | None = 3, competency: str = "MA.1", cause: int = 7, **fields: object) -> MasteryChanged:
    move = {"framework": "hs", "competency": competency, "level": level, "value_thousandths": 3100, "previous_level": None}
    stated = move | {"pieces": 1, "policy": "district", "policy_version": 1} | fields
    return MasteryChanged(cause=str(cause), school="HS1", moves=(Move.model_validate(stated),))


def an_enrolment(school: str = "HS1", grade: str = "9") -> StudentEnrolled:
    return StudentEnrolled(school=school, grade=grade, cohort="2030", effective=MONDAY)


def a_seat(section: str = "FLEX-1", competency: str = "MA.1", plan: str = "P1") -> SeatAssigned:
    where = {"plan": plan, "school": "HS1", "date": MONDAY, "period": "FLEX", "class": section}
    return SeatAssigned.model_validate(where | {"framework": "hs", "competency": competency, "reason": "no-level"})


def a_release(section: str = "FLEX-1", plan: str = "P2") -> SeatReleased:
    where = {"plan": plan, "school": "HS1", "date": MONDAY, "period": "FLEX", "class": section}
    return SeatReleased.model_validate(where | {"reason": "replanned"})


def told(*events: Data, student: Student = initial) -> Student:
    return reduce(evolved, events, student)


def evolved(student: Student, data: Data, time: dt.datetime = NOON) -> Student:
    """The student after an event that says this, of her."""
    place = {"position": "7", "recordedtime": time, "dataschema": "urn:test"}
    event: Event[Data] = Event.model_construct(id="e", source="app", type=data.TYPE, subject=SUBJECT, time=time, data=data, **place)  # type: ignore[arg-type]
    return evolve(student, SUBJECT, event, 7, lambda assessor, time: None)


def test_evidence_counts_for_its_competency_and_moves_no_level() -> None:
    student = told(an_evidence(), an_evidence("MA.2"), an_evidence())
    assert student.pieces == 3
    assert student.standings == {("hs", "MA.1"): Standing(pieces=2), ("hs", "MA.2"): Standing(pieces=1)}


def test_late_evidence_leaves_the_date_of_the_last_one() -> None:
    student = evolved(told(an_evidence()), an_evidence(), NOON - dt.timedelta(days=30))
    assert (student.pieces, student.last_evidence) == (2, NOON)


def test_practice_is_kept_and_counts_for_nothing() -> None:
    student = told(an_evidence(kind="practice"))
    assert [piece.kind for piece in student.story] == ["practice"]
    assert replace(student, story=()) == initial


def test_mastery_has_the_last_word_on_a_level_and_the_pieces_stay_ours() -> None:
    student = told(an_evidence(), an_evidence(), a_move(2, cause=5), a_move(3, cause=9))
    assert student.standings["hs", "MA.1"] == Standing(2, 3, 3100, "district", 1, None, 9)


def test_a_level_can_be_lost_for_a_reason() -> None:
    student = told(an_evidence(), a_move(3), a_move(None, value_thousandths=None, reason="too-few"))
    assert (student.standings["hs", "MA.1"].level, student.standings["hs", "MA.1"].reason) == (None, "too-few")


def test_a_transfer_moves_her_and_a_withdrawal_from_the_old_school_is_too_late() -> None:
    transfer = StudentTransferred(from_school="HS1", school="HS2", grade="10", effective=MONDAY)
    late = StudentWithdrawn(school="HS1", reason="moved", effective=MONDAY)
    student = told(an_enrolment(), transfer, late)
    assert (student.school, student.grade) == ("HS2", "10")


def test_who_withdraws_is_enrolled_on_her_last_day() -> None:
    withdrawn = StudentWithdrawn(school="HS1", reason="moved", effective=MONDAY)
    assert effective_on(withdrawn) == MONDAY + dt.timedelta(days=1)
    assert effective_on(an_enrolment()) == MONDAY
    assert effective_on(an_evidence()) is None
    assert told(an_enrolment(), withdrawn).school is None


def test_a_released_seat_is_gone_unless_she_sits_elsewhere_by_then() -> None:
    block = (MONDAY, "FLEX")
    assert told(a_seat(), a_release()).seats == {}
    moved = told(a_seat("FLEX-1"), a_seat("FLEX-2", plan="P2"), a_release("FLEX-1"))
    assert moved.seats == {block: Seat("P2", "HS1", "FLEX-2", "hs", "MA.1", "no-level")}
    assert told(a_release()) is initial


def test_events_that_pages_do_not_show_change_nothing() -> None:
    student = told(an_enrolment())
    programme = ProgrammeChanged(programme="IEP", effective=MONDAY)
    assert told(programme, LogTicked(time=NOON, date=MONDAY), student=student) is student


def test_only_an_enrolled_student_with_a_level_counts_and_rolls_up() -> None:
    unenrolled = told(an_evidence(), a_move(3))
    assert level_counts(initial, unenrolled) == Counter()
    enrolled = told(an_enrolment(), student=unenrolled)
    keys = {("HS1", "hs", "MA.1", 3), ("HS1", "hs", ALL, 3), (ALL, "hs", "MA.1", 3), (ALL, "hs", ALL, 3)}
    assert level_counts(unenrolled, enrolled) == dict.fromkeys(keys, 1)
    assert head_counts(unenrolled, enrolled) == {("HS1", "9"): (1, 1), ("HS1", ALL): (1, 1), (ALL, ALL): (1, 1)}


def test_a_student_who_moves_on_leaves_no_count_behind() -> None:
    before = told(an_enrolment(), an_evidence(), a_move(3))
    after = told(an_enrolment("HS2", "10"), student=before)
    moved = {key: by for key, by in level_counts(before, after).items() if by}
    assert moved == {("HS1", "hs", "MA.1", 3): -1, ("HS1", "hs", ALL, 3): -1, ("HS2", "hs", "MA.1", 3): 1, ("HS2", "hs", ALL, 3): 1}
    assert (ALL, ALL) not in head_counts(before, after)


events = st.one_of(
    st.builds(an_evidence, st.sampled_from(["MA.1", "MA.2"])),
    st.builds(a_move, st.one_of(st.none(), st.integers(1, 4)), st.sampled_from(["MA.1", "MA.2"])),
    st.builds(an_enrolment, st.sampled_from(["HS1", "HS2"]), st.sampled_from(["9", "10"])),
    st.builds(lambda school: StudentWithdrawn(school=school, reason="moved", effective=MONDAY), st.sampled_from(["HS1", "HS2"])),
    st.builds(a_seat, st.sampled_from(["FLEX-1", "FLEX-2"])),
    st.builds(a_release, st.sampled_from(["FLEX-1", "FLEX-2"])),
)


@given(st.lists(events, max_size=30))
def test_counts_moved_step_by_step_are_those_of_the_end(history: list[Data]) -> None:
    student, levels, heads, pieces = initial, Counter[object](), Counter[object](), Counter[object]()
    for data in history:
        after = evolved(student, data)
        levels.update(level_counts(student, after))
        for key, (by, by_pieces) in head_counts(student, after).items():
            heads[key] += by
            pieces[key] += by_pieces
        student = after
    at_once = head_counts(initial, student)
    assert _without_zeros(levels) == dict(level_counts(initial, student))
    assert _without_zeros(heads) == {key: by for key, (by, _) in at_once.items()}
    assert _without_zeros(pieces) == {key: by for key, (_, by) in at_once.items() if by}


def _without_zeros(counter: Counter[object]) -> dict[object, int]:
    return {key: by for key, by in counter.items() if by}


@given(st.lists(events, max_size=20), st.lists(events, max_size=20))
def test_two_students_with_the_same_terms_are_the_same_but_for_an_empty_row(one: list[Data], other: list[Data]) -> None:
    first, second = told(*one), told(*other)
    assert (set(terms(SUBJECT, first)) == set(terms(SUBJECT, second))) == (first == second)


def test_meaning_holds_no_position_and_no_plan() -> None:
    earlier, later = told(an_evidence(), a_move(3, cause=7), a_seat()), told(an_evidence(), a_move(3, cause=8), a_seat(plan="P9"))
    assert {meaning for _, meaning in terms(SUBJECT, earlier)} == {meaning for _, meaning in terms(SUBJECT, later)}
    assert {exact for exact, _ in terms(SUBJECT, earlier)} != {exact for exact, _ in terms(SUBJECT, later)}
    assert replace(earlier, cohort="2030") != earlier
