"""Accepted → visible: from the moment a publisher holds its receipt until the view has folded that position, on a whole stack.

Inside the measure: relay, Kafka, the projector, its commit, and up to `POLL_SECONDS` of our own looking. The load is 2,000
events a second for `SECONDS`, in batches of 20 over 8 connections, by a process on the same machine.
"""

from __future__ import annotations

import asyncio
import time
from bisect import bisect_left
from collections import defaultdict

import httpx

from services.chassis import postgres
from services.chassis.postgres import Pool
from services.chassis.projection.serving import reading
from tests.bench.report import report_latency
from tests.e2e.load import Witness, publishing
from tests.e2e.platform import DAYS, STUDENTS, Platform, a_platform
from tests.e2e.projected import until_caught_up

RATE = 2000
SECONDS = 20
WARM_SECONDS = 5
POLL_SECONDS = 0.002


class Clocked(Witness):
    """The network, which also notes when each receipt was in the publisher's hands."""

    def __init__(self) -> None:
        super().__init__()
        self.times: dict[int, float] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        known = len(self.receipts)
        response = await super().handle_async_request(request)
        now = time.monotonic()
        for position in list(self.receipts.values())[known:]:
            self.times.setdefault(position, now)
        return response


async def watch(pool: Pool, seen: dict[int, list[tuple[int, float]]]) -> None:
    """Note when each partition's view has come to which position."""
    while True:
        async with reading(pool, "mastery") as (_, standing):
            now = time.monotonic()
            for cursor in standing.cursors:
                if not seen[cursor.partition] or seen[cursor.partition][-1][0] != cursor.positions[0]:
                    seen[cursor.partition].append((cursor.positions[0], now))
        await asyncio.sleep(POLL_SECONDS)


async def measure(platform: Platform) -> list[float]:
    """The seconds from receipt to view of every event after the warm-up."""
    settings = platform.settings
    seen: dict[int, list[tuple[int, float]]] = defaultdict(list)
    clocked = Clocked()
    async with await postgres.create_pool(settings["CAIRN_MASTERY_DATABASE"], application="bench", size=2) as pool:
        watching = asyncio.create_task(watch(pool, seen))
        begin = time.monotonic()
        async with publishing(platform, rate=RATE, witness=clocked):
            await asyncio.sleep(SECONDS)
        await until_caught_up(pool, max(clocked.times))
        watching.cancel()
    async with await postgres.create_pool(settings["CAIRN_EVIDENCE_DATABASE"], application="bench", size=1) as pool:
        rows = await pool.fetch("SELECT position, partition FROM ledger WHERE position = ANY($1::bigint[])", list(clocked.times))
    return [
        seen[row["partition"]][bisect_left(seen[row["partition"]], (row["position"], 0.0))][1] - clocked.times[row["position"]]
        for row in rows
        if clocked.times[row["position"]] - begin > WARM_SECONDS
    ]


def main() -> None:
    with a_platform() as platform:
        platform.cairn("seed", "highschool", "--students", str(STUDENTS), "--days", str(DAYS))
        taken = sorted(asyncio.run(measure(platform)))
    p50, p99 = (1000 * taken[int(len(taken) * share)] for share in (0.5, 0.99))
    report_latency(
        "accepted → visible", p50=p50, p99=p99, most_p50=50, most_p99=250, rate=RATE, events=len(taken), students=STUDENTS
    )


if __name__ == "__main__":
    main()
