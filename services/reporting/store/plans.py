"""Plans of flex blocks, and who sits where."""

from __future__ import annotations

import datetime as dt
from typing import NamedTuple

from services.chassis.postgres import Connection


class Plan(NamedTuple):
    """A school's plan of a week. `input`: the position up to which the planner had read the log."""

    plan: str
    school: str
    week: dt.date
    input: int
    planned: dt.datetime
    seats: int
    unseated: int


async def of_week(connection: Connection, school: str, week: dt.date) -> Plan | None:
    """The last plan of a week (named by its Monday, as it was published), or None."""
    row = await connection.fetchrow(
        """
        SELECT plan, school, week, input, planned, seats, unseated FROM plans
        WHERE school = $1 AND week = $2 ORDER BY input DESC, planned DESC, plan DESC LIMIT 1
        """,
        school,
        week,
    )
    return Plan(**dict(row)) if row else None


async def weeks(connection: Connection, school: str) -> list[dt.date]:
    """The weeks for which a school has a plan, in order."""
    rows = await connection.fetch("SELECT DISTINCT week FROM plans WHERE school = $1 ORDER BY week", school)
    return [row["week"] for row in rows]


class SectionSeats(NamedTuple):
    """How many students sit in a section of a flex block for one competency."""

    date: dt.date
    period: str
    class_: str
    framework: str
    competency: str
    students: int


async def sections(connection: Connection, school: str, first: dt.date, last: dt.date) -> list[SectionSeats]:
    """The seats taken at a school between two dates, both included, by block, section and competency."""
    rows = await connection.fetch(
        """
        SELECT date, period, class AS class_, framework, competency, count(*)::int AS students FROM seats
        WHERE school = $1 AND date BETWEEN $2 AND $3
          AND student NOT IN (SELECT student FROM students WHERE merged_into IS NOT NULL)
        GROUP BY date, period, class, framework, competency
        ORDER BY date, period, class, students DESC, framework, competency
        """,
        school,
        first,
        last,
    )
    return [SectionSeats(**dict(row)) for row in rows]
