"""Where a student stands in a competency: what her evidence comes to under the rule in force. Pure.

Owns: pieces, standings, the order of pieces, what a piece is worth. Must not: know which rule is in force, or how evidence is
corrected (`contracts/records.py`): it is given what counts, a record one piece in its place.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable
from typing import NamedTuple

from contracts.records import Note
from services.mastery.policies import Tally
from services.mastery.rules import CARRIED, NO_EVIDENCE, NO_POLICY, PRACTICE, Result, Rule

Key = tuple[str, str]  # framework, competency

# The rule in force at the event's place in the log for a framework, a competency and a school, if there is one.
Rules = Callable[[str, str, str | None], Rule | None]


class Piece(NamedTuple):
    """A piece of evidence as it was recorded. What it is worth is the rule's to say, so it is not kept.

    `note`: what links, moves or takes it out; None of most pieces (see `contracts/records.py`).
    """

    position: int
    framework: str
    competency: str
    time: dt.datetime
    source: str
    id: str
    sequence: int | None  # the publisher's own
    score: int  # in thousandths, on `scale`; of a carried piece its level
    scale: str
    kind: str  # of evidence, or `carried`
    assessor: str | None
    context: str | None
    attempt: int | None
    note: Note | None = None

    @property
    def key(self) -> Key:
        """The competency that it is evidence of."""
        return self.framework, self.competency


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


def occurred(piece: Piece) -> tuple[dt.datetime, str, int, str]:
    """The order of occurrence, ties included (design §2): time, source, publisher's sequence with none first, id."""
    return piece.time, piece.source, -1 if piece.sequence is None else piece.sequence, piece.id


def worth_of(piece: Piece, rule: Rule) -> int | str:
    """What a piece is worth under a rule, in thousandths, or the reason why it does not count."""
    if piece.kind in (PRACTICE, CARRIED):
        return piece.kind
    return rule.worth(piece.scale, piece.score)


def in_order(pieces: Iterable[Piece], rule: Rule) -> list[Piece]:
    """Pieces in the order that a rule declares."""
    return sorted(pieces, key=occurred if rule.in_order else lambda piece: piece.position)


def stand(pieces: Iterable[Piece], rule: Rule | None, before: Standing) -> Standing:
    """The standing that the evidence of a competency comes to, following on `before`."""
    if rule is None:
        return _follow(before, Result(None, None, NO_POLICY), None, Tally(), None)
    tally = Tally()
    last: dt.datetime | None = None
    carried: list[Piece] = []
    for piece in in_order(pieces, rule):
        worth = worth_of(piece, rule)
        if isinstance(worth, int):
            tally = rule.formula.add(tally, worth)
            last = piece.time if last is None or piece.time > last else last
        elif worth is CARRIED:
            carried.append(piece)
    return _follow(before, _result(rule, tally, carried), rule, tally, last)


def appended(before: Standing, piece: Piece, rule: Rule | None) -> Standing | None:
    """The standing with one more piece, taken in by its tally; None where its place in the order needs all pieces."""
    if rule is None:
        return stand((), None, before)
    worth = worth_of(piece, rule)
    if isinstance(worth, str):
        same = before.tally.n == 0 and before.rule == rule.position  # so a level that is carried stays
        result = Result(before.level, before.value, before.reason) if same else rule.result(before.tally)
        return _follow(before, result, rule, before.tally, before.last)
    late = before.last is not None and piece.time <= before.last
    if late and rule.in_order:
        return None
    tally = rule.formula.add(before.tally, worth)
    return _follow(before, rule.result(tally), rule, tally, before.last if late else piece.time)


def told(standing: Standing) -> tuple[int | None, int | None, str | None, int | None]:
    """What a move is a change of."""
    return standing.level, standing.value, standing.reason, standing.rule


def _result(rule: Rule, tally: Tally, carried: list[Piece]) -> Result:
    """What the policy says of all that counts; while nothing does, the level that was carried last."""
    if tally.n or not carried:
        return rule.result(tally)
    last = max(carried, key=occurred)
    return rule.carried(last.scale, last.score)


def _follow(before: Standing, result: Result, rule: Rule | None, tally: Tally, last: dt.datetime | None) -> Standing:
    previous = before.previous if result.level == before.level else before.level
    if rule is None:
        return Standing(result.level, result.value, previous, result.reason)
    return Standing(result.level, result.value, previous, result.reason, rule.position, rule.policy, rule.version, tally, last)
