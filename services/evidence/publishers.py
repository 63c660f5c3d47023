"""Publishers at the door: a bearer key becomes a publisher with its grant.

Owns: making keys, recognising them. Must not: keep a key, or log one.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import time
from collections.abc import Callable

from services.chassis.errors import Rejected
from services.chassis.postgres import Pool
from services.evidence.grants import Publisher
from services.evidence.store import publishers as store

PREFIX = "cairn_"
# How long a revoked key goes on being taken, at most. Longer saves nothing: one look-up a key in five seconds is nothing.
REMEMBERED_SECONDS = 5.0
MOST_REMEMBERED = 10_000


def new_key() -> str:
    """A key of 256 random bits, with a prefix by which secret scanners know it."""
    return PREFIX + secrets.token_urlsafe(32)


def keyhash(key: str) -> bytes:
    """What is kept of a key. SHA-256, not a slow hash: 256 random bits cannot be guessed, and every request pays for it."""
    return hashlib.sha256(key.encode()).digest()


class Publishers:
    """Recognises publishers by their keys, remembering each for a few seconds."""

    def __init__(self, pool: Pool, clock: Callable[[], float] = time.monotonic) -> None:
        self._pool = pool
        self._clock = clock
        self._known: dict[bytes, tuple[float, Publisher]] = {}
        self._asking: dict[bytes, asyncio.Task[Publisher]] = {}

    async def of(self, authorization: str | None) -> Publisher:
        """The publisher of an `Authorization` header. Raises `Rejected` (401)."""
        scheme, _, key = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not key.startswith(PREFIX) or not key.isascii():
            raise _unauthorized()
        hashed = keyhash(key)
        until, publisher = self._known.get(hashed, (0.0, None))
        if publisher is None or until < self._clock():
            publisher = await asyncio.shield(self._asked(hashed))
        return publisher

    def _asked(self, hashed: bytes) -> asyncio.Task[Publisher]:
        """One look-up for everybody who comes meanwhile: hundreds would take every connection of the pool."""
        if (task := self._asking.get(hashed)) is None:
            task = self._asking[hashed] = asyncio.create_task(self._look_up(hashed))
            task.add_done_callback(lambda _: self._asking.pop(hashed))
        return task

    async def _look_up(self, hashed: bytes) -> Publisher:
        publisher = await store.by_key(self._pool, hashed)
        if publisher is None:
            self._known.pop(hashed, None)
            raise _unauthorized()
        if len(self._known) >= MOST_REMEMBERED:
            self._known.clear()
        self._known[hashed] = self._clock() + REMEMBERED_SECONDS, publisher
        return publisher


def _unauthorized() -> Rejected:
    return Rejected("unauthorized", "Authorization: Bearer with a publisher's key (`cairn publisher add`)", status=401)
