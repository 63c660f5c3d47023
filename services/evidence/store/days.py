"""Partitions of `seen`: one a day near the present, one for all that was before, one for what is too far ahead.

Must not: run outside the head's lock. No append is under way then, so none can miss a row that moves.
"""

from __future__ import annotations

import re
from datetime import date, timedelta

from services.chassis.postgres import Connection

# What is published up to a week late finds a small index when a log is new; its older history shares one partition.
DAYS_BEFORE = 7
# A worker that is down for up to a week still leaves a partition for each day.
DAYS_AHEAD = 7

NAME = re.compile(r"seen_(\d{4}_\d{2}_\d{2})")

PARTITIONS = "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'public.seen'::regclass"

MAKE_BEFORE = "CREATE TABLE public.seen_before PARTITION OF public.seen FOR VALUES FROM (MINVALUE) TO ('{first}')"

# What `seen_after` holds of the day moves over. It holds next to nothing, so looking through it when attaching costs nothing.
MAKE_DAY = """
CREATE TABLE public.{name} (LIKE public.seen INCLUDING ALL);
WITH near AS (DELETE FROM public.seen_after WHERE day = '{day}' RETURNING *) INSERT INTO public.{name} SELECT * FROM near;
ALTER TABLE public.seen ATTACH PARTITION public.{name} FOR VALUES FROM ('{day}') TO ('{next}');
"""


async def days(connection: Connection) -> list[date]:
    """The days that have a partition of their own, ascending."""
    names = [NAME.fullmatch(row[0]) for row in await connection.fetch(PARTITIONS)]
    return sorted(date.fromisoformat(name[1].replace("_", "-")) for name in names if name)


async def make_days(connection: Connection, today: date) -> None:
    """Give every day up to a week ahead a partition, without a gap; the first call also makes the one for all earlier days."""
    if not (there := await days(connection)):
        first = today - timedelta(days=DAYS_BEFORE)
        await connection.execute(MAKE_BEFORE.format(first=first))
        there = [first - timedelta(days=1)]
    day, last = there[-1], today + timedelta(days=DAYS_AHEAD)
    while (day := day + timedelta(days=1)) <= last:
        await connection.execute(MAKE_DAY.format(name=f"seen_{day:%Y_%m_%d}", day=day, next=day + timedelta(days=1)))
