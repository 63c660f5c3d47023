"""What a level rests on: every piece in the policy's order, what each one did to the value, and what did not count and why. Pure.

The numbers are those of the fold itself: each step is the formula's own, so the last one is the student's standing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from contracts import records
from contracts.records import Record
from services.mastery.domain import Student
from services.mastery.policies import Average, Decaying, Formula, Highest, NMastery, Ratio, Tally, Weighted
from services.mastery.rules import CARRIED, RETRACTED, REVOKED, SUPERSEDED, Result, Rule
from services.mastery.standings import Key, Piece, Standing, in_order, worth_of


class Line(NamedTuple):
    """A piece as it was recorded, and `placed`: as it stands in its record's place. `out`: why it counts for nothing at all."""

    piece: Piece
    placed: Piece
    out: str | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One piece. `worth` in thousandths on the policy's scale, or the `reason` why it did not count.

    `arithmetic` is what it did, in points; `value` what the policy gives after it, in thousandths, not rounded (None: none yet).
    """

    piece: Piece
    worth: int | None
    reason: str | None
    arithmetic: str | None
    value: float | None


@dataclass(frozen=True, slots=True)
class Explanation:
    """The steps in the policy's order, pieces that did not count among them; the result; how it was read, in words."""

    steps: tuple[Step, ...]
    result: Result
    reading: str


def lines_of(student: Student, key: Key) -> list[Line]:
    """Every piece of a student in a competency, and those that counted there until something was said about them."""
    return [
        line for record in records.records(student.pieces, student.retractions) for line in _lines(record) if line.piece.key == key
    ]


def _lines(record: Record[Piece]) -> Iterable[Line]:
    placed = record.placed
    for piece in record.pieces:
        if piece is record.counted and placed is not None:
            yield Line(piece, placed)
        elif piece in record.live:
            yield Line(piece, piece, SUPERSEDED)
        else:
            yield Line(piece, piece, REVOKED if piece.note is not None and piece.note.revoked is not None else RETRACTED)


def explain(lines: Iterable[Line], rule: Rule | None, standing: Standing) -> Explanation:
    """How a student's pieces of one competency come to where she stands."""
    if rule is None:
        steps = tuple(Step(line.piece, None, line.out or standing.reason, None, None) for line in sorted(lines))
        return Explanation(steps, Result(None, None, standing.reason), "no policy is in force, so nothing counts yet")
    steps, tally = _steps(lines, rule)
    if not tally.n and standing.level is not None:
        carried = Result(standing.level, None, CARRIED)
        return Explanation(steps, carried, f"carried over: level {standing.level}, until a piece of evidence counts")
    result = rule.result(tally)
    return Explanation(steps, result, _reading(rule, tally, result))


def _steps(lines: Iterable[Line], rule: Rule) -> tuple[tuple[Step, ...], Tally]:
    steps: list[Step] = []
    tally = Tally()
    by_place = sorted(lines, key=lambda line: line.piece.position)
    for placed in in_order((line.placed for line in by_place), rule):
        line = next(line for line in by_place if line.placed is placed)
        worth = line.out or worth_of(placed, rule)
        if isinstance(worth, str):
            steps.append(Step(line.piece, None, worth, None, None))
            continue
        after = rule.formula.add(tally, worth)
        steps.append(Step(line.piece, worth, None, arithmetic(rule.formula, tally, worth), _value(rule.formula, after)))
        tally = after
    return tuple(steps), tally


def arithmetic(formula: Formula, before: Tally, worth: int) -> str:
    """What one more piece does, as a line of arithmetic in points."""
    score, after = points(worth), formula.add(before, worth)
    value = _value(formula, after)
    result = "none yet" if value is None else points(value)
    if not before.n and not isinstance(formula, NMastery):
        return score
    line = f"{score} is the last"  # Latest
    match formula:
        case Highest():
            line = f"the higher of {points(before.x)} and {score} = {result}"
        case Average():
            line = f"({points(before.x)} + {score}) / {after.n} = {result}"
        case Weighted(weight):
            line = f"{weight} % × {score} + {100 - weight} % × ({points(before.x)} / {before.n}) = {result}"
        case Decaying(weight):
            line = f"{100 - weight} % × {points(before.x)} + {weight} % × {score} = {result}"
        case NMastery(results, mastery):
            place = f"{score} is {'at or above' if worth >= mastery else 'below'} {points(mastery)}"
            line = f"{place}: {after.y} of {results}, mean {result}"
    return line


def _value(formula: Formula, tally: Tally) -> float | None:
    value = formula.value(tally)
    return value.over / value.under if isinstance(value, Ratio) else None


def _reading(rule: Rule, tally: Tally, result: Result) -> str:
    """How the level was read from the value."""
    if result.value is None:
        return f"no value: {result.reason}"
    raw = _value(rule.formula, tally)
    rounded = f"{points(raw or 0)} is rounded to {points(result.value)}"
    reached = rule.levels.reached(result.value)
    if reached is None:
        return f"{rounded}, below the lowest level ({points(rule.levels.thresholds[0])})"
    above = rule.levels.thresholds[reached + 1 : reached + 2]
    limit = f", below {points(above[0])}" if above else ""
    return f"{rounded}, at or above {points(rule.levels.thresholds[reached])}{limit}: level {result.level}"


def points(thousandths: float) -> str:
    """Thousandths as points, e.g. 2877.5 as 2.8775."""
    return f"{thousandths / 1000:.10g}"
