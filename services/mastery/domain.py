"""A student, folded from her story: what she is enrolled in, her evidence, and where that has her stand.

Owns: the state of a student, `initial`, `evolve` for her own events, `refold` for what moves many. Must not: read a clock,
fail on a legal history, or ask anything but the `Law` it is given.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from contracts import records
from contracts.envelope import Data, Event
from contracts.events import (
    AssessorReinstated,
    AssessorRevoked,
    Evidence,
    EvidenceCarried,
    EvidenceRetracted,
    EvidenceSubmitted,
    MasteryChanged,
    ProgrammeChanged,
    ScalePublished,
    StudentEnrolled,
    StudentMerged,
    StudentTransferred,
    StudentUnmerged,
    StudentWithdrawn,
)
from contracts.events.mastery import Move
from contracts.records import Retraction
from services.mastery.rules import CARRIED
from services.mastery.standings import NOTHING, Key, Piece, Rules, Standing, appended, stand, told


class Law(NamedTuple):
    """What holds at a place in the log: the rules in force, and the position of what revokes an assessor's judgement of a time.

    `since`: the position of the last version or midnight, from which it holds. What a date brought in takes effect there.
    """

    rule: Rules
    revoked: Callable[[str, dt.datetime], int | None]
    since: int


@dataclass(frozen=True, slots=True)
class Enrolment:
    """The last statement in force of where a student is enrolled. After a withdrawal `enrolled` is False: her school's
    policy stays hers, so that leaving moves no level, but the school no longer counts her."""

    school: str
    grade: str
    cohort: str | None
    classes: tuple[str, ...]
    since: dt.date
    enrolled: bool = True


@dataclass(frozen=True, slots=True)
class Programme:
    """A programme and her level in it, from a date, until one if it has ended or will."""

    programme: str
    level: str | None
    since: dt.date
    until: dt.date | None


class Chapter(NamedTuple):
    """Who a student is, from a position on, until the next one: enrolment, programmes, and whom she was merged into."""

    position: int
    enrolment: Enrolment | None
    programmes: Mapping[str, Programme]
    into: str | None


@dataclass(frozen=True, slots=True)
class Student:
    """A student, as far as she was loaded: `standings`, `pieces` and `retractions` hold at least what the events to come ask for.

    `position` is that of the last event that changed anything; -1: she is new. New pieces and retractions are appended at the
    end. `whole`: `standings` are all of hers. `into`: the student she was merged into, while she is; then she is nobody, and
    what is kept of her evidence is for the day that she comes back. `chapters`: those that began since she was loaded, of
    which the last is as she is; `chapter` is the position of the last one before them, -1: there was none.
    """

    enrolment: Enrolment | None = None
    programmes: Mapping[str, Programme] = field(default_factory=dict)
    standings: Mapping[Key, Standing] = field(default_factory=dict)
    pieces: tuple[Piece, ...] = ()
    position: int = -1
    whole: bool = True
    into: str | None = None
    retractions: tuple[Retraction, ...] = ()
    chapter: int = -1
    chapters: tuple[Chapter, ...] = ()

    @property
    def school(self) -> str | None:
        """The school whose policies are hers."""
        return self.enrolment.school if self.enrolment else None

    @property
    def counted_at(self) -> str | None:
        """The school that counts her: where she is enrolled now."""
        return self.enrolment.school if self.enrolment and self.enrolment.enrolled else None


initial = Student()
Moved = tuple[Student, tuple[Move, ...]]


def evolve(student: Student, who: str, event: Event[Data], position: int, law: Law) -> Moved:  # noqa: PLR0911 - one an event
    """Fold one event of her story at its position; `who` is she. The moves are all that it changed in her levels."""
    data = event.data
    match data:
        case EvidenceSubmitted() | EvidenceCarried():  # first, because nearly everything is
            return _take(student, piece_of(event, data, position, who, law), law)
        case StudentEnrolled() | StudentTransferred() if student.into is None:
            enrolment = Enrolment(data.school, data.grade, data.cohort, data.classes, data.effective)
            return _enrol(_turned(student, position, law, enrolment=enrolment), student.school, law)
        case StudentWithdrawn() if data.school == student.counted_at and student.enrolment:
            return _turned(student, position, law, enrolment=replace(student.enrolment, enrolled=False)), ()
        case ProgrammeChanged() if student.into is None:
            programme = Programme(data.programme, data.level, data.effective, data.until)
            return _turned(student, position, law, programmes={**student.programmes, programme.programme: programme}), ()
        case Evidence():
            return _take(student, piece_of(event, data, position, who, law), law)
        case EvidenceRetracted():
            return _retract(student, records.retraction_of(event, data, position), law)
        case StudentMerged():
            return _merge(student, data, event.subject or "", who, position, law)
        case StudentUnmerged():
            return _unmerge(student, data, who, position, law)
        case _:
            return student, ()


def refold(student: Student, event: Event[Data], position: int, law: Law) -> Moved:
    """Fold again what a policy, a scale, a midnight or an assessor's standing changed for her. Needs the whole of her."""
    if isinstance(event.data, AssessorRevoked | AssessorReinstated):
        pieces = records.judged(student.pieces, lambda piece: _revoked(piece, law))
        return _retell(student, replace(student, pieces=pieces, position=position), law)
    return _reconsider(student, position, law, everything=isinstance(event.data, ScalePublished))


