"""Scales read as ladders: which levels a competency has, what they are called, and what comes next.

Pure, like `domain`. A level is mastery's word; here it only gets its name and its place.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from contracts.events import PolicyPublished, ScalePublished


@dataclass(frozen=True, slots=True)
class Rung:
    """A level as pages show it: its name, and its place from the bottom, counting from one."""

    level: int
    label: str
    rank: int
    at_thousandths: int | None = None


@dataclass(frozen=True, slots=True)
class Ladder:
    """The levels of a scale, ascending. An empty ladder (no scale is known) still gives every level a name."""

    rungs: tuple[Rung, ...] = ()

    def rung(self, level: int) -> Rung:
        """The rung of a level. One that the scale does not have is called by its number and stands at the bottom."""
        return next((rung for rung in self.rungs if rung.level == level), Rung(level, f"Level {level}", 0))

    def above(self, level: int | None) -> Rung | None:
        """The next rung up from a level; from none, the first. None at the top."""
        return next((rung for rung in self.rungs if level is None or rung.level > level), None)


def ladder_of(scale: ScalePublished) -> Ladder:
    """A scale's levels as a ladder."""
    ascending = sorted(scale.levels, key=lambda level: level.at_thousandths)
    return Ladder(tuple(Rung(it.level, it.label, rank, it.at_thousandths) for rank, it in enumerate(ascending, 1)))


def merged(ladders: Iterable[Ladder], held: Iterable[int] = ()) -> Ladder:
    """One ladder for a table of several competencies: every level of theirs, and every level that somebody holds.

    A level that two scales call differently is called by its number.
    """
    labels: dict[int, set[str]] = {level: set() for level in held}
    for ladder in ladders:
        for rung in ladder.rungs:
            labels.setdefault(rung.level, set()).add(rung.label)
    return Ladder(
        tuple(
            Rung(level, next(iter(names)) if len(names) == 1 else f"Level {level}", rank)
            for rank, (level, names) in enumerate(sorted(labels.items()), 1)
        )
    )


@dataclass(frozen=True, slots=True)
class Policies:
    """Every policy with its position in the log, and the last version of every scale: enough to name levels.

    Mastery decides which policy makes a level, and says so with each move. This lookup is for what she has not moved in.
    """

    history: Sequence[tuple[int, PolicyPublished]]
    scales: Mapping[str, ScalePublished]

    def ladder(self, framework: str, competency: str, school: str | None, date: dt.date) -> Ladder:
        """The ladder of the policy in force for a competency at a school on a date."""
        policy = self.in_force(framework, competency, school, date)
        return self._ladder(policy)

    def ladder_named(self, policy: str | None, version: int | None) -> Ladder:
        """The ladder of a policy by name and version; an empty one if it was never published."""
        named = ((policy, version) == (it.policy, it.version) and it for _, it in self.history)
        return self._ladder(next((it for it in named if it), None))

    def in_force(self, framework: str, competency: str, school: str | None, date: dt.date) -> PolicyPublished | None:
        """A school's own before the district's, one that names the competency before one that does not, then the last."""
        candidates = [
            (policy.school is not None, bool(policy.competencies), policy.effective or dt.date.min, position, policy)
            for position, policy in self.history
            if policy.framework == framework
            and policy.school in (None, school)
            and (not policy.competencies or competency in policy.competencies)
            and (policy.effective is None or policy.effective <= date)
        ]
        return max(candidates, key=lambda candidate: (candidate[0], candidate[1], candidate[3]))[4] if candidates else None

    def _ladder(self, policy: PolicyPublished | None) -> Ladder:
        scale = self.scales.get(policy.scale) if policy else None
        return ladder_of(scale) if scale else Ladder()
