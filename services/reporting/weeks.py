"""The flex plan of a school's week as its page shows it. Pure, like `domain`."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from contracts.events import CalendarPublished, ClassRegistered
from contracts.events.schools import Period
from services.reporting.figures import AsKnown


@dataclass(frozen=True, slots=True)
class SectionNeed:
    """How many students sit in a section for one competency."""

    framework: str
    competency: str
    label: str
    students: int


@dataclass(frozen=True, slots=True)
class Section:
    """A section of a flex block: the code of its class, who teaches it (pseudonyms), what for, how full."""

    section: str
    teachers: tuple[str, ...]
    capacity: int | None
    needs: tuple[SectionNeed, ...]

    @property
    def students(self) -> int:
        return sum(need.students for need in self.needs)


@dataclass(frozen=True, slots=True)
class FlexBlock:
    """A flex block: a period of a day, and its sections."""

    date: dt.date
    period: str
    starts: str | None
    ends: str | None
    sections: tuple[Section, ...]


@dataclass(frozen=True, slots=True)
class WeekPlan:
    """A school's plan of a week. `plan` None: the week has none. `input`: the position the planner had read up to."""

    as_known: AsKnown
    school: str
    school_label: str
    week: dt.date
    previous: dt.date | None
    next: dt.date | None
    plan: str | None
    input: int | None
    planned: dt.datetime | None
    seats: int
    unseated: int
    blocks: tuple[FlexBlock, ...]


def monday(date: dt.date) -> dt.date:
    """The Monday of a date's week."""
    return date - dt.timedelta(days=date.weekday())


def sunday(date: dt.date) -> dt.date:
    """The Sunday of a date's week."""
    return monday(date) + dt.timedelta(days=6)


def bells_of(calendar: CalendarPublished | None) -> dict[str, Period]:
    """The periods of a school's bells by code."""
    return {period.period: period for period in calendar.periods} if calendar else {}


def shown_week(asked: dt.date | None, weeks: Iterable[dt.date], today: dt.date) -> dt.date:
    """The Monday of the week to show: that which was asked for, else this week if it has a plan, else the last one that has."""
    if asked is not None:
        return monday(asked)
    planned = sorted({monday(week) for week in weeks})
    this = monday(today)
    return this if this in planned or not planned else planned[-1]


def neighbours(week: dt.date, weeks: Iterable[dt.date]) -> tuple[dt.date | None, dt.date | None]:
    """The planned weeks just before and just after a week."""
    mondays = {monday(it) for it in weeks}
    return max((it for it in mondays if it < week), default=None), min((it for it in mondays if it > week), default=None)


Taken = tuple[dt.date, str, str, str, str, int]  # date, period, class, framework, competency, students


def blocks_of(
    taken: Iterable[Taken],
    classes: Mapping[str, ClassRegistered],
    bells: Mapping[str, Period],
    labels: Mapping[tuple[str, str], str],
) -> tuple[FlexBlock, ...]:
    """The blocks of a week from the seats taken, in order of date, period's start and class."""
    blocks: dict[tuple[dt.date, str], dict[str, list[SectionNeed]]] = {}
    for date, period, class_, framework, competency, students in taken:
        need = SectionNeed(framework, competency, labels.get((framework, competency), competency), students)
        blocks.setdefault((date, period), {}).setdefault(class_, []).append(need)
    made = [
        FlexBlock(
            date=date,
            period=period,
            starts=bells[period].starts if period in bells else None,
            ends=bells[period].ends if period in bells else None,
            sections=tuple(_section(class_, classes.get(class_), needs) for class_, needs in sorted(sections.items())),
        )
        for (date, period), sections in blocks.items()
    ]
    return tuple(sorted(made, key=lambda block: (block.date, block.starts or "", block.period)))


def _section(class_: str, registered: ClassRegistered | None, needs: Iterable[SectionNeed]) -> Section:
    return Section(
        section=class_,
        teachers=registered.teachers if registered else (),
        capacity=registered.capacity if registered else None,
        needs=tuple(sorted(needs, key=lambda need: (-need.students, need.framework, need.competency))),
    )