def effective_on(data: Data) -> dt.date | None:
    """The local date on which a student's event takes effect: a withdrawal the day after her last one."""
    match data:
        case EvidenceSubmitted():  # first, because nearly everything is: telling that a model is of another class is slow
            return None
        case StudentEnrolled() | StudentTransferred() | ProgrammeChanged():
            return data.effective
        case StudentWithdrawn():
            return min(data.effective, dt.date.max - dt.timedelta(days=1)) + dt.timedelta(days=1)
    return None


def changes(student: Student, cause: int, moves: tuple[Move, ...]) -> tuple[MasteryChanged, ...]:
    """What is told of an event's moves: one event with all of them, or none."""
    if not moves:
        return ()
    return (MasteryChanged(cause=str(cause), school=student.counted_at, moves=moves),)


def piece_of(event: Event[Data], data: Evidence | EvidenceCarried, position: int, who: str, law: Law) -> Piece:
    """The piece that an event brings into a student's story."""
    place = (position, data.framework, data.competency, event.time, event.source, event.id, event.sourcesequence)
    note = records.note_in(who, event, position)
    if isinstance(data, Evidence):
        said = (data.score_thousandths, data.scale, data.kind, data.assessor, data.context, data.attempt)
        piece = Piece(*place, *said, note)
    else:
        piece = Piece(*place, data.level, data.scale, CARRIED, data.assessor, None, None, note)
    return piece if data.assessor is None else records.judged((piece,), lambda piece: _revoked(piece, law))[0]


def as_known(student: Student, position: int, law: Law) -> Student | None:
    """A student, loaded with all that she ever was, refolded from what was known at a position; None if nothing was.

    `law`: what held there. What was the level before a level is not told.
    """
    pieces, retractions = records.as_known(student.pieces, student.retractions, position)
    chapters = [chapter for chapter in student.chapters if chapter.position <= position]
    if not pieces and not chapters:
        return None
    person = chapters[-1] if chapters else Chapter(-1, None, {}, None)
    known = Student(
        person.enrolment,
        person.programmes,
        pieces=records.judged(pieces, lambda piece: _revoked(piece, law)),
        position=position,
        into=person.into,
        retractions=retractions,
    )
    theirs = evidence(known)
    return replace(known, standings={key: stand(theirs[key], law.rule(*key, known.school), NOTHING) for key in sorted(theirs)})


def evidence(student: Student) -> dict[Key, list[Piece]]:
    """What counts of a student's evidence by competency, a record one piece in its place."""
    grouped: dict[Key, list[Piece]] = {}
    if student.into is None:
        for piece in records.evidence(student.pieces, student.retractions):
            grouped.setdefault((piece.framework, piece.competency), []).append(piece)
    return grouped


def _revoked(piece: Piece, law: Law) -> int | None:
    return law.revoked(piece.assessor, piece.time) if piece.assessor is not None else None


# Her own events.


def _take(student: Student, piece: Piece, law: Law) -> Moved:
    """One more piece. Most stand alone, and then no other is looked at."""
    after = _with(student, student.standings, (*student.pieces, piece), piece.position)
    if piece.note is not None:
        if piece.note.place != piece.position:  # a copy: nothing more, until the merge that follows
            known = records.has_place(student.pieces, student.retractions, piece.note.place)
            return (student if known else after), ()
        if student.into is not None or records.is_linked(piece, student.pieces):
            return _retell(student, after, law)
        if piece.note.revoked is not None:
            return after, ()
    if piece.kind == CARRIED or student.into is not None:
        return _retell(student, after, law)
    return _append(student, after, piece, law.rule)


