"""Page models: what the pages show and their JSON says, with the arithmetic behind it. Pure, like `domain`.

No name of a person is in any of them: names are joined when a page is rendered. Suppression of small cells comes with
the issue on sharing figures; until then the pages are bound to loopback.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil

from contracts.events import FrameworkPublished
from services.reporting.ladders import Ladder, Rung

AXES = {"content": "Content", "skill": "Skills", "language": "Language", "habit": "Habits", "": "Other competencies"}


@dataclass(frozen=True, slots=True)
class AsKnown:
    """What an answer stands for: everything up to a position in the log, the last tick before it, which generation."""

    position: int
    time: dt.datetime | None
    generation: int


@dataclass(frozen=True, slots=True)
class Pagination:
    """Which page of a list this is, counting from one."""

    page: int
    pages: int
    total: int

    @property
    def previous(self) -> int | None:
        return self.page - 1 if self.page > 1 else None

    @property
    def next(self) -> int | None:
        return self.page + 1 if self.page < self.pages else None


def paginate(total: int, page: int, size: int) -> Pagination:
    """The pagination of a list; an empty list has one page."""
    return Pagination(page, max(1, ceil(total / size)), total)


def shares(counts: Sequence[int], whole: int = 100) -> list[int]:
    """Counts as parts of `whole` that add up to it: the largest remainders are rounded up, the first of equals. All 0: all 0."""
    total = sum(counts)
    if total == 0:
        return [0] * len(counts)
    floors = [count * whole // total for count in counts]
    by_remainder = sorted(range(len(counts)), key=lambda index: (-(counts[index] * whole % total), index))
    for index in by_remainder[: whole - sum(floors)]:
        floors[index] += 1
    return floors


@dataclass(frozen=True, slots=True)
class LevelShare:
    """How many of a group are at a level. `level` None: no level yet. `percent` adds up to 100 over the group.

    The group is a school's students in one competency; where several competencies are taken together, their levels.
    """

    level: int | None
    label: str
    rank: int
    count: int
    percent: int


def distribution(ladder: Ladder, counts: Mapping[int, int], enrolled: int | None = None) -> tuple[LevelShare, ...]:
    """A group by level, ascending; first, if `enrolled` is given, those of them who have no level yet."""
    rows: list[tuple[Rung | None, int]] = [(rung, counts.get(rung.level, 0)) for rung in ladder.rungs]
    if enrolled is not None:
        rows.insert(0, (None, max(0, enrolled - sum(counts.values()))))
    percents = shares([count for _, count in rows])
    return tuple(
        LevelShare(rung.level, rung.label, rung.rank, count, percent)
        if rung
        else LevelShare(None, "No level yet", 0, count, percent)
        for (rung, count), percent in zip(rows, percents, strict=True)
    )


@dataclass(frozen=True, slots=True)
class FrameworkChoice:
    """A framework that the district page can be seen in."""

    framework: str
    label: str
    chosen: bool


@dataclass(frozen=True, slots=True)
class SchoolRow:
    """A school on the district page. `levels`: levels held by its students, all competencies of the framework together."""

    school: str
    label: str
    kind: str | None
    students: int
    pieces: int
    last_evidence: dt.datetime | None
    levels: tuple[LevelShare, ...]


@dataclass(frozen=True, slots=True)
class District:
    """The district page: totals, and the schools by level in one framework."""

    as_known: AsKnown
    students: int
    pieces: int
    schools: int
    frameworks: tuple[FrameworkChoice, ...]
    search: str
    pagination: Pagination
    rows: tuple[SchoolRow, ...]


@dataclass(frozen=True, slots=True)
class CompetencyRow:
    """A competency of a school: its students by level, those without one first."""

    competency: str
    label: str
    levels: tuple[LevelShare, ...]


@dataclass(frozen=True, slots=True)
class AxisRows:
    """The competencies of one axis."""

    axis: str
    label: str
    rows: tuple[CompetencyRow, ...]


@dataclass(frozen=True, slots=True)
class Matrix:
    """A framework at a school: competency × level."""

    framework: str
    label: str
    version: int | None
    columns: tuple[str, ...]
    axes: tuple[AxisRows, ...]


@dataclass(frozen=True, slots=True)
class GradeCount:
    """Students enrolled in a grade."""

    grade: str
    students: int


def in_order(grades: Iterable[str]) -> list[str]:
    """Grades as schools count them: kindergarten and what comes before it, then 1, 2, … 12."""
    return sorted(grades, key=lambda grade: (int(grade) if grade.isdecimal() else 0, grade))


@dataclass(frozen=True, slots=True)
class School:
    """The school page: who is there, and competency × level in every framework in which somebody holds a level."""

    as_known: AsKnown
    school: str
    label: str
    kind: str | None
    grades: tuple[GradeCount, ...]
    students: int
    pieces: int
    last_evidence: dt.datetime | None
    frameworks: tuple[Matrix, ...]


@dataclass(frozen=True, slots=True)
class StudentRow:
    """A student on her school's roll. `levels`: how many competencies she holds at each level, all frameworks together."""

    student: str
    grade: str | None
    cohort: str | None
    pieces: int
    last_evidence: dt.datetime | None
    levels: tuple[LevelShare, ...]

    @property
    def held(self) -> int:
        return sum(share.count for share in self.levels)


@dataclass(frozen=True, slots=True)
class Roll:
    """A page of a school's roll."""

    as_known: AsKnown
    school: str
    label: str
    pagination: Pagination
    rows: tuple[StudentRow, ...]


def matrix(
    framework: FrameworkPublished | None, code: str, counts: Mapping[tuple[str, int], int], enrolled: int, ladder: Ladder
) -> Matrix:
    """The matrix of a framework from counts by (competency, level). Competencies it no longer has come last."""
    by_competency: dict[str, dict[int, int]] = {}
    for (competency, level), students in counts.items():
        by_competency.setdefault(competency, {})[level] = students
    axes = tuple(
        AxisRows(
            axis,
            AXES[axis],
            tuple(
                CompetencyRow(competency, label, distribution(ladder, by_competency.get(competency, {}), enrolled))
                for competency, label in members
            ),
        )
        for axis, members in on_axes(framework, by_competency)
    )
    return Matrix(
        framework=code,
        label=framework.label if framework else code,
        version=framework.version if framework else None,
        columns=("No level yet", *(rung.label for rung in ladder.rungs)),
        axes=axes,
    )


def on_axes(framework: FrameworkPublished | None, seen: Iterable[str]) -> list[tuple[str, list[tuple[str, str]]]]:
    """A framework's competencies as (code, label) by axis, in its own order; those seen that it lacks come last, by code."""
    known = framework.competencies if framework else ()
    axes = [(axis, [(it.competency, it.label) for it in known if it.axis == axis]) for axis in AXES if axis]
    others = sorted(set(seen) - {it.competency for it in known})
    axes.append(("", [(competency, competency) for competency in others]))
    return [(axis, members) for axis, members in axes if members]


def decimal(thousandths: int) -> str:
    """Thousandths as a decimal number, without zeros at its end: 2500 is 2.5."""
    sign = "-" if thousandths < 0 else ""
    whole, rest = divmod(abs(thousandths), 1000)
    return f"{sign}{whole}" + (f".{rest:03d}".rstrip("0") if rest else "")
