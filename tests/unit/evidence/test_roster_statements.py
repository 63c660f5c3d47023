"""What is stated of a student when her roster changes: what is new with its own date, what is undone with today's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from contracts.envelope import Data
from contracts.events import ProgrammeChanged, StudentEnrolled, StudentTransferred, StudentWithdrawn
from services.evidence.roster.statements import absent, changes
from services.evidence.stated import StatedStudent

SHE = "s-" + "a" * 26
BEGAN, TODAY = date(2025, 9, 3), date(2026, 3, 9)


def an_enrolment(*classes: str, school: str = "HS1", effective: date = BEGAN) -> StudentEnrolled:
    return StudentEnrolled(school=school, grade="09", classes=classes, effective=effective)


LEFT = StudentWithdrawn(school="HS1", reason="enrollment-ended", effective=date(2026, 1, 30))
NEW = StatedStudent(SHE)


def after(*histories: Sequence[Data], programmes: Mapping[str, str | None] | None = None) -> tuple[list[Data], StatedStudent]:
    """The events of the last of these histories, imported one after another, and what is stated then."""
    stated, events = NEW, list[Data]()
    for history in histories:
        made = changes(stated, history, programmes or {}, BEGAN, TODAY)
        stated, events = made.stated, list(made.events)
    return events, stated


def test_a_new_student_is_stated_whole_and_the_same_again_is_nothing() -> None:
    events, stated = after([an_enrolment("a"), LEFT])
    assert (events, stated.school, stated.version) == ([an_enrolment("a"), LEFT], None, 2)
    assert after([an_enrolment("a"), LEFT], [an_enrolment("a"), LEFT]) == ([], stated)


def test_only_what_is_new_is_stated() -> None:
    more = an_enrolment("a", "b", effective=date(2026, 2, 2))
    assert after([an_enrolment("a")], [an_enrolment("a"), more])[0] == [more]


def test_a_withdrawal_that_is_undone_is_an_enrolment_from_today() -> None:
    events, stated = after([an_enrolment("a"), LEFT], [an_enrolment("a")])
    assert (events, stated.school) == ([an_enrolment("a", effective=TODAY)], "HS1")
    assert after([an_enrolment("a"), LEFT], [an_enrolment("a")], [an_enrolment("a")])[0] == []


def test_a_transfer_that_is_last_again_is_stated_as_an_enrolment() -> None:
    moved = StudentTransferred(from_school="HS1", school="HS2", grade="09", effective=date(2026, 1, 5))
    more = an_enrolment("z", school="HS2", effective=date(2026, 2, 2))
    events, _ = after([an_enrolment("a"), moved, more], [an_enrolment("a"), moved])
    assert events == [an_enrolment(school="HS2", effective=TODAY)]


def test_no_rows_at_all_is_a_withdrawal_once_and_a_return_is_seen() -> None:
    gone = StudentWithdrawn(school="HS1", reason="not-in-roster", effective=TODAY)
    events, stated = after([an_enrolment("a")], [])
    assert (events, stated.school) == ([gone], None)
    assert after([an_enrolment("a")], [], [])[0] == []
    assert after([an_enrolment("a")], [], [an_enrolment("a")])[0] == [an_enrolment("a", effective=TODAY)]
    assert list(absent(after([an_enrolment("a")])[1], TODAY).events) == [gone]


def test_programmes_start_with_the_enrolment_and_change_today() -> None:
    events, stated = after([an_enrolment()], programmes={"IEP": None, "ENL": "entering"})
    assert events[1:] == [
        ProgrammeChanged(programme="ENL", level="entering", effective=BEGAN),
        ProgrammeChanged(programme="IEP", effective=BEGAN),
    ]
    made = changes(stated, [an_enrolment()], {"ENL": "emerging"}, BEGAN, TODAY)
    assert list(made.events) == [
        ProgrammeChanged(programme="ENL", level="emerging", effective=TODAY),
        ProgrammeChanged(programme="IEP", effective=BEGAN, until=TODAY),
    ]
    assert changes(made.stated, [an_enrolment()], {"ENL": "emerging"}, BEGAN, TODAY).events == []


STATEMENTS = [
    an_enrolment("a"),
    an_enrolment("a", "b", effective=date(2025, 11, 3)),
    LEFT,
    an_enrolment(effective=date(2026, 2, 2)),
]
HISTORIES = st.lists(st.sets(st.integers(0, 3)).map(lambda chosen: [STATEMENTS[n] for n in sorted(chosen)]), min_size=1, max_size=6)


@given(HISTORIES)
def test_whatever_was_imported_before_the_last_roster_says_where_she_is(histories: list[list[Data]]) -> None:
    events, stated = after(*histories)
    assert after(*histories, histories[-1])[0] == []
    last = histories[-1][-1] if histories[-1] else None
    assert stated.school == (last.school if isinstance(last, StudentEnrolled) else None)
    assert stated.version >= len(events)