def _append(student: Student, after: Student, piece: Piece, rules: Rules) -> Moved:
    key = (piece.framework, piece.competency)
    before = student.standings.get(key, NOTHING)
    rule = rules(*key, student.school)
    standing = appended(before, piece, rule)
    if standing is None:
        standing = stand(evidence(after)[key], rule, before)
    moved = _with(after, {**student.standings, key: standing}, after.pieces, piece.position)
    return moved, (_move(key, before, standing),) if told(before) != told(standing) else ()


def _retract(student: Student, retraction: Retraction, law: Law) -> Moved:
    if records.has_place(student.pieces, student.retractions, retraction.place):
        return student, ()
    after = replace(student, retractions=(*student.retractions, retraction), position=retraction.position)
    return _retell(student, after, law)


def _merge(student: Student, data: StudentMerged, survivor: str, who: str, position: int, law: Law) -> Moved:
    if who == data.other:
        return _retell(student, _turned(student, position, law, into=survivor, enrolment=None, programmes={}), law)
    return _join(student, position, law)


def _unmerge(student: Student, data: StudentUnmerged, who: str, position: int, law: Law) -> Moved:
    if who == data.other:
        return _join(student, position, law)
    pieces, retractions = records.parted(student.pieces, student.retractions, data.returned, position)
    return _retell(student, replace(student, pieces=pieces, retractions=retractions, position=position), law)


def _join(student: Student, position: int, law: Law) -> Moved:
    """The copies that waited come to life. If she was nobody, she is somebody again."""
    pieces, retractions = records.joined(student.pieces, student.retractions, position)
    after = replace(student, pieces=pieces, retractions=retractions, position=position)
    return _retell(student, after if after.into is None else _turned(after, position, law, into=None), law)


def _turned(student: Student, position: int, law: Law, **changes: Any) -> Student:
    """A new chapter of her, from where it takes effect. Of two that begin at one midnight the later one is told."""
    after = replace(student, position=position, **changes)
    chapter = Chapter(max(position, law.since), after.enrolment, after.programmes, after.into)
    earlier = tuple(each for each in student.chapters if each.position != chapter.position)
    return replace(after, chapters=(*earlier, chapter))


def _enrol(student: Student, school_before: str | None, law: Law) -> Moved:
    """Another school's policies may be hers from now on."""
    if student.school == school_before:
        return student, ()
    return _reconsider(student, student.position, law, everything=False)


# Standing anew.


def _retell(before: Student, after: Student, law: Law) -> Moved:
    """Her story is another: she stands anew in the competencies of which other evidence counts now, and in no other."""
    was, now = evidence(before), evidence(after)
    keys = sorted(key for key in was.keys() | now.keys() if was.get(key) != now.get(key))
    return _restand(after, keys, now, law.rule)


def _reconsider(student: Student, position: int, law: Law, *, everything: bool) -> Moved:
    """Stand her anew in each competency whose rule is another now, or in every one; `position`: of what moved her."""
    rules, school = law.rule, student.school
    keys = [
        key
        for key, before in student.standings.items()
        if everything or before.rule != (rule.position if (rule := rules(*key, school)) else None)
    ]
    if not keys:
        return student, ()
    after, moves = _restand(student, sorted(keys), evidence(student), rules)
    return (student, ()) if after is student else (replace(after, position=position), moves)


def _restand(student: Student, keys: Iterable[Key], theirs: Mapping[Key, list[Piece]], rules: Rules) -> Moved:
    """Stand her anew in these competencies, in order; where no evidence is left, she does not stand at all."""
    standings = dict(student.standings)
    moves: list[Move] = []
    changed = False
    for key in keys:
        before = student.standings.get(key)
        after = stand(theirs[key], rules(*key, student.school), before or NOTHING) if key in theirs else None
        if after == before:
            continue
        changed = True
        if after is None:
            del standings[key]
        else:
            standings[key] = after
        if told(before or NOTHING) != told(after or NOTHING):
            moves.append(_move(key, before or NOTHING, after or NOTHING))
    return (replace(student, standings=standings), tuple(moves)) if changed else (student, ())


def _with(student: Student, standings: Mapping[Key, Standing], pieces: tuple[Piece, ...], position: int) -> Student:
    """What `replace` gives, at a fraction of its cost: nearly every event comes here."""
    return Student(
        student.enrolment,
        student.programmes,
        standings,
        pieces,
        position,
        student.whole,
        student.into,
        student.retractions,
        student.chapter,
        student.chapters,
    )


def _move(key: Key, before: Standing, after: Standing) -> Move:
    return Move(
        framework=key[0],
        competency=key[1],
        level=after.level,
        value_thousandths=after.value,
        previous_level=before.level,
        pieces=after.tally.n,
        policy=after.policy,
        policy_version=after.version,
        reason=after.reason,
    )
