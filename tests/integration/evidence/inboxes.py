"""Inboxes for tests: a publisher that sends through real Kafka to the door of a gateway, and reads what became of it."""

from __future__ import annotations

import asyncio
import json
import struct
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

from aiokafka.protocol.produce import ProduceRequest
from aiokafka.record.util import calc_crc32c
from confluent_kafka import Producer

from contracts.topics import inbox_of, receipts_of
from services.chassis import foreign, kafka
from services.chassis.kafka import TopicPartition
from services.chassis.postgres import Pool
from services.evidence.grants import DEFAULT_TYPES, Publisher
from services.evidence.inbox.opening import open_inbox
from services.evidence.inbox.reader import InboxReader
from services.evidence.inbox.teller import Teller
from tests.integration.evidence.gateway import Gateway
from tests.until import until

PARTITIONS = 2
DEADLINE = 30.0

Headers = Iterable[tuple[str, bytes | None]]


class Unhurried:
    """Keeps nobody to a quota."""

    async def keep(self, publisher: Publisher, events: int) -> None:
        return None


@dataclass
class Inbox:
    """A publisher's two topics, as the publisher sees them, and the database behind them."""

    name: str
    bootstrap: str
    pool: Pool
    sent: int = field(default=0)

    async def put(self, *values: object, headers: Headers = (), key: bytes | None = None, partition: int = -1) -> None:
        """Send records: bytes and None as they are, anything else as JSON. (Our own client sends no null key with a null value.)"""

        def send() -> None:
            producer = Producer({"bootstrap.servers": self.bootstrap, "log_level": 0, "message.max.bytes": 2**21})
            for value in values:
                content = value if isinstance(value, bytes | None) else json.dumps(value).encode()
                producer.produce(inbox_of(self.name).name, content, key, partition, headers=list(headers), on_delivery=_delivered)
            assert producer.flush(DEADLINE) == 0

        await asyncio.to_thread(send)
        self.sent += len(values)

    async def put_batch(self, batch: bytes, partition: int = 0) -> None:
        """Send a batch of records as these bytes, with their checksum put right: what no client would write."""
        summed = bytearray(batch)
        struct.pack_into(">I", summed, 17, calc_crc32c(summed[21:]))
        topic = inbox_of(self.name).name
        async with foreign.reading(self.bootstrap, "test-app", topic) as reader:
            described = await reader.describe()
            assert described is not None
            request = ProduceRequest(None, -1, 10_000, [(topic, [(partition, bytes(summed))])])
            answer = await reader._client.send(described.leaders[partition], request)
            assert answer.topics[0][1][0][1] == 0, "the broker takes it"

    async def ends(self) -> dict[int, int]:
        """Where each partition of the inbox ends."""
        topic = inbox_of(self.name).name
        count = await kafka.partition_count(self.bootstrap, topic)
        consumer = kafka.consumer(self.bootstrap, "test-app")
        await consumer.start()
        try:
            found = await consumer.end_offsets([TopicPartition(topic, number) for number in range(count)])
        finally:
            await consumer.stop()
        return {each.partition: end for each, end in found.items()}

    async def until_taken(self) -> None:
        """Return once everything that is in the topic now was taken, and was told."""
        async with foreign.reading(self.bootstrap, "test-app", inbox_of(self.name).name) as reader:
            described = await reader.describe()
        assert described is not None
        ends = await self.ends()

        async def taken() -> bool:
            rows = await self.pool.fetch("SELECT partition, next FROM inbox_cursors WHERE topic = $1", described.id)
            untold = await self.pool.fetchval("SELECT count(*) FROM inbox_answers WHERE publisher = $1", self.name)
            return dict(map(tuple, rows)) == ends and untold == 0

        await until(taken, DEADLINE)

    async def receipts(self) -> list[tuple[str, dict[str, Any]]]:
        """Everything that was told: (key, receipt), repeats included."""
        topic = receipts_of(self.name).name
        consumer = kafka.consumer(self.bootstrap, "test-app")
        await consumer.start()
        try:
            parts = [TopicPartition(topic, number) for number in range(await kafka.partition_count(self.bootstrap, topic))]
            consumer.assign(parts)
            await consumer.seek_to_beginning()
            ends = await consumer.end_offsets(parts)
            found = []
            while any([await consumer.position(part) < ends[part] for part in parts]):
                for records in (await consumer.getmany(timeout_ms=200)).values():
                    found += [(each.key.decode(), json.loads(each.value)) for each in records]
        finally:
            await consumer.stop()
        return found

    async def told(self) -> dict[tuple[int, int], list[dict[str, Any]]]:
        """The results of each record by (partition, offset). A repeat under one key says the same."""
        found: dict[str, dict[str, Any]] = {}
        for key, receipt in await self.receipts():
            assert found.setdefault(key, receipt) == receipt, "a repeat says the same"
        return {(each["partition"], int(each["offset"])): each["results"] for each in found.values()}

    async def results(self) -> list[dict[str, Any]]:
        """All items' results, a partition after the other, in the order in which they were sent there."""
        told = await self.told()
        return [result for place in sorted(told) for result in told[place]]


def _delivered(error: object, _: object) -> None:
    assert error is None, error


def a_name() -> str:
    """A publisher's name that no other test on the same Kafka has."""
    return f"app-{uuid4().hex[:12]}"


async def a_closed_inbox(gateway: Gateway, *, partitions: int = PARTITIONS, types: Iterable[str] = DEFAULT_TYPES) -> Inbox:
    """An inbox that nobody reads yet."""
    name = a_name()
    await gateway.publisher(name, types)
    bootstrap = gateway.settings.kafka
    await open_inbox(gateway.opened.pool, bootstrap, name, partitions, make=True)
    return Inbox(name, bootstrap, gateway.opened.pool)


def a_reader(gateway: Gateway, inbox: Inbox) -> InboxReader:
    return InboxReader(Publisher(inbox.name), gateway.door, gateway.opened.pool, inbox.bootstrap, Unhurried())


@asynccontextmanager
async def read(gateway: Gateway, inbox: Inbox) -> AsyncIterator[InboxReader]:
    """Have the inbox read, and its publisher told, inside the block."""
    reader = a_reader(gateway, inbox)
    teller = Teller(inbox.name, reader.answered, gateway.opened.pool, inbox.bootstrap)
    tasks = [asyncio.create_task(reader.run()), asyncio.create_task(teller.run())]
    try:
        yield reader
    finally:
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(each, asyncio.CancelledError) for each in ended), ended


async def topic_id(inbox: Inbox) -> UUID:
    async with foreign.reading(inbox.bootstrap, "test-app", inbox_of(inbox.name).name) as reader:
        described = await reader.describe()
    assert described is not None
    return described.id
