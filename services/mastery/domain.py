"""A student's standing in each competency, folded from her evidence under the policies in force.

Owns: the state of a student, `initial`, `evolve` for her own events, `refold` for what moves many. Must not: read a clock,
fail on a legal history, or ask anything but the `rules` it is given.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from contracts.envelope import Data, Event
from contracts.events import (
    EvidenceSubmitted,
    MasteryChanged,
    ProgrammeChanged,
    ScalePublished,
    StudentEnrolled,
    StudentTransferred,
    StudentWithdrawn,
)
from contracts.events.mastery import Move
from services.mastery.policies import Tally
from services.mastery.rules import NO_EVIDENCE, NO_POLICY, PRACTICE, Result, Rule

Key = tuple[str, str]  # framework, competency

# The rule in force at the event's place in the log for a framework, a competency and a school, if there is one.
Rules = Callable[[str, str, str | None], Rule | None]


class Piece(NamedTuple):
    """A piece of evidence as it was recorded. Whether it counts is the rule's to say, so it is not kept."""

    position: int
    framework: str
    competency: str
    time: dt.datetime
    source: str
    id: str
    sequence: int | None  # the publisher's own
    score: int  # in thousandths, on `scale`
    scale: str
    kind: str
    assessor: str | None
    context: str | None
    attempt: int | None


class Standing(NamedTuple):
    """Where a student stands in a competency. `rule`: the position of the policy version that says so, None: no policy.

    `previous` is the level before the last one. `last` is when the latest piece that counts happened: one that happened no
    later than that is late, or a tie, and has the competency folded again from all its pieces.
    """

    level: int | None = None
    value: int | None = None
    previous: int | None = None
    reason: str | None = NO_EVIDENCE
    rule: int | None = None
    policy: str | None = None
    version: int | None = None
    tally: Tally = Tally()
    last: dt.datetime | None = None


NOTHING = Standing()


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


@dataclass(frozen=True, slots=True)
class Student:
    """A student, as far as she was loaded: `standings` and `pieces` hold at least what the events to come ask for.

    `position` is that of the last event that changed anything; -1: she is new. New pieces are appended at the end.
    `whole`: `standings` are all of hers.
    """

    enrolment: Enrolment | None = None
    programmes: Mapping[str, Programme] = field(default_factory=dict)
    standings: Mapping[Key, Standing] = field(default_factory=dict)
    pieces: tuple[Piece, ...] = ()
    position: int = -1
    whole: bool = True

    @property
    def school(self) -> str | None:
        """The school whose policies are hers."""
        return self.enrolment.school if self.enrolment else None

    @property
    def counted_at(self) -> str | None:
        """The school that counts her: where she is enrolled now."""
        return self.enrolment.school if self.enrolment and self.enrolment.enrolled else None


initial = Student()


def evolve(student: Student, event: Event[Data], position: int, rules: Rules) -> tuple[Student, tuple[Move, ...]]:
    """Fold one of her own events at its position. The moves are all that it changed in her levels."""
    data = event.data
    match data:
        case EvidenceSubmitted():
            return _add(student, piece_of(event, data, position), rules)
        case StudentEnrolled() | StudentTransferred():
            enrolment = Enrolment(data.school, data.grade, data.cohort, data.classes, data.effective)
            return _enrol(replace(student, enrolment=enrolment, position=position), student.school, rules)
        case StudentWithdrawn() if data.school == student.counted_at and student.enrolment:
            return replace(student, enrolment=replace(student.enrolment, enrolled=False), position=position), ()
        case ProgrammeChanged():
            programme = Programme(data.programme, data.level, data.effective, data.until)
            programmes = {**student.programmes, programme.programme: programme}
            return replace(student, programmes=programmes, position=position), ()
        case _:
            return student, ()


def refold(student: Student, event: Event[Data], position: int, rules: Rules) -> tuple[Student, tuple[Move, ...]]:
    """Fold again what a policy, a scale or a midnight changed for her. Needs all her standings and pieces."""
    everything = isinstance(event.data, ScalePublished)
    return _reconsider(student, position, rules, everything=everything)


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


def piece_of(event: Event[Data], data: EvidenceSubmitted, position: int) -> Piece:
    """The piece that an event records."""
    return Piece(
        position,
        data.framework,
        data.competency,
        event.time,
        event.source,
        event.id,
        event.sourcesequence,
        data.score_thousandths,
        data.scale,
        data.kind,
        data.assessor,
        data.context,
        data.attempt,
    )


def occurred(piece: Piece) -> tuple[dt.datetime, str, int, str]:
    """The order of occurrence, ties included (design §2): time, source, publisher's sequence with none first, id."""
    return piece.time, piece.source, -1 if piece.sequence is None else piece.sequence, piece.id


