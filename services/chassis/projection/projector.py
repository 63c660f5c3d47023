"""The live projector: one generation of a view, folded from Kafka.

The rebalance listener only marks partitions; the handler claims one before it applies: raise the epoch and read the cursor
in one statement, seek, drop what is in hand. (The library hands over records that it fetched before a slow listener has
sought, and goes on consuming when a listener raises.) Broker offsets are committed for dashboards, and never believed.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

from aiokafka import ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import KafkaError
from prometheus_client import Counter, Gauge

from contracts.codec import decode
from contracts.events import LogOpened
from services.chassis import kafka, telemetry
from services.chassis.errors import Transient, Unavailable, Unknown
from services.chassis.kafka import Record
from services.chassis.postgres import Pool, passing
from services.chassis.projection import serving
from services.chassis.projection.apply import Applied, Applier
from services.chassis.projection.cursor import Cursor, Gap, Lost
from services.chassis.projection.view import Entry, View

S = TypeVar("S")
log = logging.getLogger(__name__)

# Asks the owner of an input (by index) to publish a partition again from a sequence on.
AskAgain = Callable[[int, int, int], Awaitable[None]]

# Transactions of different partitions that overlap: while one waits for Postgres another folds. More would only queue.
CONCURRENT = 4
# A consumer that does not move for this long while its topic's end does is stuck (aiokafka #1154, #847): make a new one.
STUCK_SECONDS = 30.0
# How often held partitions, unclaimed partitions and metrics are looked after.
WATCH_SECONDS = 0.2
# A partition that is assigned and gives no record is sought again after this long; sooner would cut off its own fetch.
WAKE_SECONDS = 3.0
# How often offsets are committed, for lag dashboards.
COMMIT_SECONDS = 5.0
# More parked students than this within a minute is a bad deploy, not bad events: stop before it parks a district.
PARKED_A_MINUTE = 50
# Waits between attempts after a passing fault, in seconds.
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0

POSITION = Gauge("cairn_projection_position", "Last position applied", ["view", "generation", "partition", "topic"])
LAG = Gauge("cairn_projection_lag", "Records of the topic not yet applied", ["view", "generation", "partition", "topic"])
APPLIED = Counter("cairn_projection_entries", "Entries applied or ignored as repeats", ["view", "generation"])
PARKED = Counter("cairn_projection_parked", "Students parked", ["view", "generation"])
PAUSED = Gauge("cairn_projection_paused", "1 while the projection stands still and needs somebody", ["view", "generation"])


class Projector(Generic[S]):
    """Folds one generation until `run` is cancelled. Several may run, in one process or many, on the same consumer group."""

    def __init__(
        self,
        pool: Pool,
        view: View[S],
        applier: Applier[S],
        bootstrap: str,
        *,
        topics: Sequence[str],
        ask_again: AskAgain | None = None,
    ) -> None:
        self._pool = pool
        self._view = view
        self._applier = applier
        self._bootstrap = bootstrap
        self._inputs = {topic: index for index, topic in enumerate(topics)}
        self._ask_again = ask_again
        self._labels = {"view": view.name, "generation": str(applier.generation)}
        self._assignments = 0  # raised at every rebalance: a claim made before it is void
        self._claimed: dict[int, int] = {}
        self._cursors: dict[int, Cursor] = {}
        self._held: dict[int, frozenset[int]] = {}
        self._gaps: dict[tuple[int, int], int] = {}
        self._parkings: deque[float] = deque()
        self._moved_at: dict[TopicPartition, tuple[int, float]] = {}
        self._slots = asyncio.Semaphore(CONCURRENT)
        self._subscriber: Any = None
        self._woken = 0.0
        self._committed = 0.0
        self._fatal: Unavailable | None = None
        self.paused: str | None = None

    async def run(self) -> None:
        """Consume for ever; a consumer that is stuck is replaced. Raises only what needs a person (`Unavailable`)."""
        while True:
            broker = kafka.broker(self._bootstrap, f"{self._view.name}.g{self._applier.generation}")
            listener = _Listener(self._rebalanced)
            group = f"{serving.schema_of(self._view.name, self._applier.generation)}"
            self._subscriber = kafka.subscriber(broker, *self._inputs, group=group, listener=listener)
            self._subscriber(self._handle)
            self._rebalanced()
            try:
                await broker.start()
                await self._watch()
            except KafkaError as error:
                log.warning("the consumer failed; a new one is made", extra={"error": type(error).__name__})
                await asyncio.sleep(1)
            finally:
                await broker.stop()

    @property
    def cursors(self) -> Mapping[int, Cursor]:
        """The cursors of the partitions that this worker has claimed."""
        return self._cursors

    def _rebalanced(self) -> None:
        self._assignments += 1
        self._claimed.clear()
        self._cursors.clear()
        self._held.clear()
        self._moved_at.clear()

    # The handler: claim, decode, apply; nothing is ever skipped.

    async def _handle(self, records: tuple[Record, ...]) -> None:
        assignment = self._assignments
        partitions: dict[int, list[Record]] = {}
        for record in records:
            partitions.setdefault(record.partition, []).append(record)
        await asyncio.gather(*(self._handle_partition(p, batch, assignment) for p, batch in partitions.items()))

    async def _handle_partition(self, partition: int, records: Sequence[Record], assignment: int) -> None:
        pause = FIRST_PAUSE
        while assignment == self._assignments:
            try:
                async with self._slots:
                    with passing():
                        await self._claim_or_apply(partition, records, assignment)
                return
            except Transient as error:
                log.warning("a passing fault; the same batch is tried again", extra={"partition": partition, "fault": str(error)})
            except Unavailable as error:
                self._fatal = error
                return
            except Unknown as error:
                self._pause(str(error))
            except Exception as error:
                # A bug of ours: nothing may be skipped, so the projection stands still until it is mended.
                log.error("applying a batch failed", exc_info=error)
                self._pause(type(error).__name__)
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)

    async def _claim_or_apply(self, partition: int, records: Sequence[Record], assignment: int) -> None:
        if self._claimed.get(partition) != assignment:
            return await self._claim(partition, assignment)
        if self._burst():
            raise Unknown("many students were parked within a minute; mend the cause and restart")
        entries = [self._entry(record) for record in records]
        with telemetry.span(
            "project",
            linked=(record.traceparent for record in records),
            view=self._view.name,
            generation=self._applier.generation,
            partition=partition,
            events=len(entries),
        ):
            try:
                applied = await self._apply(partition, entries)
            except Lost:
                self._claimed.pop(partition, None)
                return None
            except Gap as gap:
                return await self._look_back(gap)
        self._after(partition, applied, len(entries))
        return None

    async def _apply(self, partition: int, entries: Sequence[Entry]) -> Applied:
        before = self._applier.parked
        applied = await self._applier.apply(partition, entries)
        parked = self._applier.parked - before
        if parked:
            PARKED.labels(**self._labels).inc(parked)
            self._parkings.extend([asyncio.get_running_loop().time()] * parked)
        return applied

    def _burst(self) -> bool:
        now = asyncio.get_running_loop().time()
        while self._parkings and self._parkings[0] < now - 60:
            self._parkings.popleft()
        return len(self._parkings) > PARKED_A_MINUTE

    def _pause(self, reason: str) -> None:
        if self.paused is None:
            log.error("the projection is paused", extra={"reason": reason})
        self.paused = reason
        PAUSED.labels(**self._labels).set(1)

    def _after(self, partition: int, applied: Applied, entries: int) -> None:
        APPLIED.labels(**self._labels).inc(entries)
        self._cursors[partition] = applied.cursor
        self._gaps = {key: sequence for key, sequence in self._gaps.items() if key[0] != partition}
        if applied.held:
            self._held[partition] = self._held.get(partition, frozenset()) | applied.held
            self._consumer.pause(*(self._topic_partition(input, partition) for input in applied.held))
        if self.paused is not None:
            self.paused = None
            PAUSED.labels(**self._labels).set(0)

    def _entry(self, record: Record) -> Entry:
        if record.position is None or record.sequence is None:
            raise Unknown(f"a record without position or sequence at {record.topic}/{record.partition}/{record.offset}")
        try:
            event = decode(record.value)
        except ValueError as error:
            raise Unknown(str(error)) from None
        if isinstance(event.data, LogOpened) and event.data.partitions != self._partitions:
            raise Unavailable(f"the log was opened with {event.data.partitions} partitions, its topic has {self._partitions}")
        return Entry(
            input=self._inputs[record.topic],
            partition=record.partition,
            sequence=record.sequence,
            position=record.position,
            offset=record.offset,
            event=event,
            record=record.value,
            traceparent=record.traceparent,
        )

    # Claims and gaps.

    async def _claim(self, partition: int, assignment: int) -> None:
        cursor = await self._applier.claim(partition)
        if assignment != self._assignments:
            return  # marked again meanwhile: the claim is void
        self._seek(cursor)
        self._claimed[partition] = assignment
        self._cursors[partition] = cursor

    def _seek(self, cursor: Cursor, inputs: Sequence[int] | frozenset[int] | None = None) -> None:
        for input in inputs if inputs is not None else range(len(self._inputs)):
            target = self._topic_partition(input, cursor.partition)
            if target in self._consumer.assignment():
                self._consumer.seek(target, cursor.offsets[input])

    async def _look_back(self, gap: Gap) -> None:
        """Seek to the hint once; if it was a bad one, by the last tick's time; if that fails too, ask the owner to publish again.

        From then on records are read and not applied, until the missing one comes.
        """
        key = (gap.partition, gap.input)
        tries = self._gaps.get(key, 0)
        self._gaps[key] = tries + 1
        cursor = self._cursors[gap.partition]
        target = self._topic_partition(gap.input, gap.partition)
        log.warning("a sequence is missing", extra={"partition": gap.partition, "input": gap.input, "tries": tries})
        if tries == 0:
            self._consumer.seek(target, cursor.offsets[gap.input])
        elif tries == 1:
            self._consumer.seek(target, await self._offset_at_tick(target, cursor, gap.input))
        elif tries == 2 and self._ask_again is not None:
            await self._ask_again(gap.input, gap.partition, gap.expected)

    async def _offset_at_tick(self, target: TopicPartition, cursor: Cursor, input: int) -> int:
        tick = cursor.ticks[input]
        if tick is None:
            return 0
        found = await self._consumer.offsets_for_times({target: int(tick.timestamp() * 1000)})
        return found[target].offset if found[target] is not None else 0

    # What is looked after beside the handler.

    async def _watch(self) -> None:
        """Lift cuts, wake partitions that nobody claims, report positions. Returns when the consumer must be replaced."""
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            if self._fatal is not None:
                raise self._fatal
            try:
                with passing():
                    await self._lift_cuts()
                    await self._wake_unclaimed()
                if await self._report():
                    log.warning("the consumer stands still while its topic moves; a new one is made")
                    return
            except Transient as error:
                log.warning("a passing fault while watching", extra={"fault": str(error)})

    async def _lift_cuts(self) -> None:
        if not self._held:
            return
        async with self._pool.acquire() as connection:
            served = await serving.peek(connection)
        if served.cuts(self._applier.generation) is not None:
            return
        for partition, inputs in list(self._held.items()):
            del self._held[partition]
            self._seek(self._cursors[partition], inputs)
            self._consumer.resume(*(self._topic_partition(input, partition) for input in inputs))

    async def _wake_unclaimed(self) -> None:
        """A partition whose committed offset is at its end gives no record to claim with: seek it to where the cursor stands."""
        assigned = {target.partition for target in self._consumer.assignment()}
        unclaimed = assigned - self._claimed.keys()
        now = asyncio.get_running_loop().time()
        if not unclaimed or now - self._woken < WAKE_SECONDS:
            return
        self._woken = now
        async with self._pool.acquire() as connection:
            for cursor in await serving.cursors_of(connection, self._view.name, self._applier.generation):
                if cursor.partition in unclaimed and cursor.partition not in self._claimed:
                    self._seek(cursor)

    async def _report(self) -> bool:
        """Metrics and offsets for dashboards; True if a partition that has records to read has not moved for too long."""
        now = asyncio.get_running_loop().time()
        stuck = False
        for target in self._consumer.assignment():
            cursor = self._cursors.get(target.partition)
            end = self._consumer.highwater(target)
            if cursor is None or end is None:
                continue
            input = self._inputs[target.topic]
            labels = {**self._labels, "partition": str(target.partition), "topic": target.topic}
            POSITION.labels(**labels).set(cursor.positions[input])
            LAG.labels(**labels).set(max(0, end - cursor.offsets[input]))
            stuck |= self._stands_still(target, cursor.offsets[input], end, now)
        if now - self._committed > COMMIT_SECONDS:
            self._committed = now
            await self._commit()
        return stuck and self.paused is None

    async def _commit(self) -> None:
        offsets = {
            target: self._cursors[target.partition].offsets[self._inputs[target.topic]]
            for target in self._consumer.assignment()
            if target.partition in self._cursors
        }
        try:
            if offsets:
                await self._consumer.commit(offsets)
        except KafkaError as error:
            log.warning("offsets for dashboards were not committed", extra={"error": type(error).__name__})

    def _stands_still(self, target: TopicPartition, offset: int, end: int, now: float) -> bool:
        last, since = self._moved_at.get(target, (-1, now))
        held = self._inputs[target.topic] in self._held.get(target.partition, frozenset())
        if offset != last or offset >= end or held:
            self._moved_at[target] = (offset, now)
            return False
        return now - since > STUCK_SECONDS

    @property
    def _consumer(self) -> Any:
        return self._subscriber.consumer

    @property
    def _partitions(self) -> int:
        return len(self._consumer.partitions_for_topic(next(iter(self._inputs))) or ())

    def _topic_partition(self, input: int, partition: int) -> TopicPartition:
        return TopicPartition(list(self._inputs)[input], partition)


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]
    """Marks, and does nothing else: claiming is the handler's."""

    def __init__(self, mark: Callable[[], None]) -> None:
        self._mark = mark

    async def on_partitions_revoked(self, revoked: Any) -> None:
        self._mark()

    async def on_partitions_assigned(self, assigned: Any) -> None:
        self._mark()
