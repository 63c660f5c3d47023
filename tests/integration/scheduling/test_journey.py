"""From two topics of Kafka through the view and a plan to a third topic, with a worker that dies on the way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from contracts.topics import EVIDENCE_LOG, MASTERY_CHANGES, SCHEDULE_CHANGES
from services.chassis import kafka
from services.chassis.log.feed import OutboxFeed
from services.chassis.log.relay import Relay
from services.chassis.projection import serving
from services.chassis.projection.apply import Applier
from services.chassis.projection.projector import Projector
from services.chassis.projection.view import Entry
from services.scheduling import planning
from tests.integration.log.topics import outbox_by_partition, running, the_topic_has
from tests.integration.scheduling.highschool import PARTITIONS, SCHOOL, WEEK, House, Topics, a_house, a_term
from tests.stack import Stack
from tests.story import a_student
from tests.until import until

pytestmark = pytest.mark.stack


async def publish(bootstrap: str, topic: str, entries: Sequence[Entry]) -> None:
    """Publish the way the relay does."""
    producer = kafka.producer(bootstrap, "test")
    await producer.start()
    try:
        for entry in entries:
            headers = [("position", b"%d" % entry.position), ("sequence", b"%d" % entry.sequence)]
            await producer.send(topic, entry.record, partition=entry.partition, headers=headers)
        await producer.flush()
    finally:
        await producer.stop()


@asynccontextmanager
async def projecting(house: House, bootstrap: str, topics: Sequence[str], generation: int) -> AsyncIterator[None]:
    """A worker's projector. Leaving the block is its death."""
    applier = Applier(house.pool, house.view, generation, batch=10)
    task = asyncio.create_task(Projector(house.pool, house.view, applier, bootstrap, topics=topics).run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until_read(house: House, generation: int, told: Topics, share: float = 1.0) -> None:
    """Wait until this share of everything told has been applied."""
    wanted = share * sum(len(told.entries(partition)) for partition in range(PARTITIONS))

    async def read() -> bool:
        async with house.pool.acquire() as connection:
            cursors = await serving.cursors_of(connection, "scheduling", generation)
        return sum(sum(cursor.next) for cursor in cursors) >= wanted

    await until(read, 60)


def all_entries(told: Topics) -> tuple[list[Entry], list[Entry]]:
    partitions = range(PARTITIONS)
    return [e for p in partitions for e in told.of_log(p)], [e for p in partitions for e in told.of_mastery(p)]


async def test_plans_from_kafka_reach_kafka_with_the_bytes_of_the_outbox(stack: Stack) -> None:
    bootstrap, told = stack.kafka(), a_term(40)
    topics = [stack.fresh_topic(topic, partitions=PARTITIONS) for topic in (EVIDENCE_LOG, MASTERY_CHANGES)]
    output = stack.fresh_topic(SCHEDULE_CHANGES, partitions=PARTITIONS)
    async with a_house(stack) as house:
        generation, straight = (await house.generation()).generation, await house.fold(told)
        for topic, entries in zip(topics, all_entries(told), strict=True):
            await publish(bootstrap, topic, [*entries, *entries[-20:]])  # and some again, as a relay that was killed does
        async with projecting(house, bootstrap, topics, generation):
            await until_read(house, generation, told, share=0.3)
        relay = Relay(
            OutboxFeed(house.pool, SCHEDULE_CHANGES.name, PARTITIONS), house.pool, bootstrap, replace(SCHEDULE_CHANGES, name=output)
        )
        async with projecting(house, bootstrap, topics, generation), running(relay):
            await until_read(house, generation, told)
            assert await house.kept(generation) == await house.kept(straight.generation)
            made, _ = await planning.plan(house.pool, SCHOOL, WEEK)
            assert made.new and {seat.student for seat in made.plan.seats} <= {a_student(number) for number in range(40)}
            await the_topic_has(bootstrap, output, await outbox_by_partition(house.pool, SCHEDULE_CHANGES.name, PARTITIONS))
        assert await house.seats_said() == await house.seats_kept()
        assert len(await house.seats_kept()) == made.header.seats > 0
