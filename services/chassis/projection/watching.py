"""What is looked after beside a projector's handler: cuts to lift, partitions that nobody wakes, consumers that are stuck."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError
from prometheus_client import Gauge

from services.chassis.errors import Transient
from services.chassis.postgres import Pool, passing
from services.chassis.projection import serving
from services.chassis.projection.assignment import Assignment

log = logging.getLogger(__name__)

WATCH_SECONDS = 0.2
# A consumer that does not move for this long while its topic's end does is stuck (aiokafka #1154, #847): make a new one.
STUCK_SECONDS = 30.0
# A partition that is assigned and gives no record is sought again after this long; sooner would cut off its own fetch.
WAKE_SECONDS = 3.0
# How often offsets are committed, for lag dashboards.
COMMIT_SECONDS = 5.0

POSITION = Gauge("cairn_projection_position", "Last position applied", ["view", "generation", "partition", "topic"])
LAG = Gauge("cairn_projection_lag", "Records of the topic not yet applied", ["view", "generation", "partition", "topic"])


class Watch:
    """Watches one consumer. `check` raises what must end the projector; `paused` says whether standing still is meant."""

    def __init__(
        self,
        pool: Pool,
        assignment: Assignment,
        name: str,
        generation: int,
        *,
        check: Callable[[], None],
        paused: Callable[[], bool],
    ) -> None:
        self._pool = pool
        self._assignment = assignment
        self._name = name
        self._generation = generation
        self._check = check
        self._paused = paused
        self._woken = 0.0
        self._committed = 0.0
        self._moved_at: dict[TopicPartition, tuple[int, float]] = {}

    async def run(self) -> None:
        """Watch until the consumer must be replaced."""
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            self._check()
            try:
                with passing():
                    await self._lift_cuts()
                    await self._wake_unclaimed()
            except Transient as error:
                log.warning("a passing fault while watching", extra={"fault": str(error)})
            await self._commit()
            if self._report() and not self._paused():
                log.warning("the consumer stands still while its topic moves; a new one is made")
                return

    async def _lift_cuts(self) -> None:
        if not self._assignment.held:
            return
        async with self._pool.acquire() as connection:
            served = await serving.peek(connection)
        if served.cuts(self._generation) is None:
            for partition in list(self._assignment.held):
                self._assignment.lift(partition)

    async def _wake_unclaimed(self) -> None:
        """A partition whose committed offset is at its end gives no record to claim with: seek it to where the cursor stands."""
        now = asyncio.get_running_loop().time()
        if now - self._woken < WAKE_SECONDS or not self._assignment.unclaimed():
            return
        self._woken = now
        async with self._pool.acquire() as connection:
            cursors = await serving.cursors_of(connection, self._name, self._generation)
        unclaimed = self._assignment.unclaimed()
        for cursor in cursors:
            if cursor.partition in unclaimed:
                self._assignment.seek(cursor, range(len(self._assignment.topics)))

    async def _commit(self) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._committed < COMMIT_SECONDS:
            return
        self._committed = now
        cursors = self._assignment.cursors
        offsets = {
            target: cursors[target.partition].offsets[self._assignment.input_of(target.topic)]
            for target in self._assignment.consumer.assignment()
            if target.partition in cursors
        }
        try:
            if offsets:
                await self._assignment.consumer.commit(offsets)
        except KafkaError as error:
            log.warning("offsets for dashboards were not committed", extra={"error": type(error).__name__})

    def _report(self) -> bool:
        """Tell positions and lags; True if a partition that has records to read has not moved for too long."""
        now = asyncio.get_running_loop().time()
        stuck = False
        for target in self._assignment.consumer.assignment():
            cursor = self._assignment.cursors.get(target.partition)
            end = self._assignment.consumer.highwater(target)
            if cursor is None or end is None:
                continue
            input = self._assignment.input_of(target.topic)
            labels = (self._name, str(self._generation), str(target.partition), target.topic)
            POSITION.labels(*labels).set(cursor.positions[input])
            LAG.labels(*labels).set(max(0, end - cursor.offsets[input]))
            stuck |= self._stands_still(target, cursor.offsets[input], end, now)
        return stuck

    def _stands_still(self, target: TopicPartition, offset: int, end: int, now: float) -> bool:
        last, since = self._moved_at.get(target, (-1, now))
        held = self._assignment.input_of(target.topic) in self._assignment.held.get(target.partition, frozenset())
        if offset != last or offset >= end or held:
            self._moved_at[target] = (offset, now)
            return False
        return now - since > STUCK_SECONDS
