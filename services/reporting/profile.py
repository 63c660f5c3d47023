"""The student page's model: levels on axes, what she could do next, the week's seats. Pure, like `domain`."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from contracts.events import FrameworkPublished
from services.reporting.domain import CARRIED, Standing
from services.reporting.figures import AXES, AsKnown, decimal, on_axes
from services.reporting.ladders import Ladder, Rung

# How many next steps a page names. More would not be next.
NEXT_STEPS = 5

NO_LEVEL = {
    "no-evidence": "No evidence yet",
    "too-few": "Not enough evidence yet",
    "no-policy": "No policy covers this yet",
    "not-yet-mastered": "Not yet mastered",
    "below-scale": "Below the first level",
}


@dataclass(frozen=True, slots=True)
class StudentLevel:
    """A student in one competency. `level` None comes with a `reason`. `rank` of `ranks`: the level's place on its ladder.

    `carried`: the level comes from an old system, and no evidence of it counts here yet. `pieces`: evidence that was
    submitted for it, practice left out. `cause`: the position of what moved it last.
    """

    framework: str
    competency: str
    label: str
    level: int | None
    level_label: str
    carried: bool
    rank: int
    ranks: int
    value: str | None
    pieces: int
    policy: str | None
    policy_version: int | None
    reason: str | None
    cause: int | None


@dataclass(frozen=True, slots=True)
class StudentAxis:
    """One axis of a framework."""

    axis: str
    label: str
    rows: tuple[StudentLevel, ...]

    @property
    def held(self) -> int:
        return sum(row.level is not None for row in self.rows)


@dataclass(frozen=True, slots=True)
class StudentFramework:
    """A framework that a student has evidence in, whole: what she has not begun is there too."""

    framework: str
    label: str
    axes: tuple[StudentAxis, ...]


@dataclass(frozen=True, slots=True)
class NextStep:
    """A competency to work on: from where she stands to the next level. `at`: the value from which it is reached."""

    framework: str
    competency: str
    label: str
    axis: str
    now: str
    next: str
    value: str | None
    at: str | None


@dataclass(frozen=True, slots=True)
class SeatRow:
    """A student's seat in a flex block. `section`: the code of its class."""

    date: dt.date
    period: str
    starts: str | None
    ends: str | None
    section: str
    framework: str
    competency: str
    label: str
    reason: str


@dataclass(frozen=True, slots=True)
class Student:
    """The student page. `merged_into`: this pseudonym is the same person as that one, and nothing is hers here."""

    as_known: AsKnown
    student: str
    merged_into: str | None
    school: str | None
    school_label: str | None
    grade: str | None
    cohort: str | None
    pieces: int
    last_evidence: dt.datetime | None
    frameworks: tuple[StudentFramework, ...]
    next_steps: tuple[NextStep, ...]
    week: dt.date
    seats: tuple[SeatRow, ...]


LadderOf = Callable[[str, Standing], Ladder]


def framework_of(
    code: str, framework: FrameworkPublished | None, standings: Mapping[str, Standing], ladder_of: LadderOf
) -> StudentFramework:
    """A student in one framework. `standings` by competency; `ladder_of` names the ladder that a standing is read on."""
    axes = tuple(
        StudentAxis(
            axis,
            AXES[axis],
            tuple(
                _level(code, competency, label, standings.get(competency, Standing()), ladder_of) for competency, label in members
            ),
        )
        for axis, members in on_axes(framework, standings)
    )
    return StudentFramework(code, framework.label if framework else code, axes)


def _level(framework: str, competency: str, label: str, standing: Standing, ladder_of: LadderOf) -> StudentLevel:
    ladder = ladder_of(competency, standing)
    rung = ladder.rung(standing.level) if standing.level is not None else None
    reason = None if rung else standing.reason or ("no-level" if standing.pieces else "no-evidence")
    return StudentLevel(
        framework=framework,
        competency=competency,
        label=label,
        level=standing.level,
        level_label=rung.label if rung else NO_LEVEL.get(reason or "", "No level yet"),
        carried=rung is not None and standing.reason == CARRIED,
        rank=rung.rank if rung else 0,
        ranks=len(ladder.rungs),
        value=None if standing.value_thousandths is None else decimal(standing.value_thousandths),
        pieces=standing.pieces,
        policy=standing.policy,
        policy_version=standing.policy_version,
        reason=reason,
        cause=standing.cause,
    )


def next_steps(framework: StudentFramework, standings: Mapping[str, Standing], ladder_of: LadderOf) -> tuple[NextStep, ...]:
    """The competencies she has begun and not finished, the lowest first; of equals the one nearest to its next level."""
    found: list[tuple[int, int, int, NextStep]] = []
    for axis in framework.axes:
        for row in axis.rows:
            standing = standings.get(row.competency, Standing())
            above = ladder_of(row.competency, standing).above(row.level) if standing.pieces else None
            if above is not None:
                found.append((row.rank, _distance(standing, above), len(found), _step(axis, row, above)))
    return tuple(step for *_, step in sorted(found, key=lambda item: item[:3])[:NEXT_STEPS])


def _distance(standing: Standing, above: Rung) -> int:
    """Thousandths to the next level; 0 where there is no value to measure from."""
    if above.at_thousandths is None or standing.value_thousandths is None:
        return 0
    return above.at_thousandths - standing.value_thousandths


def _step(axis: StudentAxis, row: StudentLevel, above: Rung) -> NextStep:
    return NextStep(
        framework=row.framework,
        competency=row.competency,
        label=row.label,
        axis=axis.label,
        now=row.level_label,
        next=above.label,
        value=row.value,
        at=None if above.at_thousandths is None else decimal(above.at_thousandths),
    )
