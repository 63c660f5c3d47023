"""Which of the workers reads which inbox. One at a time, taken over when its worker is gone; that two read one does no harm.

Owns: the holds, and a reader and a teller for each inbox that is held. Must not: be what keeps a record from being counted twice
(the cursor is).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from uuid import uuid4

from prometheus_client import Gauge

from services.chassis.errors import Transient
from services.chassis.postgres import Pool, passing
from services.evidence.grants import Publisher
from services.evidence.inbox.reader import STANDING, InboxReader, Pace
from services.evidence.inbox.teller import Teller
from services.evidence.store import inbox as store
from services.evidence.submit import Door

log = logging.getLogger(__name__)

# How long a hold lasts: so late is an inbox taken over whose worker was killed.
HOLD_SECONDS = 5.0
# How often holds are renewed, new inboxes found and grants looked up. A grant that was taken away goes on for so long.
LOOK_SECONDS = 1.0
# A reader that fell over an error of ours begins again: its publisher waits, the others don't.
FALLEN_SECONDS = 5.0

HELD = Gauge("cairn_inboxes", "Inboxes that this process reads")


class InboxReaders:
    """Reads every inbox that no other worker reads."""

    def __init__(self, door: Door, pool: Pool, bootstrap: str, pace: Pace) -> None:
        self._me = uuid4()
        self._door = door
        self._pool = pool
        self._bootstrap = bootstrap
        self._pace = pace
        self._reading: dict[str, tuple[InboxReader, list[asyncio.Task[None]]]] = {}

    async def run(self) -> None:
        """Go on until cancelled, then leave the inboxes to others."""
        try:
            while True:
                await self._look()
                await asyncio.sleep(LOOK_SECONDS)
        finally:
            await self._stop(list(self._reading))
            await self._let_go()

    async def _look(self) -> None:
        try:
            with passing():
                publishers = {each.name: each for each in await store.hold(self._pool, self._me, HOLD_SECONDS)}
        except Transient as fault:
            log.warning("inboxes are read on without a hold: %s", fault)
            return
        await self._stop([name for name in self._reading if name not in publishers])
        for name, publisher in publishers.items():
            if name in self._reading:
                self._reading[name][0].publisher = publisher
            else:
                self._reading[name] = self._begin(publisher)
        HELD.set(len(self._reading))

    def _begin(self, publisher: Publisher) -> tuple[InboxReader, list[asyncio.Task[None]]]:
        reader = InboxReader(publisher, self._door, self._pool, self._bootstrap, self._pace)
        teller = Teller(publisher.name, reader.answered, self._pool, self._bootstrap)
        return reader, [asyncio.create_task(_upright(each, publisher.name)) for each in (reader.run, teller.run)]

    async def _stop(self, names: list[str]) -> None:
        tasks = [task for name in names for task in self._reading.pop(name)[1]]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _let_go(self) -> None:
        try:
            with passing():
                await store.let_go(self._pool, self._me)
        except Transient as fault:
            log.warning("holds run out by themselves: %s", fault)


async def _upright(run: Callable[[], Awaitable[None]], publisher: str) -> None:
    """Begin again after an error that nobody thought of. It is a bug, and one publisher's records must not stop the others'."""
    while True:
        try:
            await run()
        except Exception as error:
            STANDING.labels(publisher).set(1)
            log.error("an inbox fell over", extra={"publisher": publisher}, exc_info=error)
            await asyncio.sleep(FALLEN_SECONDS)
