"""A school's week: its flex blocks, the sections that meet in them, and when a class keeps its students. Pure."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import get_args

from contracts.events import CalendarPublished, ClassRegistered
from contracts.events.schools import Weekday
from services.chassis.errors import Rejected

DAYS: tuple[str, ...] = get_args(Weekday)
SCHOOL_DAYS = frozenset(DAYS[:5])
# Years that a plan can be asked for: arithmetic on dates stays far from the ends of the calendar.
FIRST_YEAR, LAST_YEAR = 1900, 2999
_WEEK = re.compile(r"(\d{4})-W(\d{2})")


@dataclass(frozen=True, slots=True, order=True)
class Block:
    """A flex period of one date. Blocks sort in order of time; `starts` is the local wall-clock time, `HH:MM`."""

    date: dt.date
    starts: str
    period: str

    @property
    def day(self) -> str:
        """The weekday, `MON` to `SUN`."""
        return DAYS[self.date.weekday()]


@dataclass(frozen=True, slots=True)
class Section:
    """A flex duty that meets in a block. `capacity` None: no limit was stated; `competencies` empty: it offers any."""

    class_: str
    capacity: int | None
    competencies: tuple[str, ...]


def monday_of(text: str) -> dt.date:
    """The Monday of an ISO week (`2026-W41`) or of the week that a date (`2026-10-07`) lies in. Raises `Rejected`."""
    try:
        found = _WEEK.fullmatch(text)
        day = dt.date.fromisocalendar(int(found[1]), int(found[2]), 1) if found else dt.date.fromisoformat(text)
    except ValueError:
        raise _no_week() from None
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise _no_week()
    return day - dt.timedelta(days=day.weekday())


def _no_week() -> Rejected:
    return Rejected("no-week", "an ISO week such as 2026-W41, or a date such as 2026-10-07", pointer="/week")


def week_name(monday: dt.date) -> str:
    """The ISO week of a Monday, e.g. `2026-W41`."""
    year, week, _ = monday.isocalendar()
    return f"{year}-W{week:02d}"


def blocks_of(monday: dt.date, calendar: CalendarPublished, classes: Iterable[ClassRegistered]) -> dict[Block, tuple[Section, ...]]:
    """The flex blocks of a week in order, each with the sections that meet in it.

    A block lies in a term, on a day that is not closed: Monday to Friday, or a weekend day that a section meets on.
    """
    duties = [each for each in classes if each.duty == "flex" and each.active]
    blocks = {}
    for date in (monday + dt.timedelta(days=offset) for offset in range(7)):
        for period in sorted((each for each in calendar.periods if each.flex), key=lambda each: (each.starts, each.period)):
            block = Block(date, period.starts, period.period)
            sections = [_section(duty) for duty in duties if _offers(duty, block, calendar)]
            if _in_session(date, calendar) and (sections or block.day in SCHOOL_DAYS):
                blocks[block] = tuple(sorted(sections, key=lambda each: each.class_))
    return blocks


def busy_of(class_: ClassRegistered, blocks: Iterable[Block], calendar: CalendarPublished) -> frozenset[Block]:
    """The blocks in which a taught class keeps its students.

    It does when it meets in a period that overlaps the block's on the clock. A class whose term the calendar does not know
    is taken to meet: a seat must never be given against a timetable.
    """
    if class_.duty != "taught" or not class_.active:
        return frozenset()
    clashing = _overlapping(calendar)
    return frozenset(
        block
        for block in blocks
        if any(meeting.day == block.day and meeting.period in clashing[block.period] for meeting in class_.meetings)
        and _covers(class_, block.date, calendar, unknown=True)
    )


def _overlapping(calendar: CalendarPublished) -> dict[str, frozenset[str]]:
    """For each period, those that share time with it, itself included."""
    return {
        one.period: frozenset(
            other.period for other in calendar.periods if other is one or (other.starts < one.ends and one.starts < other.ends)
        )
        for one in calendar.periods
    }


def _offers(duty: ClassRegistered, block: Block, calendar: CalendarPublished) -> bool:
    meets = any(meeting.day == block.day and meeting.period == block.period for meeting in duty.meetings)
    return meets and _covers(duty, block.date, calendar, unknown=False)


def _section(duty: ClassRegistered) -> Section:
    return Section(duty.class_, duty.capacity, tuple(sorted(set(duty.competencies))))


def _covers(class_: ClassRegistered, date: dt.date, calendar: CalendarPublished, *, unknown: bool) -> bool:
    terms = [term for term in calendar.terms if term.term == class_.term]
    return any(term.starts <= date <= term.ends for term in terms) if terms else unknown


def _in_session(date: dt.date, calendar: CalendarPublished) -> bool:
    return date not in calendar.closed and any(term.starts <= date <= term.ends for term in calendar.terms)
