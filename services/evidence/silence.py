"""Publishers of whom an expected delivery has not come, as a metric to be alarmed by.

Owns: the gauges. Must not: decide what silent means (`scorecards.py` does).
"""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime

from prometheus_client import Gauge

from services.chassis.errors import Transient
from services.chassis.postgres import Pool, passing
from services.evidence.store import scorecards

log = logging.getLogger(__name__)

# Expectations are in hours; a look costs two small queries.
LOOK_SECONDS = 15.0

silent = Gauge("cairn_publisher_silent", "1: a delivery that was expected of the publisher has not come", ["publisher"])
seen = Gauge("cairn_publisher_last_seen_seconds", "When anything of the publisher's was received last, in Unix time", ["publisher"])


class Silence:
    """Looks again and again at when publishers were last seen."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def run(self) -> None:
        """Go on until cancelled."""
        while True:
            try:
                await self.look()
            except Transient as fault:
                log.warning("nobody looks for silent publishers now", extra={"reason": str(fault)})
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        """Look once."""
        with passing():
            zone, cards = await scorecards.zone(self._pool), await scorecards.read(self._pool)
        now = datetime.now(UTC)
        for card in cards:
            silent.labels(card.publisher).set(card.silent(now, zone))
            if card.last_seen is not None:
                seen.labels(card.publisher).set(card.last_seen.timestamp())
