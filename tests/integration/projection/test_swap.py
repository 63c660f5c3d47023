"""A rebuilt generation takes over at a tick, only if it is the same, and goes back the same way; on real Postgres."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from services.chassis import postgres
from services.chassis.errors import Rejected, Unavailable
from services.chassis.projection import serving
from services.chassis.projection.apply import Applier
from services.chassis.projection.serving import schema_of
from services.chassis.projection.swap import Different, swap
from tests.integration.projection.house import PARTITIONS, House
from tests.integration.projection.tally import TallyView
from tests.stack import Stack
from tests.story import Story, a_student
from tests.until import until

pytestmark = pytest.mark.stack


@pytest.fixture
async def house(stack: Stack) -> AsyncIterator[House]:
    async with await postgres.create_pool(stack.chassis_database(), application="test", size=8) as pool:
        yield House(pool, TallyView())


@asynccontextmanager
async def following(story: Story, *appliers: Applier[Any]) -> AsyncIterator[None]:
    """Workers: each applier applies what the story grows by, and comes back to what a cut held."""

    async def follow(applier: Applier[Any], partition: int) -> None:
        while True:
            cursor = (await applier.apply(partition, story.entries(partition))).cursor
            await asyncio.sleep(0 if cursor.next[0] < len(story.entries(partition)) else 0.005)

    tasks = [asyncio.create_task(follow(applier, p)) for applier in appliers for p in range(PARTITIONS)]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class Writer:
    """School apps, and the evidence service's tick."""

    def __init__(self, story: Story) -> None:
        self.story = story
        self._numbers: Iterator[int] = iter(range(1_000_000))

    def publish(self, pieces: int) -> None:
        for number, _ in zip(self._numbers, range(pieces), strict=False):
            self.story.evidence(a_student(number % 17), 1 + number % 900)

    async def tick(self) -> None:
        self.story.tick()
        self.publish(20)


async def serves(house: House) -> int:
    async with house.pool.acquire() as connection:
        return (await serving.peek(connection)).generation


async def until_applied(house: House, story: Story, *generations: int) -> None:
    async def applied() -> bool:
        cursors = [cursor for generation in generations for cursor in await house.cursors(generation)]
        return all(cursor.next[0] >= len(story.entries(cursor.partition)) for cursor in cursors)

    await until(applied)


async def test_swapped_rolled_back_and_swapped_again_under_load_every_move_is_said_once(house: House) -> None:
    story = Story(PARTITIONS)
    writer = Writer(story)
    writer.publish(300)
    old, new = await house.generation(), await house.generation()
    async with following(story, old, new):
        for target in (new, old, new):
            await swap(house.pool, house.view, target.generation, ask_tick=writer.tick, actor="test", reason="test", deadline=30)
            assert await serves(house) == target.generation
            writer.publish(100)
        await until_applied(house, story, old.generation, new.generation)
    assert await house.said() == await house.totals(new.generation)
    async with house.pool.acquire() as connection:
        ids = [row["record"] for row in await connection.fetch("SELECT record FROM outbox WHERE type LIKE 'cairn.mastery%'")]
        assert len(ids) == await connection.fetchval("SELECT count(DISTINCT record) FROM outbox WHERE type LIKE 'cairn.mastery%'")
    evidence = sum(entry.event.subject is not None for p in range(PARTITIONS) for entry in story.entries(p))
    assert len(ids) == evidence


async def test_a_generation_that_differs_is_refused_and_the_old_one_goes_on(house: House) -> None:
    story = Story(PARTITIONS)
    writer = Writer(story)
    writer.publish(50)
    old, new = await house.generation(), await house.generation()
    async with following(story, old, new):
        await until_applied(house, story, old.generation, new.generation)
        async with house.pool.acquire() as connection:
            await connection.execute(
                f"UPDATE {schema_of('tally', new.generation)}.cursor SET exact = $1 WHERE partition = 1", b"\1" * 32
            )
        with pytest.raises(Different) as refused:
            await swap(house.pool, house.view, new.generation, ask_tick=writer.tick, actor="test", reason="test", deadline=30)
        assert refused.value.partitions == (1,)
        assert await serves(house) == old.generation
        writer.publish(50)
        await until_applied(house, story, old.generation)
    assert await house.said() == await house.totals(old.generation)


async def test_a_generation_that_nobody_folds_holds_nobody_beyond_the_deadline(house: House) -> None:
    story = Story(PARTITIONS)
    writer = Writer(story)
    writer.publish(50)
    old, dead = await house.generation(), await house.generation()
    async with following(story, old):
        with pytest.raises(Unavailable, match="did not both reach the cut"):
            await swap(house.pool, house.view, dead.generation, ask_tick=writer.tick, actor="test", reason="test", deadline=0.5)
        writer.publish(50)
        await until_applied(house, story, old.generation)
    assert await serves(house) == old.generation


async def test_what_cannot_be_swapped_is_refused_with_a_reason(house: House) -> None:
    story = Story(PARTITIONS)
    writer = Writer(story)
    generation = (await house.generation()).generation
    for target, code in ((generation, "already-serving"), (99, "unknown-generation")):
        with pytest.raises(Rejected) as refused:
            await swap(house.pool, house.view, target, ask_tick=writer.tick, actor="test", reason="test")
        assert refused.value.code == code
