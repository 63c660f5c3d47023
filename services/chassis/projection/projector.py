"""The live projector: one generation of a view, folded from Kafka.

The rebalance listener only marks partitions; the handler claims one before it applies: raise the epoch and read the cursor
in one statement, seek, drop what is in hand. (The library hands over records that it fetched before a slow listener has
sought, and goes on consuming when a listener raises.) Broker offsets are committed for dashboards, and never believed.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError
from prometheus_client import Counter, Gauge

from contracts.codec import decode
from contracts.events import LogOpened
from services.chassis import kafka, telemetry
from services.chassis.errors import Paused, Transient, Unavailable
from services.chassis.kafka import Record
from services.chassis.postgres import Pool, passing
from services.chassis.projection import serving
from services.chassis.projection.apply import Applied, Applier
from services.chassis.projection.assignment import Assignment
from services.chassis.projection.cursor import Cursor, Gap, Lost
from services.chassis.projection.view import Entry, View
from services.chassis.projection.watching import Watch

S = TypeVar("S")
log = logging.getLogger(__name__)

# Asks the owner of an input (by index) to publish a partition again from a sequence on.
AskAgain = Callable[[int, int, int], Awaitable[None]]

# Transactions of different partitions that overlap: while one waits for Postgres another folds. More would only queue.
CONCURRENT = 4
# An owner that was asked to publish again gets this long before it is asked once more.
ASK_SECONDS = 10.0
# A sequence that is missing is looked for twice, by the hint and by the tick; after that its owner is asked.
PATIENT_TRIES = 2
# Waits between attempts after a passing fault, in seconds.
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0

APPLIED = Counter("cairn_projection_entries", "Entries applied or ignored as repeats", ["view", "generation"])
PARKED = Counter("cairn_projection_parked", "Students parked", ["view", "generation"])
PAUSED = Gauge("cairn_projection_paused", "1 while the projection stands still and needs somebody", ["view", "generation"])


class Projector(Generic[S]):
    """Folds one generation until `run` is cancelled. Several may run, in one process or many, on the same consumer group.

    `paused` says why it stands still, if it does: nothing is skipped, somebody has to mend the cause.
    """

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
        self._ask_again = ask_again
        self._labels = (view.name, str(applier.generation))
        self._assignment = Assignment(topics)
        self._gaps: dict[tuple[int, int, int], int] = {}  # (partition, input, sequence) -> how often it was missed
        self._asked: dict[tuple[int, int, int], float] = {}
        self._slots = asyncio.Semaphore(CONCURRENT)
        self._fatal: Unavailable | None = None
        self.paused: str | None = None

    @property
    def problem(self) -> str | None:
        """For `/readyz`: why it stands still, or what it waits for; None while it does its work."""
        if self.paused is not None:
            return self.paused
        missing = [
            f"sequence {s} of input {i} in partition {p}" for (p, i, s), tries in self._gaps.items() if tries > PATIENT_TRIES
        ]
        return f"waits for {', '.join(sorted(missing))}, which its owner was asked to publish again" if missing else None

    async def run(self) -> None:
        """Consume for ever; a consumer that is stuck is replaced. Raises only what needs a person (`Unavailable`)."""
        while True:
            try:
                await self._consume()
            except KafkaError as error:
                log.warning("the consumer failed; a new one is made", extra={"error": type(error).__name__})
                await asyncio.sleep(1)

    async def _consume(self) -> None:
        broker = kafka.broker(self._bootstrap, f"{self._view.name}.g{self._applier.generation}")
        group = serving.schema_of(self._view.name, self._applier.generation)
        subscriber = kafka.subscriber(broker, *self._assignment.topics, group=group, listener=self._assignment)
        subscriber(self._handle)
        self._assignment.subscriber = subscriber
        self._assignment.mark()
        watch = Watch(
            self._pool,
            self._assignment,
            self._view.name,
            self._applier.generation,
            check=self._raise_fatal,
            paused=lambda: self.paused is not None,
        )
        try:
            await broker.start()
            await watch.run()
        finally:
            await broker.stop()

    def _raise_fatal(self) -> None:
        if self._fatal is not None:
            raise self._fatal

    # The handler: claim, decode, apply; nothing is ever skipped.

    async def _handle(self, records: tuple[Record, ...]) -> None:
        assignment = self._assignment.number
        partitions: dict[int, list[Record]] = {}
        for record in records:
            partitions.setdefault(record.partition, []).append(record)
        await asyncio.gather(*(self._handle_partition(p, batch, assignment) for p, batch in partitions.items()))

    async def _handle_partition(self, partition: int, records: Sequence[Record], assignment: int) -> None:
        """Claim or apply, as often as it takes. Returns without effect when the partition is marked meanwhile."""
        pause = FIRST_PAUSE
        while assignment == self._assignment.number:
            try:
                async with self._slots:
                    with passing():
                        await self._claim_or_apply(partition, records, assignment)
                return
            except Unavailable as error:
                self._fatal = error
                return
            except Transient as error:
                log.warning("a passing fault; the same batch is tried again", extra={"partition": partition, "fault": str(error)})
            except Paused as error:
                self._pause(error.reason)
            except Exception as error:
                # A bug of ours: nothing may be skipped, so the projection stands still until it is mended.
                log.error("applying a batch failed", exc_info=error)
                self._pause(type(error).__name__)
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)
        self._go_on()  # the partition is another worker's, or will be claimed anew: whatever is wrong will show again

    async def _claim_or_apply(self, partition: int, records: Sequence[Record], assignment: int) -> None:
        if partition not in self._assignment.cursors:
            cursor = await self._applier.claim(partition)
            if assignment == self._assignment.number:  # else it was marked meanwhile, and the claim is void
                self._assignment.claim(cursor)
            return
        try:
            applied = await self._apply(partition, [self._entry(record) for record in records])
        except Lost:
            if assignment == self._assignment.number:
                self._assignment.lose(partition)
        except Gap as gap:
            if assignment == self._assignment.number:
                await self._look_back(gap)
        else:
            if assignment == self._assignment.number:  # else it was marked meanwhile: what was applied stays, the claim does not
                self._after(partition, applied, len(records))

    async def _apply(self, partition: int, entries: Sequence[Entry]) -> Applied:
        before = self._applier.parked
        generation, traces = self._applier.generation, (entry.traceparent for entry in entries)
        with telemetry.span(
            "project", linked=traces, view=self._view.name, generation=generation, partition=partition, events=len(entries)
        ):
            applied = await self._applier.apply(partition, entries)
        if parked := self._applier.parked - before:
            PARKED.labels(*self._labels).inc(parked)
        return applied

    def _after(self, partition: int, applied: Applied, entries: int) -> None:
        APPLIED.labels(*self._labels).inc(entries)
        self._assignment.cursors[partition] = applied.cursor
        self._close_gaps(partition, applied.cursor)
        if applied.held:
            self._assignment.hold(partition, applied.held)
        self._go_on()

    def _go_on(self) -> None:
        if self.paused is not None:
            self.paused = None
            PAUSED.labels(*self._labels).set(0)

    def _pause(self, reason: str) -> None:
        if self.paused is None:
            log.error("the projection is paused", extra={"reason": reason})
        self.paused = reason
        PAUSED.labels(*self._labels).set(1)

    def _entry(self, record: Record) -> Entry:
        if record.position is None or record.sequence is None:
            raise Paused(f"a record without position or sequence at {record.topic}/{record.partition}/{record.offset}")
        try:
            event = decode(record.value)
        except ValueError as error:
            raise Paused(str(error)) from None
        if isinstance(event.data, LogOpened):
            self._check_partitions(record.topic, event.data.partitions)
        return Entry(
            input=self._assignment.input_of(record.topic),
            partition=record.partition,
            sequence=record.sequence,
            position=record.position,
            offset=record.offset,
            event=event,
            record=record.value,
            traceparent=record.traceparent,
        )

    def _check_partitions(self, topic: str, opened: int) -> None:
        found = len(self._assignment.consumer.partitions_for_topic(topic) or ())
        if found != opened:
            raise Unavailable(f"the log was opened with {opened} partitions, and {topic} has {found}: the count is fixed for life")

    # Gaps.

    async def _look_back(self, gap: Gap) -> None:
        """Seek to the hint once; if it was a bad one, by the last tick's time; if that fails too, ask the owner to publish again.

        From then on records are read and not applied, until the missing one comes.
        """
        key = (gap.partition, gap.input, gap.expected)
        tries = self._gaps.get(key, 0)
        log.warning("a sequence is missing", extra={"partition": gap.partition, "input": gap.input, "tries": tries})
        target = self._assignment.target(gap.input, gap.partition)
        if tries == 0:
            self._assignment.seek(self._assignment.cursors[gap.partition], [gap.input])
        elif tries < PATIENT_TRIES:
            self._assignment.consumer.seek(target, await self._offset_at_tick(target, gap))
        else:
            await self._ask_owner(gap)
        self._gaps[key] = tries + 1

    def _close_gaps(self, partition: int, cursor: Cursor) -> None:
        for key in [key for key in self._gaps if key[0] == partition and key[2] < cursor.next[key[1]]]:
            del self._gaps[key]
            self._asked.pop(key, None)

    async def _ask_owner(self, gap: Gap) -> None:
        now = asyncio.get_running_loop().time()
        key = (gap.partition, gap.input, gap.expected)
        if self._ask_again is not None and now - self._asked.get(key, -ASK_SECONDS) >= ASK_SECONDS:
            await self._ask_again(gap.input, gap.partition, gap.expected)
            self._asked[key] = now

    async def _offset_at_tick(self, target: TopicPartition, gap: Gap) -> int:
        tick = self._assignment.cursors[gap.partition].ticks[gap.input]
        if tick is None:
            return 0
        try:
            found = await self._assignment.consumer.offsets_for_times({target: int(tick.timestamp() * 1000)})
        except KafkaError as error:
            raise Transient(f"Kafka: {type(error).__name__}") from None
        return found[target].offset if found[target] is not None else 0
