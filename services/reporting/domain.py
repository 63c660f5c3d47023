"""The read model of one student, folded from three topics, and what she adds to the counts.

Evidence is counted here, from her own story; what it comes to is mastery's to say. The two never touch the same field, so the
same comes out in whatever order the topics are read. Must not: decide a level (mastery does) or a seat (scheduling does); it
keeps the last thing each of them said.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from contracts import records
from contracts.envelope import Data, Event
from contracts.events import (
    Evidence,
    EvidenceCarried,
    EvidenceRetracted,
    EvidenceSubmitted,
    MasteryChanged,
    SeatAssigned,
    SeatReleased,
    StudentEnrolled,
    StudentMerged,
    StudentTransferred,
    StudentUnmerged,
    StudentWithdrawn,
)
from contracts.events.mastery import Move
from contracts.records import Note, Retraction
from contracts.topics import EVIDENCE_LOG, MASTERY_CHANGES, SCHEDULE_CHANGES

# The view's name, and what it is folded from.
VIEW = "reporting"
INPUTS = (EVIDENCE_LOG, MASTERY_CHANGES, SCHEDULE_CHANGES)

# In a count's key: all schools, all competencies, all grades. No code is empty, so it collides with none.
ALL = ""

# Words of the public interface that are looked at here.
PRACTICE, CARRIED, NO_EVIDENCE = "practice", "carried", "no-evidence"

Competency = tuple[str, str]  # framework, competency
Block = tuple[dt.date, str]  # date, period
LevelKey = tuple[str, str, str, int]  # school, framework, competency, level
HeadKey = tuple[str, str]  # school, grade
Term = tuple[object, ...]


class Piece(NamedTuple):
    """What is kept of a piece of evidence: what decides whether it counts, for what, and when it happened."""

    position: int
    framework: str
    competency: str
    time: dt.datetime
    source: str
    id: str
    sequence: int | None
    kind: str  # of evidence, or `carried`
    assessor: str | None
    note: Note | None = None

    @property
    def is_counted(self) -> bool:
        """Whether it is one of the pieces that pages count, where it counts at all: practice and carried levels are none."""
        return self.kind not in (PRACTICE, CARRIED)


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a student stands in one competency: mastery's last word, and the pieces of evidence that count.

    `cause` is the position in `evidence.log` of the event that moved her last, None while mastery says nothing.
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
    """All that pages show of a student but her name. `school` None: not enrolled now.

    `into`: the student she was merged into, while she is; then she is nobody. `story` and `retractions` are her evidence as
    far as it was loaded: nothing of it, unless an event to come asks for it all; what is new is at the end.
    """

    school: str | None = None
    grade: str | None = None
    cohort: str | None = None
    pieces: int = 0
    last_evidence: dt.datetime | None = None
    standings: Mapping[Competency, Standing] = field(default_factory=dict)
    seats: Mapping[Block, Seat] = field(default_factory=dict)
    into: str | None = None
    story: tuple[Piece, ...] = ()
    retractions: tuple[Retraction, ...] = ()


initial = Student()


# What revokes an assessor's judgement of a time, if anything does: a position.
Revoked = Callable[[str | None, dt.datetime], int | None]


def evolve(  # noqa: PLR0911 - one an event
    student: Student, who: str, event: Event[Data], position: int, revoked: Revoked
) -> Student:
    """The student `who` after an event at a position. Events that pages show nothing of change nothing."""
    data = event.data
    match data:
        case EvidenceSubmitted():  # first, because nearly everything is
            return _take(student, piece_of(event, data, position, who, revoked))
        case MasteryChanged():
            return _moved(student, data)
        case StudentEnrolled() | StudentTransferred() if student.into is None:
            return replace(student, school=data.school, grade=data.grade, cohort=data.cohort)
        case StudentWithdrawn():
            return replace(student, school=None, grade=None) if student.school == data.school else student
        case SeatAssigned():
            return _seated(student, data)
        case SeatReleased():
            return _released(student, data)
        case Evidence() | EvidenceCarried():
            return _take(student, piece_of(event, data, position, who, revoked))
        case EvidenceRetracted():
            return _retract(student, records.retraction_of(event, data, position))
        case StudentMerged() if who == data.other:
            return recounted(replace(student, into=event.subject, school=None, grade=None, cohort=None))
        case StudentUnmerged() if who != data.other:
            pieces, retractions = records.parted(student.story, student.retractions, data.returned, position)
            return recounted(replace(student, story=pieces, retractions=retractions))
        case StudentMerged() | StudentUnmerged():
            pieces, retractions = records.joined(student.story, student.retractions, position)
            return recounted(replace(student, into=None, story=pieces, retractions=retractions))
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


def piece_of(event: Event[Data], data: Evidence | EvidenceCarried, position: int, who: str, revoked: Revoked) -> Piece:
    """The piece that an event brings into a student's story."""
    place = (position, data.framework, data.competency, event.time, event.source, event.id, event.sourcesequence)
    kind = data.kind if isinstance(data, Evidence) else CARRIED
    piece = Piece(*place, kind, data.assessor, records.note_in(who, event, position))
    return piece if data.assessor is None else rejudged((piece,), revoked)[0]


