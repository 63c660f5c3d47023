"""SQL of the publishers' scorecards and of what is expected of them."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import asyncpg

from services.chassis.postgres import Queryable
from services.evidence.scorecards import Expectation, Scorecard

READ = """
SELECT p.name, p.sandbox, p.created, p.revoked IS NOT NULL AS revoked, p.expected_hours, p.weekdays,
       coalesce(c.received, 0) AS received, coalesce(c.accepted, 0) AS accepted, coalesce(c.duplicate, 0) AS duplicate,
       coalesce(c.rejected, 0) AS rejected, coalesce(c.held, 0) AS held, coalesce(c.late, 0) AS late, c.last_seen,
       (SELECT json_object_agg(code, count ORDER BY code) FROM public.rejected_reasons r
        WHERE r.publisher = p.name AND count > 0) AS reasons
FROM public.publishers p LEFT JOIN public.counters c ON c.publisher = p.name
WHERE $1::text IS NULL OR p.name = $1 ORDER BY p.name
"""
EXPECT = "UPDATE public.publishers SET expected_hours = $2, weekdays = $3 WHERE name = $1 RETURNING name"
ZONE = "SELECT timezone FROM public.head"


async def read(on: Queryable, publisher: str | None = None) -> list[Scorecard]:
    """The scorecard of every publisher, by name, or of one."""
    return [_scorecard(row) for row in await on.fetch(READ, publisher)]


async def expect(on: Queryable, publisher: str, expectation: Expectation | None) -> bool:
    """Expect deliveries of a publisher, or (None) no more; False when there is none of this name."""
    hours = None if expectation is None else expectation.every // timedelta(hours=1)
    weekdays = expectation is not None and expectation.weekdays
    return await on.fetchval(EXPECT, publisher, hours, weekdays) is not None


async def zone(on: Queryable) -> ZoneInfo:
    """The district's time zone, in which weekdays are meant; UTC while no log is open."""
    return ZoneInfo(await on.fetchval(ZONE) or "UTC")


def _scorecard(row: asyncpg.Record) -> Scorecard:
    hours: int | None = row["expected_hours"]
    last_seen: datetime | None = row["last_seen"]
    return Scorecard(
        publisher=row["name"],
        sandbox=row["sandbox"],
        received=row["received"],
        accepted=row["accepted"],
        duplicate=row["duplicate"],
        rejected=row["rejected"],
        held=row["held"],
        late=row["late"],
        reasons=json.loads(row["reasons"] or "{}"),
        created=row["created"],
        last_seen=last_seen,
        expectation=None if hours is None else Expectation(timedelta(hours=hours), row["weekdays"]),
        revoked=row["revoked"],
    )
