"""The storage of `limits` over Postgres: its counters, shared by every gateway. (The library has Redis, Memcached and MongoDB.)"""

from __future__ import annotations

from limits.aio.storage import SlidingWindowCounterSupport, Storage

from services.chassis.postgres import PASSING, Pool
from services.evidence.store import quotas as store


class PostgresStorage(Storage, SlidingWindowCounterSupport):
    """Fixed windows and sliding window counters. A window begins at a multiple of its length, by the database's clock."""

    STORAGE_SCHEME = None

    def __init__(self, pool: Pool) -> None:
        super().__init__()
        self._pool = pool

    @property
    def base_exceptions(self) -> tuple[type[Exception], ...]:
        return PASSING

    async def acquire_sliding_window_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        return await store.take(self._pool, key, expiry, amount, limit)

    async def get_sliding_window(self, key: str, expiry: int) -> tuple[int, float, int, float]:
        found = await store.window(self._pool, key)
        left = (1 - found.passed) * expiry
        return found.previous, left, found.taken, left + expiry

    async def clear_sliding_window(self, key: str, expiry: int) -> None:
        await store.forget(self._pool, key)

    async def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        return await store.add(self._pool, key, expiry, amount)

    async def get(self, key: str) -> int:
        return (await store.window(self._pool, key)).taken

    async def get_expiry(self, key: str) -> float:
        return (await store.window(self._pool, key)).ends

    async def check(self) -> bool:
        return bool(await self._pool.fetchval("SELECT true"))

    async def reset(self) -> int:
        return await store.forget_all(self._pool)

    async def clear(self, key: str) -> None:
        await store.forget(self._pool, key)
