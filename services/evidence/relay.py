"""The worker's duties to the log: publish it, let time pass in it, forget what is kept for 30 days only."""

from __future__ import annotations

import asyncio
import logging
from time import monotonic

from contracts.topics import EVIDENCE_LOG, Topic
from services.chassis.errors import Transient, Unavailable
from services.chassis.log.relay import Relay
from services.chassis.postgres import Pool
from services.evidence.ledger import Ledger
from services.evidence.store.feed import LedgerFeed

log = logging.getLogger(__name__)

# How late a tick that no append puts may be. A tick is due a second after the last.
TIMER_SECONDS = 0.25
# How long a fault of the moment, or a refusal, is left alone.
RETRY_SECONDS = 1.0
EXPIRE_SECONDS = 60


def relay(pool: Pool, partitions: int, bootstrap: str, topic: Topic = EVIDENCE_LOG) -> Relay[int]:
    """The relay from the ledger to `evidence.log`."""
    return Relay(LedgerFeed(pool, partitions), pool, bootstrap, topic)


class Timer:
    """Ticks when nothing is appended. It compares first, as a gateway does: a tick is an append."""

    def __init__(self, ledger: Ledger, bootstrap: str, topic: Topic = EVIDENCE_LOG) -> None:
        self._ledger = ledger
        self._bootstrap = bootstrap
        self._topic = topic

    async def run(self) -> None:
        """Go on until cancelled."""
        expired = monotonic()
        while True:
            try:
                if self._ledger.ready():
                    await self._ledger.compare(self._bootstrap, self._topic)
                await self._ledger.pass_time()
                if monotonic() - expired > EXPIRE_SECONDS:
                    expired = monotonic()
                    await self._ledger.expire()
                await asyncio.sleep(TIMER_SECONDS)
            except (Transient, Unavailable) as fault:
                log.warning("time stands still: %s", fault)
                await asyncio.sleep(RETRY_SECONDS)
