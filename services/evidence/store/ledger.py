"""The ledger's SQL: the head and its lock, what was seen, the rows of the log, the counters.

Owns: `head`, `ledger`, `seen` (its partitions: `days`), `counters`. Must not: decide anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import asyncpg

from contracts.ids import uuid7_day
from services.chassis.postgres import XID, Connection, Queryable
from services.evidence.deduplication import Counts, Key, Pair
from services.evidence.domain import Draft
from services.evidence.sequencing import Head, Row

PLACE = ("position", "recordedtime", "partition", "sequence", "sequences", "further", "furthersequences")
COLUMNS = (*PLACE, "type", "subject", "traceparent", "record")
SEEN = ("day", "source", "id", "position", "submissionhash")

HEAD = "log, timezone, partitions, position, recordedtime, tick, ticked, merges, sequences"

# The inner statement takes the lock; the time is read after that, so it is the time at which this append holds the head.
LOCK = f"""
SELECT h.*, greatest(h.recordedtime, clock_timestamp()) AS now, {XID} AS xid FROM (SELECT {HEAD} FROM public.head FOR UPDATE) h
"""

READ = f"SELECT {HEAD}, clock_timestamp() AS now FROM public.head"

# The keys of one day and one source: what a publisher's batch usually is.
KNOWN_OF_A_DAY = """
SELECT id, position, submissionhash FROM public.seen WHERE day = $1 AND source = $2 AND id = ANY ($3::text[])
UNION ALL
SELECT id, NULL, submissionhash FROM public.held WHERE source = $2 AND id = ANY ($3::text[])
"""

# Any keys. `day = ANY` prunes the partitions when the statement is planned; the lateral subquery makes it one probe a key.
KNOWN = """
SELECT k.number, s.position, s.submissionhash
FROM unnest($1::date[], $2::text[], $3::text[]) WITH ORDINALITY AS k (day, source, id, number),
LATERAL (
    SELECT position, submissionhash FROM public.seen
    WHERE day = k.day AND source = k.source AND id = k.id AND day = ANY ($4::date[]) LIMIT 1
) s
UNION ALL
SELECT k.number, NULL, h.submissionhash
FROM unnest($2::text[], $3::text[]) WITH ORDINALITY AS k (source, id, number)
JOIN public.held h ON h.source = k.source AND h.id = k.id
"""

MOVE = "UPDATE public.head SET position = $1, recordedtime = $2, tick = $3, ticked = $4, merges = $5, sequences = $6"

# Whoever only had something released from the held was not seen by that.
_COUNT = """
INSERT INTO public.counters AS c (publisher, received, accepted, duplicate, rejected, held, late, last_seen)
SELECT n.*, CASE WHEN n.received > 0 THEN clock_timestamp() END
FROM unnest(${}::text[], ${}::bigint[], ${}::bigint[], ${}::bigint[], ${}::bigint[], ${}::bigint[], ${}::bigint[])
    AS n (publisher, received)
ORDER BY publisher
ON CONFLICT (publisher) DO UPDATE SET received = c.received + excluded.received, accepted = c.accepted + excluded.accepted,
    duplicate = c.duplicate + excluded.duplicate, rejected = c.rejected + excluded.rejected, held = c.held + excluded.held,
    late = c.late + excluded.late, last_seen = coalesce(excluded.last_seen, c.last_seen)
