"""What waits at the door and what was refused: `held` and `rejections`, kept in Postgres only, bounded, for 30 days."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import asyncpg

from services.chassis.postgres import Connection, Queryable
from services.evidence.deduplication import Pair
from services.evidence.domain import Batch, Hold, Refusal, Refused

KEPT = timedelta(days=30)
# Rejections kept a publisher: what one that has gone wrong can fill is 10,000 × 32 KiB.
KEPT_A_PUBLISHER = 10_000
# Held submissions that expire in one transaction: it holds the head meanwhile.
EXPIRED_AT_ONCE = 500

RELEASE = """
DELETE FROM public.held h USING unnest($1::text[], $2::text[]) AS k (source, id)
WHERE h.source = k.source AND h.id = k.id RETURNING h.source, h.id
"""

HOLD = """
INSERT INTO public.held (day, source, id, publisher, reason, key, submissionhash, payload)
SELECT * FROM unnest($1::date[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bytea[], $8::bytea[])
"""

REFUSE = """
WITH refused AS (
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bytea[])
        AS r (publisher, source, id, code, pointer, expected, payload)
), counted AS (
    INSERT INTO public.rejected_reasons AS c (publisher, code, count)
    SELECT publisher, code, count(*) FROM refused GROUP BY publisher, code ORDER BY publisher, code
    ON CONFLICT (publisher, code) DO UPDATE SET count = c.count + excluded.count
)
INSERT INTO public.rejections (publisher, source, id, code, pointer, expected, payload) SELECT * FROM refused
RETURNING number, came, publisher, source, id, code, pointer
"""

COLUMNS = "publisher, source, id, day, reason, key, submissionhash, payload"

WAITING = f"SELECT {COLUMNS} FROM public.held WHERE reason = $1 AND key = ANY ($2::text[]) ORDER BY came LIMIT $3"

OLDEST = f"SELECT {COLUMNS} FROM public.held WHERE came < clock_timestamp() - $1::interval ORDER BY came LIMIT $2"

FORGET = """
DELETE FROM public.rejections WHERE came < clock_timestamp() - $1::interval OR number IN (
    SELECT number FROM (
        SELECT number, row_number() OVER (PARTITION BY publisher ORDER BY number DESC) AS nth FROM public.rejections
    ) n WHERE nth > $2
)
"""

REFUSED = """
SELECT code, pointer, expected FROM public.rejections WHERE source = $1 AND id = $2 ORDER BY number DESC LIMIT 1
"""


class Rejection(NamedTuple):
    """A rejection by its number, without what was sent."""

    number: int
    came: datetime
    publisher: str
    source: str | None
    id: str | None
    code: str
    pointer: str


def pairs_to_release(batch: Batch) -> list[Pair]:
    """The (source, id) of what a batch takes from the held."""
    pairs = [(draft.source, draft.id) for draft in batch.drafts if draft.held]
    return pairs + [(each.source, each.id) for each in batch.refusals if each.held and each.source and each.id]


async def release(connection: Connection, pairs: Iterable[Pair]) -> set[Pair]:
    """Take these (source, id) from the held; those that were there."""
    sources, ids = zip(*pairs, strict=True)
    return {(row[0], row[1]) for row in await connection.fetch(RELEASE, sources, ids)}


async def hold(connection: Connection, holds: Sequence[Hold]) -> None:
    rows = ((h.day, h.source, h.id, h.publisher, h.reason, h.key, h.submissionhash, h.payload) for h in holds)
    await connection.execute(HOLD, *zip(*rows, strict=True))


async def refuse(connection: Connection, refusals: Sequence[Refusal]) -> list[Rejection]:
    """Keep these, count them by reason; what is told of each."""
    rows = ((r.publisher, r.source, r.id, r.code, r.pointer, r.expected, r.payload) for r in refusals)
    return [Rejection(*row) for row in await connection.fetch(REFUSE, *zip(*rows, strict=True))]


async def waiting(on: Queryable, reason: str, keys: Sequence[str], limit: int) -> list[Hold]:
    """The oldest that wait for one of `keys`."""
    return [_hold(row) for row in await on.fetch(WAITING, reason, list(keys), limit)]


async def expired(on: Queryable) -> list[Hold]:
    """The oldest that have waited for longer than is kept."""
    return [_hold(row) for row in await on.fetch(OLDEST, KEPT, EXPIRED_AT_ONCE)]


async def forget(on: Queryable) -> None:
    """Delete rejections that are older than is kept, and a publisher's oldest beyond what is kept of it."""
    await on.execute(FORGET, KEPT, KEPT_A_PUBLISHER)


async def is_held(on: Queryable, source: str, id: str) -> bool:
    found = await on.fetchval("SELECT true FROM public.held WHERE source = $1 AND id = $2", source, id)
    return bool(found)


async def refused(on: Queryable, source: str, id: str) -> Refused | None:
    """Why this id was refused last, if it was and that is still kept."""
    row = await on.fetchrow(REFUSED, source, id)
    return None if row is None else Refused(*row)


def _hold(row: asyncpg.Record) -> Hold:
    publisher, source, id, day, reason, key, submissionhash, payload = row
    return Hold(publisher, source, id, day, reason, key, submissionhash, payload)
