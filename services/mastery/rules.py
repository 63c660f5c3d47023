"""Which policy is in force for whom, and what it makes of scores: policies and scales as published, ready to use.

Owns: the choice among policies, levels of scales, conversions, the refusals of what cannot be applied. Must not: know students.
"""

from __future__ import annotations

import datetime as dt
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from contracts.events import FrameworkPublished, PolicyPublished, ScalePublished
from contracts.events.frameworks import Method
from services.mastery.policies import Formula, Tally, formula, rounded

# Why there is no level, or why a piece does not count. Codes of the public interface: joined by others, never renamed.
NO_POLICY = "no-policy"  # no policy, or its scale, is in force
NO_EVIDENCE = "no-evidence"  # nothing that counts
BELOW_SCALE = "below-scale"  # below the lowest level of a scale
NO_CONVERSION = "no-conversion"  # the score's scale does not say what it is worth on the policy's
PRACTICE = "practice"  # recorded, never counted
CARRIED = "carried"  # a level brought over from an old system, with no score under it
REVOKED = "assessor-revoked"  # its assessor's judgement does not stand
RETRACTED = "retracted"
SUPERSEDED = "superseded"


@dataclass(frozen=True, slots=True)
class Levels:
    """A scale's levels by ascending threshold, in thousandths; `worths` is what each is worth on the scale it converts to."""

    numbers: tuple[int, ...]
    thresholds: tuple[int, ...]
    worths: tuple[int | None, ...]
    labels: tuple[str, ...]

    def reached(self, score: int) -> int | None:
        """The index of the highest level whose threshold is at or below a score; None below the first."""
        index = bisect_right(self.thresholds, score) - 1
        return index if index >= 0 else None


def levels_of(scale: ScalePublished) -> Levels:
    """The levels of a published scale."""
    return Levels(
        tuple(level.level for level in scale.levels),
        tuple(level.at_thousandths for level in scale.levels),
        tuple(level.worth_thousandths for level in scale.levels),
        tuple(level.label for level in scale.levels),
    )


class Result(NamedTuple):
    """A level with what it was read from; `level` None: none, for a `reason`. `value` in thousandths, rounded."""

    level: int | None
    value: int | None
    reason: str | None


@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """A policy in force, with the scale it speaks in and those that convert to it: all that turns scores into a level."""

    policy: str
    version: int
    position: int  # of the policy's event: says which version this is, for good
    formula: Formula
    method: Method
    in_order: bool  # True: `occurred`, a late piece goes where it belongs. False: `recorded`, the log's own order
    unit: int  # thousandths that the value is rounded to
    scale: str
    levels: Levels
    conversions: Mapping[str, Levels]

    def worth(self, scale: str, score: int) -> int | str:
        """What a score given on `scale` is worth here, in thousandths, or the reason why it does not count."""
        if scale == self.scale:
            return score
        levels = self.conversions.get(scale)
        if levels is None:
            return NO_CONVERSION
        reached = levels.reached(score)
        if reached is None:
            return BELOW_SCALE
        worth = levels.worths[reached]
        return NO_CONVERSION if worth is None else worth

    def carried(self, scale: str, level: int) -> Result:
        """What a level that was carried over on `scale` is here."""
        if scale == self.scale:
            known = level in self.levels.numbers
            return Result(level, None, CARRIED) if known else Result(None, None, NO_CONVERSION)
        levels = self.conversions.get(scale)
        worth = levels.worths[levels.numbers.index(level)] if levels is not None and level in levels.numbers else None
        if worth is None:
            return Result(None, None, NO_CONVERSION)
        reached = self.levels.reached(worth)
        return Result(None, None, BELOW_SCALE) if reached is None else Result(self.levels.numbers[reached], None, CARRIED)

    def result(self, tally: Tally) -> Result:
        """The level that a tally comes to. Total: whatever is missing has a reason."""
        if not tally.n:
            return Result(None, None, NO_EVIDENCE)
        value = self.formula.value(tally)
        if isinstance(value, str):
            return Result(None, None, value)
        points = rounded(value, self.unit)
        reached = self.levels.reached(points)
        return Result(None, points, BELOW_SCALE) if reached is None else Result(self.levels.numbers[reached], points, None)


@dataclass(frozen=True, slots=True)
class Adoption:
    """A published policy at its position in the log; `published` is the local date then."""

    position: int
    published: dt.date
    policy: PolicyPublished

    def in_force(self, date: dt.date) -> bool:
        """Whether it is in force on a local date at or after its publication."""
        return self.policy.effective is None or self.policy.effective <= date

    @property
    def came(self) -> tuple[dt.date, bool, int]:
        """When it came into force, to be compared: at the midnight of a later date, or with its own position on that day."""
        if self.policy.effective is None or self.policy.effective <= self.published:
            return self.published, True, self.position
        return self.policy.effective, False, self.position

    def rank(self, framework: str, competency: str, school: str | None) -> tuple[bool, bool, tuple[dt.date, bool, int]] | None:
        """How near it is to a student's competency, the nearest being in force; None if it is not about it."""
        policy = self.policy
        if (
            policy.framework != framework
            or policy.school not in (None, school)
            or (policy.competencies and competency not in policy.competencies)
        ):
            return None
        return policy.school is not None, bool(policy.competencies), self.came


def choose(adoptions: Iterable[Adoption], date: dt.date, framework: str, competency: str, school: str | None) -> Adoption | None:
    """The policy in force: a school's own before the district's, one that names the competency before one that does not,
    then the one that came into force last. Of one policy only the version that came into force last is in force at all."""
    last: dict[str, Adoption] = {}
    for adoption in adoptions:
        before = last.get(adoption.policy.policy)
        if adoption.in_force(date) and (before is None or adoption.came > before.came):
            last[adoption.policy.policy] = adoption
    ranked = [(rank, each) for each in last.values() if (rank := each.rank(framework, competency, school)) is not None]
    return max(ranked, key=lambda pair: pair[0])[1] if ranked else None


def rule_of(adoption: Adoption, scale: ScalePublished, converting: Iterable[ScalePublished]) -> Rule:
    """The rule of a sound policy (see `fault_of`) under one version of its scale and of those that convert to it."""
    policy = adoption.policy
    method = formula(policy.method)
    assert method is not None, "a policy that says too little is void, so it is never adopted"
    return Rule(
        policy=policy.policy,
        version=policy.version,
        position=adoption.position,
        formula=method,
        method=policy.method,
        in_order=policy.order == "occurred",
        unit=10 ** (3 - policy.decimals),
        scale=scale.scale,
        levels=levels_of(scale),
        conversions={other.scale: levels_of(other) for other in converting},
    )


def fault_of(data: FrameworkPublished | ScalePublished | PolicyPublished) -> str | None:
    """Why a reference event cannot be applied, decided from itself alone, or None."""
    match data:
        case FrameworkPublished():
            names = {competency.competency for competency in data.competencies}
            return None if len(names) == len(data.competencies) == data.count else "count-differs"
        case ScalePublished():
            pairs = [(level.at_thousandths, level.level) for level in data.levels]
            ascending = all(low[0] < high[0] and low[1] < high[1] for low, high in pairwise(pairs))
            return None if ascending else "levels-not-ascending"
        case PolicyPublished():
            return "incomplete-method" if formula(data.method) is None else None
