"""SQL of the nightly join: what was appended lately against all of `seen`, for the same source and id under another day."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import date

from services.chassis.postgres import Connection, Queryable
from services.evidence.store.days import PARTITIONS

# One join reads one partition: a night's ids are hashed once for each, in memory, and no snapshot is held for longer than that.
SETTINGS = "SET LOCAL statement_timeout = '15min'; SET LOCAL work_mem = '256MB'"
SECONDS = 900.0
FRESH = """
CREATE TEMPORARY TABLE fresh AS SELECT day, source, id, position FROM public.seen WHERE position >= {} AND position < {}
"""
JOIN = """
SELECT DISTINCT greatest(f.position, s.position)
FROM fresh f JOIN public.{} s ON s.source = f.source AND s.id = f.id AND s.day <> f.day
"""


async def begin(connection: Connection) -> bool:
    """Be the only one who searches for as long as the connection lasts; False when somebody does already."""
    return bool(await connection.fetchval("SELECT pg_try_advisory_lock(hashtext('deduplicate'))"))


async def leave(connection: Connection) -> None:
    """Let the next one search."""
    await connection.execute("SELECT pg_advisory_unlock(hashtext('deduplicate'))")


async def searched(on: Queryable) -> tuple[int, date | None]:
    """How far the log was searched, and on which date."""
    row = await on.fetchrow("SELECT position, date FROM public.deduplicated")
    assert row is not None  # the migration put it there
    return row[0], row[1]


async def keep(on: Queryable, position: int, date: date | None) -> None:
    """The log is searched up to here, on this date (None: the search goes on)."""
    await on.execute("UPDATE public.deduplicated SET position = $1, date = coalesce($2, date)", position, date)


@asynccontextmanager
async def fresh(connection: Connection, first: int, end: int) -> AsyncIterator[None]:
    """What was appended from `first` up to `end`, kept apart to be joined."""
    async with connection.transaction():
        await connection.execute(SETTINGS)
        await connection.execute(FRESH.format(int(first), int(end)), timeout=SECONDS)
        await connection.execute("ANALYZE fresh")
    try:
        yield
    finally:
        await connection.execute("DROP TABLE fresh")


async def partitions(on: Queryable) -> Iterator[str]:
    """The partitions of `seen`."""
    return (str(row[0]) for row in await on.fetch(PARTITIONS))


async def later_ones(connection: Connection, partition: str) -> set[int]:
    """Positions of events whose source and id came before under another day: among what is fresh and this partition."""
    async with connection.transaction():
        await connection.execute(SETTINGS)
        return {row[0] for row in await connection.fetch(JOIN.format(partition), timeout=SECONDS)}
