"""SQL of file imports: how far a batch has come, what it brought, and the last content under each natural key."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import asyncpg

from services.chassis.postgres import Connection, Pool, Queryable

COLUMNS = "batch, publisher, source, number, began, finished, undone, rows, rejects, floor, accepted, duplicate, held, rejected"

# A batch that was finished or undone begins anew, under the next number; one that was stopped goes on.
BEGIN = f"""
INSERT INTO public.file_imports AS i (batch, publisher, source, number, floor)
SELECT $1, $2, $3, (SELECT coalesce(max(number), 0) + 1 FROM public.file_imports), position FROM public.head
ON CONFLICT (batch) DO UPDATE SET
    number = CASE WHEN i.finished IS NULL AND i.undone IS NULL THEN i.number ELSE excluded.number END,
    began = CASE WHEN i.finished IS NULL AND i.undone IS NULL THEN i.began ELSE excluded.began END,
    rows = CASE WHEN i.finished IS NULL AND i.undone IS NULL THEN i.rows ELSE 0 END,
    rejects = CASE WHEN i.finished IS NULL AND i.undone IS NULL THEN i.rejects ELSE 0 END,
    floor = CASE WHEN i.finished IS NULL AND i.undone IS NULL THEN i.floor ELSE excluded.floor END,
    accepted = CASE WHEN i.finished IS NULL AND i.undone IS NULL THEN i.accepted ELSE 0 END,
    duplicate = CASE WHEN i.finished IS NULL AND i.undone IS NULL THEN i.duplicate ELSE 0 END,
    held = CASE WHEN i.finished IS NULL AND i.undone IS NULL THEN i.held ELSE 0 END,
    rejected = CASE WHEN i.finished IS NULL AND i.undone IS NULL THEN i.rejected ELSE 0 END,
    finished = NULL, undone = NULL
RETURNING {COLUMNS}
"""
GO_ON = """
UPDATE public.file_imports SET rows = $2, rejects = $3, accepted = accepted + $4, duplicate = duplicate + $5, held = held + $6,
    rejected = rejected + $7, floor = (SELECT position FROM public.head) WHERE batch = $1 RETURNING floor
