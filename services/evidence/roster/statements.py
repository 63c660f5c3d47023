"""What a roster says now against what was stated before: the events to append, and what is stated then. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from contracts.envelope import Data
from contracts.events import ProgrammeChanged, StudentEnrolled, StudentTransferred, StudentWithdrawn
from services.evidence.stated import ABSENT, StatedStudent

Enrolled = StudentEnrolled | StudentTransferred

ONE_DAY = timedelta(days=1)
LAST_DAY = date.max - ONE_DAY
NOT_IN_ROSTER = "not-in-roster"


@dataclass(frozen=True, slots=True)
class Changes:
    """Events of one student to append, in order, and what is stated of her after them. No events: nothing changed."""

    events: Sequence[Data]
    stated: StatedStudent


def digest(data: Data) -> bytes:
    """Eight bytes that tell statements of one student or thing apart."""
    told = json.dumps(as_json(data), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(f"{data.TYPE} {told}".encode()).digest()[:8]


def as_json(data: Data) -> dict[str, object]:
    """The event's data as plain JSON, absent fields left out."""
    told: dict[str, object] = data.model_dump(mode="json", by_alias=True, exclude_none=True)
    return told


def changes(
    stated: StatedStudent, history: Sequence[Data], programmes: Mapping[str, str | None], first_day: date | None, today: date
) -> Changes:
    """What changed about a student. `history` is all that her roster rows state, `first_day` her first day of enrolment.

    What is stated anew keeps its own date; what turns out to be in force again, or no more, is stated with today's. A statement
    whose date has come holds from its place in the log on. So one that comes late (a transfer of last month, say), and that
    others of a later date follow which were stated before it, would undo those: what is in force today is then stated again.
    """
    digests = tuple(digest(each) for each in history)
    events: list[Data] = [each for each, told in zip(history, digests, strict=True) if told not in stated.digests]
    if history and stated.digests:
        late = [each for each in events if _holds_from(each) <= today]
        in_force = [each for each in history if _holds_from(each) <= today]
        if digests[-1] in stated.digests[:-1]:
            events.append(_again(history[-1], today))
        elif late and late[-1] is not in_force[-1]:
            events.append(_again(in_force[-1], today))
    school = school_of(history)
    if history and school is None and (left := _school_told(stated.school, events)) is not None:
        events.append(StudentWithdrawn(school=left, reason=history[-1].reason, effective=today))  # type: ignore[attr-defined]
    if not history and stated.school is not None:
        events, digests = [_gone(stated.school, today)], (*stated.digests, ABSENT)
    told, running = _programme_changes(stated, programmes, first_day if stated.version == 0 and first_day else today, today)
    events += told
    after = StatedStudent(stated.pseudonym, school, stated.version + len(events), digests or stated.digests, running)
    return Changes(events, after)


def absent(stated: StatedStudent, today: date) -> Changes:
    """A student who is enrolled at a school of the roster, and whom the roster does not have."""
    return changes(stated, (), {name: level for name, (level, _) in stated.programmes.items()}, None, today)


def _holds_from(statement: Data) -> date:
    """The day on which it takes effect: of a withdrawal, the day after the last one."""
    effective: date = statement.effective  # type: ignore[attr-defined]
    return min(effective, LAST_DAY) + ONE_DAY if isinstance(statement, StudentWithdrawn) else effective


def _school_told(before: str | None, events: Iterable[Data]) -> str | None:
    """The school at which events leave a student who was at `before`. One she is not at cannot withdraw her."""
    school = before
    for event in events:
        if isinstance(event, StudentEnrolled | StudentTransferred):
            school = event.school
        elif isinstance(event, StudentWithdrawn) and event.school == school:
            school = None
    return school


def _again(last: Data, today: date) -> Data:
    """The last statement once more, in force from today: something later was stated, and holds no more."""
    if isinstance(last, StudentTransferred):
        return StudentEnrolled(
            school=last.school, grade=last.grade, cohort=last.cohort, classes=last.classes, effective=max(last.effective, today)
        )
    assert isinstance(last, StudentEnrolled | StudentWithdrawn)
    return last.model_copy(update={"effective": max(last.effective, today)})


def _gone(school: str, today: date) -> Data:
    return StudentWithdrawn(school=school, reason=NOT_IN_ROSTER, effective=today)


def school_of(history: Sequence[Data]) -> str | None:
    """The school at which a history leaves a student; None: nowhere."""
    last = history[-1] if history else None
    return last.school if isinstance(last, StudentEnrolled | StudentTransferred) else None


def _programme_changes(
    stated: StatedStudent, now: Mapping[str, str | None], since: date, today: date
) -> tuple[list[Data], dict[str, tuple[str | None, str]]]:
    before = stated.programmes
    events: list[Data] = []
    running = dict(before)
    for programme, level in now.items():
        if programme not in before or before[programme][0] != level:
            events.append(ProgrammeChanged(programme=programme, level=level, effective=since))
            running[programme] = level, since.isoformat()
    for programme in before.keys() - now.keys():
        level, began = running.pop(programme)
        start = date.fromisoformat(began)
        events.append(ProgrammeChanged(programme=programme, level=level, effective=start, until=max(start, today)))
    return sorted_by_programme(events), running


def sorted_by_programme(events: Iterable[Data]) -> list[Data]:
    """In a fixed order, so that the same change makes the same events."""
    return sorted(events, key=lambda each: each.programme if isinstance(each, ProgrammeChanged) else "")