def rejudged(pieces: Iterable[Piece], revoked: Revoked) -> tuple[Piece, ...]:
    """Pieces as their assessors stand now."""
    return records.judged(pieces, lambda piece: revoked(piece.assessor, piece.time))


def _take(student: Student, piece: Piece) -> Student:
    """One more piece. Most stand alone, and then no other is looked at."""
    after = replace(student, story=(*student.story, piece))
    if piece.note is not None:
        if piece.note.place != piece.position:  # a copy: nothing more, until the merge that follows
            return student if records.has_place(student.story, student.retractions, piece.note.place) else after
        if student.into is not None or records.is_linked(piece, student.story):
            return recounted(after)
        if piece.note.revoked is not None:
            return after
    if not piece.is_counted:
        return after
    key = (piece.framework, piece.competency)
    standing = student.standings.get(key, Standing())
    return replace(
        after,
        pieces=student.pieces + 1,
        last_evidence=max(piece.time, student.last_evidence or piece.time),
        standings={**student.standings, key: replace(standing, pieces=standing.pieces + 1)},
    )


def _retract(student: Student, retraction: Retraction) -> Student:
    if records.has_place(student.story, student.retractions, retraction.place):
        return student
    return recounted(replace(student, retractions=(*student.retractions, retraction)))


def recounted(student: Student) -> Student:
    """A student, loaded with all her evidence, with what counts of it counted anew."""
    counted = [piece for piece in evidence(student) if piece.is_counted]
    by_key = Counter((piece.framework, piece.competency) for piece in counted)
    keys = [*student.standings, *(key for key in by_key if key not in student.standings)]
    standings = {key: replace(student.standings.get(key, Standing()), pieces=by_key[key]) for key in keys}
    return replace(
        student,
        pieces=len(counted),
        last_evidence=max((piece.time for piece in counted), default=None),
        standings={key: standing for key, standing in standings.items() if standing != Standing()},
    )


def evidence(student: Student) -> list[Piece]:
    """What counts of a student's evidence, a record one piece."""
    return records.evidence(student.story, student.retractions) if student.into is None else []


def _moved(student: Student, data: MasteryChanged) -> Student:
    moved = {(move.framework, move.competency): move for move in data.moves}
    cause = int(data.cause)
    said = {key: _standing(move, student.standings.get(key, Standing()), cause) for key, move in moved.items()}
    standings = {**student.standings, **said}
    for key in [key for key, standing in said.items() if standing == Standing()]:
        del standings[key]
    return replace(student, standings=standings)


def _standing(move: Move, before: Standing, cause: int) -> Standing:
    if move.policy is None and move.reason == NO_EVIDENCE:  # nothing is left for any policy to look at: mastery says no more
        return Standing(pieces=before.pieces)
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
    """A student as canonical terms, each as (exact, meaning), empty for none: meaning holds no position, and nothing of nobody.

    The initial student has none. Her story's terms are `story_terms`.
    """
    for exact, meaning in _terms(subject, student):
        yield exact, meaning if student.into is None else ()
    if student.into is not None:
        yield ("merged", subject, student.into), ()


def story_terms(subject: str, student: Student) -> Iterator[Term]:
    """A student's evidence as exact terms: what is kept for corrections to come. What counts of it is in her own terms."""
    for piece in student.story:
        yield ("piece", subject, *piece[:-1], *(piece.note or ()))
    for retraction in student.retractions:
        yield ("retraction", subject, *retraction)


def _terms(subject: str, student: Student) -> Iterator[tuple[Term, Term]]:
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
