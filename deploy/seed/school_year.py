"""A school year: its terms, its bells, the days without school. Dates are local; a year is named by the autumn it begins in."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import NamedTuple

DAYS = ("MON", "TUE", "WED", "THU", "FRI")
TAUGHT = ("P1", "P2", "P3", "P4", "P5", "P6")
ADVISORY, FLEX = "ADV", "FLEX"

# The bells of a day: five minutes between periods, lunch between P3 and FLEX. They don't overlap, so a clash is a period twice.
_BELLS = (
    *(("ADV", "08:15", "08:35"), ("P1", "08:40", "09:25"), ("P2", "09:30", "10:15"), ("P3", "10:20", "11:05")),
    *(("FLEX", "11:45", "12:35"), ("P4", "12:40", "13:25"), ("P5", "13:30", "14:15"), ("P6", "14:20", "15:05")),
)


class SchoolYear(NamedTuple):
    """From `starts` to `ends`, both included; `closed` are weekdays without school."""

    starts: date
    spring: date
    ends: date
    closed: tuple[date, ...]

    def school_days(self) -> Iterator[date]:
        closed, day = set(self.closed), self.starts
        while day <= self.ends:
            if day.weekday() < len(DAYS) and day not in closed:
                yield day
            day += timedelta(days=1)


def school_year(autumn: int) -> SchoolYear:
    """The year that begins in September of `autumn`."""
    thanksgiving, february = _nth(autumn, 11, 3, 4), _nth(autumn + 1, 2, 0, 3)
    closed = [_nth(autumn, 10, 0, 2), date(autumn, 11, 11), thanksgiving, thanksgiving + timedelta(days=1)]
    closed += [*_span(date(autumn, 12, 24), date(autumn + 1, 1, 2)), _nth(autumn + 1, 1, 0, 3)]
    closed += _span(february, february + timedelta(days=4)) + _span(date(autumn + 1, 4, 3), date(autumn + 1, 4, 10))
    closed += [_nth(autumn + 1, 5, 0, 4), date(autumn + 1, 6, 19)]
    starts, spring = _nth(autumn, 9, 3, 1), _nth(autumn + 1, 2, 0, 1)
    weekdays = sorted({day for day in closed if day.weekday() < len(DAYS)})
    return SchoolYear(starts, spring, date(autumn + 1, 6, 26), tuple(weekdays))


def bells() -> list[dict[str, object]]:
    """The periods of every day, as `calendar.published` has them; FLEX is the one that scheduling fills."""
    return [{"period": name, "starts": starts, "ends": ends, "flex": name == FLEX} for name, starts, ends in _BELLS]


def _nth(year: int, month: int, weekday: int, n: int) -> date:
    """The n-th `weekday` (Monday 0) of a month."""
    first = date(year, month, 1)
    return first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (n - 1))


def _span(first: date, last: date) -> list[date]:
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]
