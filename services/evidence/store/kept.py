"""SQL of what is kept of rejections, and of what is held, for whoever may look: their publisher and district IT."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from services.chassis.postgres import Queryable

_FILTER = """
($1::text IS NULL OR publisher = $1) AND ($2::text IS NULL OR {reason} = $2) AND ($3::timestamptz IS NULL OR came >= $3)
"""
REJECTIONS = f"""
SELECT number, came, publisher, source, id, code, pointer, expected FROM public.rejections
WHERE {_FILTER.format(reason="code")} AND number > $4 ORDER BY number LIMIT $5
"""
HELD = f"""
SELECT came, publisher, source, id, reason FROM public.held
WHERE {_FILTER.format(reason="reason")} ORDER BY came, source, id LIMIT $4
"""
PAYLOAD = "SELECT payload FROM public.rejections WHERE number = $1 AND ($2::text IS NULL OR publisher = $2)"
SUMMARY = """
SELECT publisher, 'rejected' AS standing, code AS reason, count(*), min(came), max(came) FROM public.rejections GROUP BY 1, 3
UNION ALL
SELECT publisher, 'held', reason, count(*), min(came), max(came) FROM public.held GROUP BY 1, 3
ORDER BY 1, 2, 3
"""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which to show: None is any. `reason` is a code."""

    publisher: str | None = None
    reason: str | None = None
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class KeptRejection:
    """A rejection by its number. What was sent is asked for apart."""

    number: int
    came: datetime
    publisher: str
    source: str | None
    id: str | None
    code: str
    pointer: str
    expected: str


@dataclass(frozen=True, slots=True)
class KeptHold:
    """What waits at the door, without the identifier that it waits for."""

    came: datetime
    publisher: str
    source: str
    id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Heap:
    """How many of a publisher's are rejected, or held, for one reason."""

    publisher: str
    standing: str
    reason: str
    count: int
    oldest: datetime
    newest: datetime


async def rejections(on: Queryable, wanted: Wanted, after: int, limit: int) -> list[KeptRejection]:
    """Those with a number above `after`, ascending."""
    rows = await on.fetch(REJECTIONS, wanted.publisher, wanted.reason, wanted.since, after, limit)
    return [KeptRejection(*row) for row in rows]


async def held(on: Queryable, wanted: Wanted, limit: int) -> list[KeptHold]:
    """Those that wait, the oldest first."""
    return [KeptHold(*row) for row in await on.fetch(HELD, wanted.publisher, wanted.reason, wanted.since, limit)]


async def payload(on: Queryable, number: int, publisher: str | None = None) -> bytes | None:
    """What was sent, if the rejection is kept (and this publisher's)."""
    found: bytes | None = await on.fetchval(PAYLOAD, number, publisher)
    return found


async def summary(on: Queryable) -> list[Heap]:
    """The whole quarantine by publisher, standing and reason."""
    return [Heap(*row) for row in await on.fetch(SUMMARY)]
