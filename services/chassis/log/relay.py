"""The relay: from a log in Postgres to its topic in Kafka, bytes unchanged, in order, nothing missing.

It keeps no state of its own: where it goes on is read from the topic's tail. Two may run at once, one may be killed at any
moment: that makes repeats, which consumers ignore, and first occurrences stay in order.
Must not: change a byte, or go on when topic and log do not belong together (`tail.compare`).

It polls. LISTEN/NOTIFY would wake it sooner, but every commit that notifies takes one lock of the whole server, so that the
ledger's and all projections' commits would wait for each other's fsync.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Any, Generic, NamedTuple, TypeVar

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from prometheus_client import Counter, Gauge

from contracts.topics import Topic
from services.chassis import kafka
from services.chassis.errors import Transient, Unavailable
from services.chassis.log import republish, tail
from services.chassis.log.feed import Entry, Feed
from services.chassis.postgres import Pool

log = logging.getLogger(__name__)
C = TypeVar("C")

# Entries read at once: what one round trip to Postgres costs is spread over them, and 4,000 × 600 bytes are in memory.
CHUNK = 4000
# Chunks that may be under way to the broker while the next is read.
CHUNKS_UNDER_WAY = 3
# Between two reads that found nothing: half of it is what the relay adds to accepted → visible while events come in.
POLL_SECONDS = 0.005
# The same when nothing has come for a second: an idle relay costs 40 probes of an index a second.
IDLE_POLL_SECONDS = 0.025
# How often consumers' asks are looked for.
ASKS_SECONDS = 0.5
# An idempotent producer retries for ever. One that has got no answer for this long is given up for a new one.
ANSWER_SECONDS = 30
# Before a new session after a fault of the moment, and after a refusal that an operator has to mend.
RETRY_SECONDS = 0.5
REFUSED_SECONDS = 5

SENT = Counter("cairn_relay_sent_total", "Records acknowledged by Kafka", ["log"])
SESSIONS = Counter("cairn_relay_sessions_total", "Times a relay began from the topic's tail", ["log"])
NEXT = Gauge("cairn_relay_next_sequence", "The next sequence to be acknowledged", ["log", "partition"])


MakeProducer = Callable[[str, str], AIOKafkaProducer]


class Sent(NamedTuple):
    """A batch under way: so many records of one partition, the sequence `following` comes after them."""

    partition: int
    following: int
    records: int
    at: float
    answer: asyncio.Future[Any]


class Relay(Generic[C]):
    """Keeps `topic` equal to `feed`. `run` goes on until it is cancelled; `problem` says why it stands still, if it does."""

    def __init__(
        self, feed: Feed[C], pool: Pool, bootstrap: str, topic: Topic, *, make_producer: MakeProducer = kafka.producer
    ) -> None:
        self.problem: str | None = "has not compared the topic with the log yet"
        self._feed = feed
        self._pool = pool
        self._bootstrap = bootstrap
        self._topic = topic
        self._make_producer = make_producer
        # Per partition: the sequence after the last that was acknowledged without a gap, by any session of this process.
        self._acknowledged: list[int] | None = None
        self._offsets: list[int] = []  # the offset after the last one known, per partition

    @property
    def acknowledged(self) -> tuple[int, ...]:
        """Per partition, the sequence after the last that Kafka has acknowledged. Empty before the first comparison."""
        return tuple(self._acknowledged or ())

    async def ready(self) -> str | None:
        """For `/readyz`: None while the relay does its work."""
        return self.problem

    async def run(self) -> None:
        """Session after session: each begins by comparing, and ends with a fault."""
        while True:
            try:
                await self._session()
            except Unavailable as refusal:
                self._stand_still(str(refusal))
                await asyncio.sleep(REFUSED_SECONDS)
            except (Transient, KafkaError, OSError, TimeoutError) as fault:
                reason = str(fault) if isinstance(fault, Transient) else type(fault).__name__
                self._stand_still(f"{reason}; it begins again from the topic's tail")
                await asyncio.sleep(RETRY_SECONDS)

    def _stand_still(self, problem: str) -> None:
        self.problem = problem
        log.warning("relay of %s stands still: %s", self._topic.name, problem)

    async def _session(self) -> None:
        tails = await tail.compare(self._bootstrap, self._topic, self._feed)
        following = [each.sequence for each in tails]
        if self._acknowledged is not None:  # the lower of the two: what was acknowledged may be gone, what was not may be there
            following = [min(pair) for pair in zip(following, self._acknowledged, strict=True)]
        self._acknowledged, self._offsets = list(following), [each.offset for each in tails]
        SESSIONS.labels(self._topic.name).inc()
        producer = self._make_producer(self._bootstrap, f"cairn-relay-{self._topic.name}")
        try:
            await producer.start()
            self.problem = None
            await self._relay(producer, following)
        finally:
            await kafka.give_up(producer)

    async def _relay(self, producer: AIOKafkaProducer, following: list[int]) -> None:
        """Read, send, look at the answers, without end. `following`: the next sequence to send in each partition."""
        cursor = await self._feed.seek(following)
        under_way: deque[list[Sent]] = deque()
        busy = asked = monotonic()
        while True:
            entries, cursor = await self._feed.read(cursor, CHUNK)
            if fresh := _fresh(entries, following):
                busy = monotonic()
                under_way.append(await self._send(producer, fresh))
            await self._settle(under_way, CHUNKS_UNDER_WAY)
            if monotonic() - asked > ASKS_SECONDS:
                asked = monotonic()
                if asks := await republish.take(self._pool, self._topic.name):
                    await self._settle(under_way, 0)
                    following[:] = [min(sequence, asks.get(n, sequence)) for n, sequence in enumerate(following)]
                    cursor = await self._feed.seek(following)
            if not entries:
                await asyncio.sleep(POLL_SECONDS if monotonic() - busy < 1 else IDLE_POLL_SECONDS)

    async def _send(self, producer: AIOKafkaProducer, partitions: dict[int, list[Entry]]) -> list[Sent]:
        """Hand the entries over, each partition in its order; the answers are still to come."""
        sent = await asyncio.gather(*(self._send_partition(producer, entries) for entries in partitions.values()))
        return [batch for batches in sent for batch in batches]

    async def _send_partition(self, producer: AIOKafkaProducer, entries: Sequence[Entry]) -> list[Sent]:
        sent = []
        while entries:
            batch = producer.create_batch()
            count = _fill(batch, entries)
            partition = entries[0].partition
            answer = await producer.send_batch(batch, self._topic.name, partition=partition)
            answer.add_done_callback(_look_at)
            sent.append(Sent(partition, entries[count - 1].sequence + 1, count, monotonic(), answer))
            entries = entries[count:]
        return sent

    async def _settle(self, under_way: deque[list[Sent]], most: int) -> None:
        """Take the answers that are there, and wait until no more than `most` chunks are under way."""
        while under_way and (len(under_way) > most or all(batch.answer.done() for batch in under_way[0])):
            for batch in under_way.popleft():
                async with asyncio.timeout(ANSWER_SECONDS):
                    answer = await batch.answer
                await self._acknowledge(batch, answer)
        if under_way and monotonic() - under_way[0][0].at > ANSWER_SECONDS:
            raise Transient(f"Kafka has not answered for {ANSWER_SECONDS} s")

    async def _acknowledge(self, batch: Sent, answer: Any) -> None:
        """An offset that is not above the last acknowledged one means that the topic was cut short meanwhile.

        This batch then stands behind the gap and hides it from whoever looks at the tail: what came before it tells.
        """
        assert self._acknowledged is not None
        if answer.offset < 0:
            raise Transient("Kafka has a batch already and cannot say where")
        if answer.offset < self._offsets[batch.partition]:
            there = await tail.sequence_before(self._bootstrap, self._topic.name, batch.partition, answer.offset)
            self._acknowledged[batch.partition] = min(there, self._acknowledged[batch.partition])
            raise Transient(f"partition {batch.partition} was cut short")
        self._offsets[batch.partition] = answer.offset + batch.records
        self._acknowledged[batch.partition] = batch.following
        SENT.labels(self._topic.name).inc(batch.records)
        NEXT.labels(self._topic.name, batch.partition).set(batch.following)


def _fresh(entries: Sequence[Entry], following: list[int]) -> dict[int, list[Entry]]:
    """By partition, the entries that are still to be sent. Moves `following` past them."""
    fresh: dict[int, list[Entry]] = defaultdict(list)
    for entry in entries:
        if entry.sequence == following[entry.partition]:
            fresh[entry.partition].append(entry)
            following[entry.partition] += 1
        elif entry.sequence > following[entry.partition]:
            raise Unavailable(f"the log has a gap before sequence {entry.sequence} of partition {entry.partition}")
    return fresh


def _fill(batch: Any, entries: Sequence[Entry]) -> int:
    """Put as many entries into a batch as it takes (one at least); how many."""
    for count, entry in enumerate(entries):
        headers = [("position", b"%d" % entry.position), ("sequence", b"%d" % entry.sequence)]
        if entry.traceparent:
            headers.append(("traceparent", entry.traceparent.encode()))
        if batch.append(key=entry.key, value=entry.record, timestamp=entry.timestamp, headers=headers) is None:
            return count
    return len(entries)


def _look_at(answer: asyncio.Future[Any]) -> None:
    """An answer that nobody waits for any more is no error of the loop's."""
    if not answer.cancelled():
        answer.exception()
