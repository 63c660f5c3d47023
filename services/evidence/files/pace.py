"""An import yields to live traffic: it appends only when it finds the ledger's head free.

Every append, whoever's, holds the head's row lock while it works, so a head that is found locked is live traffic being served.
The import asks three times, a few milliseconds apart, before each of its own appends, and waits longer each time it was in the
way. It is never starved: after `LONGEST_WAIT` it takes its turn in the queue like anybody, 200 rows.
"""

from __future__ import annotations

import asyncio
from time import monotonic

from prometheus_client import Counter

from services.chassis.postgres import Pool, passing
from services.evidence.store import files as store

# Found free so many times in succession: one look would mostly fall between two appends of a busy gateway.
LOOKS = 3
LOOK_SECONDS = 0.004
FIRST_WAIT = 0.02
MOST_PAUSE = 0.25
# An import of a million rows under traffic that never ends goes on at 100 rows a second: slow, but it ends.
LONGEST_WAIT = 2.0

yielded = Counter("cairn_import_yields_total", "Times that an import found the ledger busy and waited")


async def wait_for_a_gap(pool: Pool) -> None:
    """Return when the head was free at each of a few looks, or `LONGEST_WAIT` seconds have passed."""
    deadline, pause = monotonic() + LONGEST_WAIT, FIRST_WAIT
    while not await _is_free(pool) and monotonic() < deadline:
        yielded.inc()
        await asyncio.sleep(pause)
        pause = min(2 * pause, MOST_PAUSE)


async def _is_free(pool: Pool) -> bool:
    for look in range(LOOKS):
        if look:
            await asyncio.sleep(LOOK_SECONDS)
        with passing():
            if not await store.head_is_free(pool):
                return False
    return True
