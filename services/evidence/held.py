"""What waits for a person, or for what it corrects, is submitted again by itself once she, or that, is known.

Owns: when to look, and the way back through the same checks as at the door. Must not: count (the ledger does, in the append
that releases), or log an identifier.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Sequence

from prometheus_client import Counter

from services.chassis.errors import Conflict, Transient, Unavailable
from services.chassis.postgres import Pool, passing
from services.evidence.admit import Key
from services.evidence.corrections import UNKNOWN_TARGET, named_in
from services.evidence.domain import Batch, Draft, Hold
from services.evidence.parse import parse
from services.evidence.store import held as store
from services.evidence.store import publishers
from services.evidence.submit import UNKNOWN_STAFF, UNKNOWN_STUDENT, Door, TurnedAway

log = logging.getLogger(__name__)

# A roster import says so when it is done; this is for what happens in between, and costs one index scan.
LOOK_SECONDS = 10.0
RETRY_SECONDS = 1.0
KEYS_AT_ONCE = 500
# Released in one append, as many as a request may hold.
AT_ONCE = 500

released = Counter("cairn_held_released_total", "Held submissions that were let in or refused after all")


class Resubmission:
    """Goes through the held submissions again and again."""

    def __init__(self, door: Door, pool: Pool) -> None:
        self._door = door
        self._pool = pool

    async def run(self) -> None:
        """Go on until cancelled."""
        while True:
            try:
                with passing():  # the vault's and the store's connections fail like any other
                    came_in = await self.look()
                if came_in:
                    continue
                await asyncio.sleep(LOOK_SECONDS)
            except (Transient, Unavailable, Conflict) as fault:
                log.warning("held submissions stay held for now", extra={"reason": type(fault).__name__})
                await asyncio.sleep(RETRY_SECONDS)

    async def look(self) -> int:
        """Look once at everything that is held; how many were released. People first: what waits for them may be a target."""
        people = [await self._look_for(reason, self._known_people) for reason in (UNKNOWN_STUDENT, UNKNOWN_STAFF)]
        return sum(people) + await self._look_for(UNKNOWN_TARGET, self._known_targets)

    async def _known_people(self, keys: Collection[str]) -> list[str]:
        known = (await self._door.vault.resolve([_identifier(key) for key in keys])).pseudonyms
        return [key for key in keys if _identifier(key) in known]

    async def _known_targets(self, keys: Collection[str]) -> list[str]:
        known = await self._door.find([named_in(key) for key in keys])
        return [key for key in keys if named_in(key) in known]

    async def _look_for(self, reason: str, known: Callable[[Collection[str]], Awaitable[list[str]]]) -> int:
        count, after = 0, ""
        while True:
            with passing():
                keys = await store.keys(self._pool, reason, after, KEYS_AT_ONCE)
            if not keys:
                return count
            after = keys[-1]
            count += await self._release_all(reason, await known(keys))

    async def _release_all(self, reason: str, keys: Sequence[str]) -> int:
        count = 0
        while keys and (holds := await self._door.ledger.waiting(reason, keys, AT_ONCE)):
            count += await self._release(holds)
        return count

    async def _release(self, holds: Sequence[Hold]) -> int:
        """Take these out of the held, all of them: into the log, among the rejected, or to wait for somebody else."""
        drafts: list[Draft] = []
        refusals = []
        for publisher_name in {hold.publisher for hold in holds}:
            with passing():
                publisher = await publishers.by_name(self._pool, publisher_name)
            assert publisher is not None  # publishers are revoked, never deleted
            items = [parse(hold.payload, "event").items[0] for hold in holds if hold.publisher == publisher_name]
            passed = [self._door.admit(item, publisher, held=True) for item in items]
            for placed in await self._door.place(passed, publisher, held=True):
                if isinstance(placed, Hold):
                    await store.wait_for(self._pool, placed.source, placed.id, placed.reason, placed.key)
                elif isinstance(placed, TurnedAway):
                    refusals.append(placed.refusal)
                else:
                    drafts.append(placed)
        await self._append(Batch(drafts=tuple(drafts), refusals=tuple(refusals)))
        return len(drafts) + len(refusals)

    async def _append(self, batch: Batch) -> None:
        if not batch.drafts and not batch.refusals:
            return
        try:
            await self._door.ledger.append(batch)
        except Conflict:
            await self._door.vault.refresh()
            raise
        released.inc(len(batch.drafts) + len(batch.refusals))


def _identifier(key: str) -> Key:
    """The identifier in a held submission's key (see `admit.held_key`)."""
    scheme, _, value = key.partition(" ")
    return Key(scheme, value)