"""
BRING = """
INSERT INTO public.file_import_events (batch, id, key, turn)
SELECT $1, id, key, turn FROM unnest($2::text[], $3::bytea[], $4::int[]) AS b (id, key, turn) ON CONFLICT DO NOTHING
"""
KNOWN = "SELECT key, content, turn, number FROM public.file_records WHERE publisher = $1 AND key = ANY ($2::bytea[])"
REMEMBER = """
INSERT INTO public.file_records (publisher, key, content, turn, number)
SELECT $1, key, content, turn, $5 FROM unnest($2::bytea[], $3::bytea[], $4::int[]) AS r (key, content, turn) ORDER BY key
ON CONFLICT (publisher, key) DO UPDATE SET content = excluded.content, turn = excluded.turn, number = excluded.number
"""
UNDO = """
WITH undone AS (DELETE FROM public.file_import_events WHERE batch = $1 AND id = ANY ($3::text[]) RETURNING key, turn)
UPDATE public.file_records r SET content = NULL FROM undone u WHERE r.publisher = $2 AND r.key = u.key AND r.turn = u.turn
"""
# Whoever appends holds the head.
FREE = "SELECT true FROM public.head FOR UPDATE SKIP LOCKED"


@dataclass(frozen=True, slots=True)
class Import:
    """A batch and how far it has come; see the table."""

    batch: str
    publisher: str
    source: str
    number: int
    began: datetime
    finished: datetime | None
    undone: datetime | None
    rows: int
    rejects: int
    floor: int
    accepted: int
    duplicate: int
    held: int
    rejected: int

    @property
    def state(self) -> str:
        """As people are told it."""
        return "undone" if self.undone else "finished" if self.finished else "stopped, or under way"

    def as_json(self) -> dict[str, object]:
        """As plain JSON."""
        counts = {"accepted": self.accepted, "duplicate": self.duplicate, "held": self.held, "rejected": self.rejected}
        told = {"batch": self.batch, "publisher": self.publisher, "began": self.began.isoformat(), "state": self.state}
        return {**told, "rows": self.rows, **counts}

    @property
    def stopped(self) -> bool:
        """Whether it was begun and neither finished nor undone."""
        return self.finished is None and self.undone is None


@dataclass(frozen=True, slots=True)
class Known:
    """What was last imported under a natural key. `content` None: it was undone. `number`: in which import it came last."""

    content: bytes | None
    turn: int
    number: int


class Brought(NamedTuple):
    """An event that a batch brought: of which record, and which of its contents."""

    id: str
    key: bytes
    turn: int


async def head_is_free(pool: Pool) -> bool:
    """Whether nobody appends at this moment. What this locks to find out it leaves at once; a rollback waits for no disk."""
    async with pool.acquire() as connection:
        looking = connection.transaction()
        await looking.start()
        try:
            return bool(await connection.fetchval(FREE))
        finally:
            await looking.rollback()


async def take_turn(connection: Connection, publisher: str) -> bool:
    """Be the only import of this publisher for as long as the connection lasts; False when there is one already."""
    return bool(await connection.fetchval("SELECT pg_try_advisory_lock(hashtext('file import'), hashtext($1))", publisher))


async def leave_turn(connection: Connection, publisher: str) -> None:
    """Let the next import of this publisher begin."""
    await connection.execute("SELECT pg_advisory_unlock(hashtext('file import'), hashtext($1))", publisher)


async def begin(on: Queryable, batch: str, publisher: str, source: str) -> Import:
    """The batch, begun anew or where it stopped."""
    row = await on.fetchrow(BEGIN, batch, publisher, source)
    assert row is not None  # the head is there: the ledger has compared
    return Import(*row)


async def known(on: Queryable, publisher: str, keys: Sequence[bytes]) -> dict[bytes, Known]:
    """What was imported under these natural keys."""
    return {row[0]: Known(*row[1:]) for row in await on.fetch(KNOWN, publisher, keys)}


async def go_on(
    connection: Connection,
    of: Import,
    *,
    rows: int,
    rejects: int,
    counts: Mapping[str, int],
    brought: Sequence[Brought],
    records: Mapping[bytes, Known],
) -> int:
    """Some more rows are dealt with, in one transaction; the new floor."""
    added = [counts.get(word, 0) for word in ("accepted", "duplicate", "held", "rejected")]
    async with connection.transaction():
        floor: int = await connection.fetchval(GO_ON, of.batch, rows, rejects, *added)
        if brought:
            await connection.execute(BRING, of.batch, *map(list, zip(*brought, strict=True)))
        contents, turns = [each.content for each in records.values()], [each.turn for each in records.values()]
        await connection.execute(REMEMBER, of.publisher, list(records), contents, turns, of.number)
    return floor


async def finish(on: Queryable, batch: str) -> Import:
    """All rows are dealt with."""
    sql = f"UPDATE public.file_imports SET finished = clock_timestamp() WHERE batch = $1 RETURNING {COLUMNS}"
    row = await on.fetchrow(sql, batch)
    assert row is not None
    return Import(*row)


async def find(on: Queryable, batch: str) -> Import | None:
    """A batch by its name."""
    row = await on.fetchrow(f"SELECT {COLUMNS} FROM public.file_imports WHERE batch = $1", batch)
    return None if row is None else Import(*row)


async def listed(on: Queryable) -> list[Import]:
    """All batches, the latest first."""
    rows: Iterable[asyncpg.Record] = await on.fetch(f"SELECT {COLUMNS} FROM public.file_imports ORDER BY number DESC")
    return [Import(*row) for row in rows]


# Undoing


async def begin_undoing(on: Queryable, batch: str) -> datetime:
    """When the undoing of a batch began: of one that was stopped, when it first did."""
    sql = "UPDATE public.file_imports SET undone = coalesce(undone, clock_timestamp()) WHERE batch = $1 RETURNING undone"
    began: datetime = await on.fetchval(sql, batch)
    return began


async def brought(on: Queryable, batch: str, limit: int) -> list[str]:
    """Ids that a batch brought and that are not undone."""
    rows = await on.fetch("SELECT id FROM public.file_import_events WHERE batch = $1 ORDER BY id LIMIT $2", batch, limit)
    return [row[0] for row in rows]


async def undo(on: Queryable, of: Import, ids: Sequence[str]) -> None:
    """These are retracted. What comes next under the natural keys whose last content they were is new, whatever it is."""
    await on.execute(UNDO, of.batch, of.publisher, ids)


async def payloads(on: Queryable, source: str, ids: Sequence[str]) -> dict[str, bytes]:
    """What came, of those of these ids that wait at the door."""
    rows = await on.fetch("SELECT id, payload FROM public.held WHERE source = $1 AND id = ANY ($2::text[])", source, ids)
    return {row[0]: row[1] for row in rows}
