"""SQL for going through what waits for a person, key by key."""

from __future__ import annotations

from services.chassis.postgres import Queryable

KEYS = "SELECT DISTINCT key FROM public.held WHERE reason = $1 AND key > $2 ORDER BY key LIMIT $3"
WAIT_FOR = "UPDATE public.held SET reason = $3, key = $4 WHERE source = $1 AND id = $2"


async def keys(on: Queryable, reason: str, after: str, limit: int) -> list[str]:
    """The next keys, in order, that something waits for."""
    return [row[0] for row in await on.fetch(KEYS, reason, after, limit)]


async def wait_for(on: Queryable, source: str, id: str, reason: str, key: str) -> None:
    """Have a held submission wait for somebody else."""
    await on.execute(WAIT_FOR, source, id, reason, key)
