"""An outbox is relayed like the ledger, and its owner publishes again what a consumer asks for."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import httpx
import pytest
from fastapi import FastAPI

from contracts.topics import MASTERY_CHANGES, Topic
from services.chassis import kafka
from services.chassis.log import republish
from services.chassis.log.feed import OutboxFeed
from services.chassis.log.outbox import Outbox
from services.chassis.log.relay import Relay
from services.chassis.operators import let_operators_in
from services.chassis.postgres import Pool, create_pool
from services.chassis.settings import ServiceSettings
from tests.integration.log.test_outbox import an_emission
from tests.integration.log.topics import first_occurrences, outbox_by_partition, read_topic, running, the_topic_has, until
from tests.stack import Stack

pytestmark = pytest.mark.stack
PARTITIONS = 4


@dataclass(frozen=True, slots=True)
class Owner:
    """A service with an outbox."""

    outbox: Outbox
    pool: Pool
    topic: Topic
    bootstrap: str

    async def emit(self, partition: int, count: int) -> None:
        async with self.pool.acquire() as connection, connection.transaction():
            await self.outbox.emit(connection, partition, [an_emission(n) for n in range(count)])

    def relay(self) -> Relay[list[int]]:
        return Relay(OutboxFeed(self.pool, self.topic.name, PARTITIONS), self.pool, self.bootstrap, self.topic)

    async def wanted(self) -> list[list[bytes]]:
        return await outbox_by_partition(self.pool, self.topic.name, PARTITIONS)

    async def found(self) -> list[list[bytes]]:
        records = await read_topic(self.bootstrap, self.topic.name, PARTITIONS)
        return [first_occurrences(each) for each in records]


@asynccontextmanager
async def an_owner(stack: Stack) -> AsyncIterator[Owner]:
    topic = replace(MASTERY_CHANGES, name=stack.fresh_topic(MASTERY_CHANGES, partitions=PARTITIONS))
    async with await create_pool(stack.chassis_database(), application="test", size=6) as pool:
        yield Owner(Outbox(topic.name, "mastery"), pool, topic, stack.kafka())


async def test_the_topic_is_the_outbox_in_every_partition(stack: Stack) -> None:
    async with an_owner(stack) as it:
        await it.emit(0, 700)
        await it.emit(2, 3)
        async with running(it.relay()):
            await the_topic_has(it.bootstrap, it.topic.name, await it.wanted())
            await it.emit(1, 50)
            await it.emit(0, 50)
            await the_topic_has(it.bootstrap, it.topic.name, await it.wanted())
        async with running(it.relay()):
            await it.emit(3, 5)
            await the_topic_has(it.bootstrap, it.topic.name, await it.wanted())
        records = await read_topic(it.bootstrap, it.topic.name, PARTITIONS)
        assert [(r.position, r.sequence) for r in records[2]] == [(n, n) for n in range(3)]
        assert sum(map(len, records)) == 808, "a second relay goes on where the first one ended"


async def test_a_gap_in_a_topic_is_closed_when_a_consumer_asks(stack: Stack) -> None:
    async with an_owner(stack) as it:
        await it.emit(1, 40)
        wanted = await it.wanted()
        await _publish_with_a_gap(it, wanted[1], range(10, 15))
        async with running(it.relay()):
            assert len((await it.found())[1]) == 10  # control: nobody asks, and a consumer stays before the gap
            async with _client(it) as client:
                answer = await client.post("/v1/log/republish", json={"partition": 1, "sequence": 10})
            assert (answer.status_code, answer.json()) == (202, {"partition": 1, "sequence": 10})
            await the_topic_has(it.bootstrap, it.topic.name, wanted)


async def test_asks_for_a_partition_are_one_ask_from_the_lowest(stack: Stack) -> None:
    async with an_owner(stack) as it:
        for sequence in (7, 3, 9):
            await republish.ask(it.pool, it.topic.name, 2, sequence)
        await republish.ask(it.pool, "another.log", 2, 1)
        assert await republish.take(it.pool, it.topic.name) == {2: 3}
        assert await republish.take(it.pool, it.topic.name) == {}


async def test_what_is_asked_for_comes_again_and_what_follows_comes_after_it(stack: Stack) -> None:
    async with an_owner(stack) as it:
        await it.emit(0, 30)
        await it.emit(3, 10)
        async with running(it.relay()):
            await the_topic_has(it.bootstrap, it.topic.name, await it.wanted())
            await republish.ask(it.pool, it.topic.name, 0, 20)
            await until(lambda: _length_is(it, 0, 40), "ten records come again")
            await it.emit(0, 5)
            await the_topic_has(it.bootstrap, it.topic.name, await it.wanted())
        records = await read_topic(it.bootstrap, it.topic.name, PARTITIONS)
        assert [record.sequence for record in records[0]] == [*range(30), *range(20, 35)]
        assert len(records[3]) == 10


async def _length_is(it: Owner, partition: int, length: int) -> bool:
    return len((await read_topic(it.bootstrap, it.topic.name, PARTITIONS))[partition]) == length


async def _publish_with_a_gap(it: Owner, records: list[bytes], gap: range) -> None:
    producer = kafka.producer(it.bootstrap, "test")
    await producer.start()
    for n, record in enumerate(records):
        if n not in gap:
            headers = [("position", b"%d" % n), ("sequence", b"%d" % n)]
            await producer.send_and_wait(it.topic.name, record, partition=1, headers=headers)
    await producer.stop()


def _client(it: Owner) -> httpx.AsyncClient:
    app = FastAPI()
    let_operators_in(app, ServiceSettings(mode="local"))
    app.include_router(republish.routes(it.topic.name, lambda _: it.pool))
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://owner")