"""
COUNT = _COUNT.format(*range(1, 8))
MOVE_AND_COUNT = f"WITH moved AS ({MOVE}) {_COUNT.format(*range(7, 14))}"

# The head is made with the log's first row, once, whoever comes first.
OPEN = f"""
INSERT INTO public.head ({HEAD}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING RETURNING true
"""


async def lock_head(connection: Connection) -> tuple[Head, datetime, str] | None:
    """The head, locked until the transaction ends, the time to record, and the transaction's id; None when no log is opened."""
    row = await connection.fetchrow(LOCK)
    return None if row is None else (_head(row), row["now"], row["xid"])


async def read_head(on: Queryable) -> tuple[Head, datetime] | None:
    """The head as it is, and the database's clock; None when no log is opened."""
    row = await on.fetchrow(READ)
    return None if row is None else (_head(row), row["now"])


def _head(row: asyncpg.Record) -> Head:
    return Head(
        row["log"],
        row["timezone"],
        row["partitions"],
        row["position"],
        row["recordedtime"],
        row["tick"],
        row["ticked"],
        row["merges"],
        tuple(row["sequences"]),
    )


async def open_log(connection: Connection, rows: Sequence[Row], head: Head) -> bool:
    """Put the head and the log's first rows, unless there is a head already (False)."""
    values = (head.log, head.timezone, head.partitions, head.position, head.recordedtime, head.tick, head.ticked, head.merges)
    if not await connection.fetchval(OPEN, *values, list(head.sequences)):
        return False
    await append(connection, rows)
    return True


async def partitions(on: Queryable) -> int:
    """How many partitions the open log has; one before it is open, when a refusal can be kept and nothing else."""
    return await on.fetchval("SELECT partitions FROM public.head") or 1


async def clock(connection: Connection) -> datetime:
    """The database's clock."""
    now: datetime = await connection.fetchval("SELECT clock_timestamp()")
    return now


async def known(connection: Connection, keys: Sequence[Key]) -> tuple[dict[Key, tuple[int, bytes]], dict[Pair, bytes]]:
    """What is in the log, and what is held, under these keys: {key: (position, hash)} and {(source, id): hash}."""
    days, sources, ids = zip(*keys, strict=True)
    rows: list[tuple[Key, int | None, bytes]]
    if len(set(days)) == 1 and len(set(sources)) == 1:
        found = await connection.fetch(KNOWN_OF_A_DAY, days[0], sources[0], ids)
        rows = [((days[0], sources[0], id), position, submissionhash) for id, position, submissionhash in found]
    else:
        found = await connection.fetch(KNOWN, days, sources, ids, list(set(days)))
        rows = [(keys[number - 1], position, submissionhash) for number, position, submissionhash in found]
    seen = {key: (position, submissionhash) for key, position, submissionhash in rows if position is not None}
    waiting = {key[1:]: submissionhash for key, position, submissionhash in rows if position is None}
    return seen, waiting


async def append(connection: Connection, rows: Sequence[Row]) -> None:
    """Put the rows of the log."""
    await connection.copy_records_to_table("ledger", schema_name="public", columns=COLUMNS, records=rows)


async def remember(connection: Connection, drafts: Sequence[Draft], first: int) -> None:
    """Put what was seen: `drafts` were appended from position `first` on."""
    records = [(d.day, d.source, d.id, position, d.submissionhash) for position, d in enumerate(drafts, first)]
    await connection.copy_records_to_table("seen", schema_name="public", columns=SEEN, records=records)


async def move_head(connection: Connection, head: Head) -> None:
    await connection.execute(MOVE, *_moved(head))


async def count(connection: Connection, counts: Mapping[str, Counts]) -> str:
    """Add to the publishers' counters, in the order of their names, so that two transactions never wait for each other.

    Gives the transaction's id.
    """
    if counts:
        await connection.execute(COUNT, *_added(counts))
    xid: str = await connection.fetchval(f"SELECT {XID}")
    return xid


async def move_head_and_count(connection: Connection, head: Head, counts: Mapping[str, Counts]) -> None:
    """Both in one round trip: what waits for the head waits for each."""
    await connection.execute(MOVE_AND_COUNT, *_moved(head), *_added(counts))


def _moved(head: Head) -> tuple[object, ...]:
    return head.position, head.recordedtime, head.tick, head.ticked, head.merges, list(head.sequences)


def _added(counts: Mapping[str, Counts]) -> tuple[object, ...]:
    added = [(c.received, c.accepted, c.duplicate, c.rejected, c.held, c.late) for c in counts.values()]
    return (list(counts), *map(list, zip(*added, strict=True)))


async def records_at(on: Queryable, positions: Iterable[int]) -> dict[int, tuple[datetime, bytes]]:
    """The recordedtime and the record at each of these positions that the log has."""
    rows = await on.fetch(
        "SELECT position, recordedtime, record FROM public.ledger WHERE position = ANY ($1::bigint[])", list(positions)
    )
    return {row[0]: (row[1], row[2]) for row in rows}


async def find(on: Queryable, source: str, id: str) -> int | None:
    """The first position at which the log has this event."""
    position: int | None = await on.fetchval(FIND, source, id, uuid7_day(id))
    return position


FIND = """
SELECT min(position) FROM public.seen WHERE source = $1 AND id = $2 AND ($3::date IS NULL OR day = $3)
"""


async def counters(on: Queryable) -> dict[str, Counts]:
    """What each publisher sent and what became of it."""
    rows = await on.fetch("SELECT publisher, received, accepted, duplicate, rejected, held FROM public.counters")
    return {row[0]: Counts(*row[1:]) for row in rows}