def worth_of(piece: Piece, rule: Rule) -> int | str:
    """What a piece is worth under a rule, in thousandths, or the reason why it does not count."""
    return PRACTICE if piece.kind == "practice" else rule.worth(piece.scale, piece.score)


def in_order(pieces: Iterable[Piece], rule: Rule) -> list[Piece]:
    """Pieces in the order that a rule declares."""
    return sorted(pieces, key=occurred if rule.in_order else lambda piece: piece.position)


def stand(pieces: Iterable[Piece], rule: Rule | None, before: Standing) -> Standing:
    """The standing that all pieces of a competency come to, following on `before`."""
    if rule is None:
        return _follow(before, Result(None, None, NO_POLICY), None, Tally(), None)
    tally = Tally()
    last: dt.datetime | None = None
    for piece in in_order(pieces, rule):
        worth = worth_of(piece, rule)
        if isinstance(worth, int):
            tally = rule.formula.add(tally, worth)
            last = piece.time if last is None or piece.time > last else last
    return _follow(before, rule.result(tally), rule, tally, last)


def _add(student: Student, piece: Piece, rules: Rules) -> tuple[Student, tuple[Move, ...]]:
    key = (piece.framework, piece.competency)
    before = student.standings.get(key, NOTHING)
    pieces = (*student.pieces, piece)
    after = _appended(before, piece, pieces, rules(*key, student.school))
    standings = {**student.standings, key: after}
    moved = Student(student.enrolment, student.programmes, standings, pieces, piece.position, student.whole)
    return moved, (_move(key, before, after),) if told(before) != told(after) else ()


def _appended(before: Standing, piece: Piece, pieces: tuple[Piece, ...], rule: Rule | None) -> Standing:
    """The standing with one more piece: its tally takes it in, unless it is late and the order is that of occurrence."""
    if rule is None:
        return stand((), None, before)
    worth = worth_of(piece, rule)
    if isinstance(worth, str):
        return _follow(before, rule.result(before.tally), rule, before.tally, before.last)
    late = before.last is not None and piece.time <= before.last
    if late and rule.in_order:
        return stand((p for p in pieces if (p.framework, p.competency) == (piece.framework, piece.competency)), rule, before)
    tally = rule.formula.add(before.tally, worth)
    return _follow(before, rule.result(tally), rule, tally, before.last if late else piece.time)


def _enrol(student: Student, school_before: str | None, rules: Rules) -> tuple[Student, tuple[Move, ...]]:
    """Another school's policies may be hers from now on."""
    if student.school == school_before:
        return student, ()
    return _reconsider(student, student.position, rules, everything=False)


def _reconsider(student: Student, position: int, rules: Rules, *, everything: bool) -> tuple[Student, tuple[Move, ...]]:
    """Stand her anew in each competency whose rule is another now, or in every one; `position`: of what moved her."""
    pieces, school = _by_key(student.pieces), student.school
    moved: dict[Key, Standing] = {}
    for key, before in student.standings.items():
        rule = rules(*key, school)
        if everything or before.rule != (rule.position if rule else None):
            anew = stand(pieces.get(key, ()), rule, before)
            if anew != before:
                moved[key] = anew
    if not moved:
        return student, ()
    standings = {**student.standings, **moved}
    after = Student(student.enrolment, student.programmes, standings, student.pieces, position, student.whole)
    return after, _moves(student.standings, moved)


def _by_key(pieces: Iterable[Piece]) -> dict[Key, list[Piece]]:
    grouped: dict[Key, list[Piece]] = {}
    for piece in pieces:
        grouped.setdefault((piece.framework, piece.competency), []).append(piece)
    return grouped


def _follow(before: Standing, result: Result, rule: Rule | None, tally: Tally, last: dt.datetime | None) -> Standing:
    previous = before.previous if result.level == before.level else before.level
    if rule is None:
        return Standing(result.level, result.value, previous, result.reason)
    return Standing(result.level, result.value, previous, result.reason, rule.position, rule.policy, rule.version, tally, last)


def _moves(before: Mapping[Key, Standing], after: Mapping[Key, Standing]) -> tuple[Move, ...]:
    """What is worth telling: level, value, reason or policy version changed. In order of framework and competency."""
    return tuple(_move(key, before[key], after[key]) for key in sorted(after) if told(before[key]) != told(after[key]))


def told(standing: Standing) -> tuple[int | None, int | None, str | None, int | None]:
    """What a move is a change of."""
    return standing.level, standing.value, standing.reason, standing.rule


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
