"""SQL of the quotas: a counter of this window and the one before, for each key, shared by all gateways."""

from __future__ import annotations

from typing import NamedTuple

from services.chassis.postgres import Pool

_NOW = "extract(epoch FROM statement_timestamp())::double precision"
_NUMBER = f"floor({_NOW} / {{seconds}})::bigint"
_PASSED = f"({_NOW} / {{seconds}} - {{number}})"
_TAKEN = "CASE WHEN q.number = {number} THEN q.taken ELSE 0 END"
_PREVIOUS = "CASE q.number WHEN {number} THEN q.previous WHEN {number} - 1 THEN q.taken ELSE 0 END"

_NEW = {"number": "excluded.number", "seconds": "excluded.seconds"}
_ADD = f"""
INSERT INTO public.quota_windows AS q (key, seconds, number, taken, previous)
VALUES ($1, $2::integer, {_NUMBER.format(seconds="$2::integer")}, $3, 0)
ON CONFLICT (key) DO UPDATE SET seconds = excluded.seconds, number = excluded.number,
    taken = {_TAKEN.format(**_NEW)} + excluded.taken, previous = {_PREVIOUS.format(**_NEW)}
"""
ADD = f"{_ADD} RETURNING taken"
# The window before counts by how much of it still lies within one length of now.
TAKE = f"""
{_ADD}
WHERE ({_PREVIOUS.format(**_NEW)}) * (1 - {_PASSED.format(**_NEW)}) + {_TAKEN.format(**_NEW)} + excluded.taken <= $4
RETURNING true
"""

_OLD = {"seconds": "q.seconds", "number": _NUMBER.format(seconds="q.seconds")}
READ = f"""
SELECT {_PREVIOUS.format(**_OLD)}, {_TAKEN.format(**_OLD)}, {_PASSED.format(**_OLD)}, ({_OLD["number"]} + 1) * q.seconds
FROM public.quota_windows q WHERE key = $1
"""

FORGET = "DELETE FROM public.quota_windows WHERE key = $1"
FORGET_ALL = "WITH gone AS (DELETE FROM public.quota_windows RETURNING 1) SELECT count(*) FROM gone"


class Window(NamedTuple):
    """What was taken in the window before and in this one, the part of this one that has passed, and when it ends (epoch)."""

    previous: int = 0
    taken: int = 0
    passed: float = 0.0
    ends: float = 0.0


async def take(pool: Pool, key: str, seconds: int, amount: int, most: int) -> bool:
    """Take `amount` of a key's `most` a window of `seconds`; False, and nothing taken, when that would be too much."""
    return amount <= most and bool(await pool.fetchval(TAKE, key, seconds, amount, most))


async def add(pool: Pool, key: str, seconds: int, amount: int) -> int:
    """Take `amount` of a key, however much that is; what is taken in this window then."""
    taken: int = await pool.fetchval(ADD, key, seconds, amount)
    return taken


async def window(pool: Pool, key: str) -> Window:
    """How much of a key was taken."""
    row = await pool.fetchrow(READ, key)
    return Window(*row) if row else Window()


async def forget(pool: Pool, key: str) -> None:
    """Begin a key anew."""
    await pool.execute(FORGET, key)


async def forget_all(pool: Pool) -> int:
    """Begin every key anew; how many there were."""
    count: int = await pool.fetchval(FORGET_ALL)
    return count
