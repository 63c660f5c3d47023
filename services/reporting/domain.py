"""The read model of one student, folded from three topics, and what she adds to the counts.

Must not: decide a level (mastery does) or a seat (scheduling does); it keeps the last thing each of them said.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from contracts.envelope import Data
from contracts.events import (
    EvidenceSubmitted,
    MasteryChanged,
    SeatAssigned,
    SeatReleased,
    StudentEnrolled,
    StudentTransferred,
    StudentWithdrawn,
)
from contracts.events.mastery import Move
from contracts.topics import EVIDENCE_LOG, MASTERY_CHANGES, SCHEDULE_CHANGES

# The view's name, and what it is folded from.
VIEW = "reporting"
INPUTS = (EVIDENCE_LOG, MASTERY_CHANGES, SCHEDULE_CHANGES)

# In a count's key: all schools, all competencies, all grades. No code is empty, so it collides with none.
ALL = ""

Competency = tuple[str, str]  # framework, competency
Block = tuple[dt.date, str]  # date, period
LevelKey = tuple[str, str, str, int]  # school, framework, competency, level
HeadKey = tuple[str, str]  # school, grade
Term = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a student stands in one competency: mastery's last word, and the pieces of evidence seen since the beginning.

    `cause` is the position in `evidence.log` of the event that moved her last, None while mastery has said nothing.
    """

    pieces: int = 0
    level: int | None = None
    value_thousandths: int | None = None
    policy: str | None = None
    policy_version: int | None = None
    reason: str | None = None
    cause: int | None = None


@dataclass(frozen=True, slots=True)
class Seat:
    """A seat in a flex block, and the competency it is for."""

    plan: str
    school: str
    class_: str
    framework: str
    competency: str
    reason: str


@dataclass(frozen=True, slots=True)
class Student:
    """All that pages show of a student but her name. `school` None: not enrolled now."""

    school: str | None = None
    grade: str | None = None
    cohort: str | None = None
    pieces: int = 0
    last_evidence: dt.datetime | None = None
    standings: Mapping[Competency, Standing] = field(default_factory=dict)
    seats: Mapping[Block, Seat] = field(default_factory=dict)


initial = Student()


def evolve(student: Student, data: Data, time: dt.datetime) -> Student:  # noqa: PLR0911 - one an event
    """The student after an event. Events that pages show nothing of change nothing."""
    match data:
        case EvidenceSubmitted():
            return _evidenced(student, data, time)
        case MasteryChanged():
            return _moved(student, data)
        case StudentEnrolled() | StudentTransferred():
            return replace(student, school=data.school, grade=data.grade, cohort=data.cohort)
        case StudentWithdrawn():
            return replace(student, school=None, grade=None) if student.school == data.school else student
        case SeatAssigned():
            return _seated(student, data)
        case SeatReleased():
            return _released(student, data)
        case _:
            return student


def effective_on(data: Data) -> dt.date | None:
    """The date from which an enrolment holds. One who withdraws is enrolled on her last day, so that comes a day later."""
    match data:
        case StudentEnrolled() | StudentTransferred():
            return data.effective
        case StudentWithdrawn():
            return data.effective + dt.timedelta(days=1)
        case _:
            return None


def _evidenced(student: Student, data: EvidenceSubmitted, time: dt.datetime) -> Student:
    if data.kind == "practice":
        return student
    key = (data.framework, data.competency)
    standing = student.standings.get(key, Standing())
    return replace(
        student,
        pieces=student.pieces + 1,
        last_evidence=max(time, student.last_evidence or time),
        standings={**student.standings, key: replace(standing, pieces=standing.pieces + 1)},
    )


def _moved(student: Student, data: MasteryChanged) -> Student:
    moved = {(move.framework, move.competency): move for move in data.moves}
    cause = int(data.cause)
    standings = {key: _standing(move, student.standings.get(key, Standing()), cause) for key, move in moved.items()}
    return replace(student, standings={**student.standings, **standings})


def _standing(move: Move, before: Standing, cause: int) -> Standing:
    return Standing(
        pieces=before.pieces,  # mastery tells moves only, so its count of pieces can be older than ours
        level=move.level,
        value_thousandths=move.value_thousandths,
        policy=move.policy,
        policy_version=move.policy_version,
        reason=move.reason,
        cause=cause,
    )


def _seated(student: Student, data: SeatAssigned) -> Student:
    seat = Seat(data.plan, data.school, data.class_, data.framework, data.competency, data.reason)
    return replace(student, seats={**student.seats, (data.date, data.period): seat})


def _released(student: Student, data: SeatReleased) -> Student:
    block = (data.date, data.period)
    seat = student.seats.get(block)
    if seat is None or seat.class_ != data.class_:
        return student  # she has been seated elsewhere since
    return replace(student, seats={other: seat for other, seat in student.seats.items() if other != block})


def level_counts(before: Student, after: Student) -> Counter[LevelKey]:
    """By how much a student's change moves the counts of students by level, roll-ups included. Only who is enrolled counts."""
    counts: Counter[LevelKey] = Counter()
    same_school = before.school == after.school
    for key in before.standings.keys() | after.standings.keys():
        old, new = _level(before, key), _level(after, key)
        if same_school and old == new:
            continue
        for student, level, by in ((before, old, -1), (after, new, 1)):
            if student.school is not None and level is not None:
                counts.update(dict.fromkeys(_level_keys(student.school, key, level), by))
    return counts


def _level(student: Student, key: Competency) -> int | None:
    standing = student.standings.get(key)
    return standing.level if standing else None


def _level_keys(school: str, key: Competency, level: int) -> Iterator[LevelKey]:
    framework, competency = key
    for a_school in (school, ALL):
        for a_competency in (competency, ALL):
            yield a_school, framework, a_competency, level


def head_counts(before: Student, after: Student) -> dict[HeadKey, tuple[int, int]]:
    """By how much a student's change moves (students, pieces of evidence) of schools and grades, roll-ups included."""
    heads: Counter[HeadKey] = Counter()
    pieces: Counter[HeadKey] = Counter()
    for student, by in ((before, -1), (after, 1)):
        for key in _head_keys(student):
            heads[key] += by
            pieces[key] += by * student.pieces
    return {key: (heads[key], pieces[key]) for key in heads if heads[key] or pieces[key]}


def _head_keys(student: Student) -> tuple[HeadKey, ...]:
    if student.school is None or student.grade is None:
        return ()
    return (student.school, student.grade), (student.school, ALL), (ALL, ALL)


def terms(subject: str, student: Student) -> Iterator[tuple[Term, Term]]:
    """A student as canonical terms, each as (exact, meaning): meaning holds no position. The initial student has none."""
    if student.school is not None or student.cohort is not None:
        enrolment = ("student", subject, student.school, student.grade, student.cohort)
        yield enrolment, enrolment
    if student.last_evidence is not None:
        evidence = ("evidence", subject, student.pieces, student.last_evidence.isoformat())
        yield evidence, evidence
    for (framework, competency), it in student.standings.items():
        meaning = ("standing", subject, framework, competency, it.pieces, it.level, it.value_thousandths, it.reason)
        yield (*meaning, it.policy, it.policy_version, it.cause), (*meaning, it.policy, it.policy_version)
    for (date, period), seat in student.seats.items():
        held = ("seat", subject, date, period, seat.class_, seat.school, seat.framework, seat.competency, seat.reason)
        yield (*held, seat.plan), held
