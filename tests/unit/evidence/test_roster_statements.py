"""What is stated of a student when her roster changes: what is new with its own date, what is undone with today's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

from hypothesis import example, given
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
    an_enrolment("z", school="HS2", effective=date(2026, 2, 9)),
]
HISTORIES = st.lists(st.sets(st.integers(0, 4)).map(lambda chosen: [STATEMENTS[n] for n in sorted(chosen)]), min_size=1, max_size=6)


def as_a_view_has_it(histories: Sequence[Sequence[Data]]) -> tuple[str, tuple[str, ...]] | None:
    """Where a student is, and in which classes, after all events of these imports: each holds from its place on (all are past)."""
    stated, here = NEW, None
    for history in histories:
        made = changes(stated, history, {}, BEGAN, TODAY)
        stated = made.stated
        for data in made.events:
            if isinstance(data, StudentEnrolled | StudentTransferred):
                here = data.school, data.classes
            elif isinstance(data, StudentWithdrawn) and here is not None and data.school == here[0]:
                here = None
    return here


def test_a_late_class_does_not_undo_the_later_one_that_was_stated_before_it() -> None:
    now = an_enrolment("c", effective=date(2026, 2, 2))
    late = an_enrolment("b", effective=date(2026, 1, 12))
    events, _ = after([an_enrolment("a"), now], [an_enrolment("a"), late, now])
    assert events == [late, an_enrolment("c", effective=TODAY)]
    assert as_a_view_has_it([[an_enrolment("a"), now], [an_enrolment("a"), late, now]]) == ("HS1", ("c",))


def test_a_late_transfer_keeps_its_date_and_is_stated_once() -> None:
    moved = StudentTransferred(from_school="HS1", school="HS2", grade="09", effective=date(2026, 1, 12))
    events, stated = after([an_enrolment("a")], [an_enrolment("a"), moved])
    assert (events, stated.school) == ([moved], "HS2")
    assert after([an_enrolment("a")], [an_enrolment("a"), moved], [an_enrolment("a"), moved])[0] == []


@given(HISTORIES)
@example([[STATEMENTS[0], STATEMENTS[4]], [STATEMENTS[0], LEFT]])
def test_a_view_that_has_every_event_has_her_where_the_last_roster_says(histories: list[list[Data]]) -> None:
    last = histories[-1][-1] if histories[-1] else None
    expected = (last.school, last.classes) if isinstance(last, StudentEnrolled) else None
    assert as_a_view_has_it(histories) == expected


@given(HISTORIES)
def test_whatever_was_imported_before_the_last_roster_says_where_she_is(histories: list[list[Data]]) -> None:
    events, stated = after(*histories)
    assert after(*histories, histories[-1])[0] == []
    last = histories[-1][-1] if histories[-1] else None
    assert stated.school == (last.school if isinstance(last, StudentEnrolled) else None)
    assert stated.version >= len(events)
