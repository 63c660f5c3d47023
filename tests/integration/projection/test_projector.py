"""The live projector on real Kafka: killed, rebalanced, paused for too long, read twice; exactly once all the same."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from contracts.topics import EVIDENCE_LOG
from services.chassis import kafka, postgres
from services.chassis.projection.apply import Applier
from services.chassis.projection.live import LiveProjections
from services.chassis.projection.projector import Projector
from services.chassis.projection.view import Entry
from tests.integration.projection.house import PARTITIONS, House, apply_in
from tests.integration.projection.tally import Tally, TallyView, a_policy
from tests.stack import Stack
from tests.story import Story, a_student
from tests.until import until

pytestmark = pytest.mark.stack


@pytest.fixture
async def house(stack: Stack) -> AsyncIterator[House]:
    async with await postgres.create_pool(stack.chassis_database(), application="test", size=12) as pool:
        yield House(pool, TallyView())


class Topic:
    """A topic of a story's entries, published the way the relay does; what is published twice is a repeat."""

    def __init__(self, stack: Stack) -> None:
        self.bootstrap = stack.kafka()
        self.name = stack.fresh_topic(partitions=PARTITIONS)

    async def publish(self, entries: Sequence[Entry]) -> None:
        producer = kafka.producer(self.bootstrap, "test")
        await producer.start()
        try:
            for entry in entries:
                headers = [("position", b"%d" % entry.position), ("sequence", b"%d" % entry.sequence), ("stray", b"\xff\xfe")]
                await producer.send(self.name, entry.record, partition=entry.partition, headers=headers)
            await producer.flush()
        finally:
            await producer.stop()


def entries_of(story: Story) -> list[Entry]:
    return [entry for partition in range(PARTITIONS) for entry in story.entries(partition)]


@asynccontextmanager
async def projecting(
    house: House, topic: Topic, generation: int, kind: type[Applier[Any]] = Applier
) -> AsyncIterator[Projector[Tally]]:
    """A worker. Leaving the block is its death: whatever it was doing is cut off."""
    applier: Applier[Tally] = kind(house.pool, house.view, generation, batch=40)
    projector = Projector(house.pool, house.view, applier, topic.bootstrap, topics=[topic.name])
    task = asyncio.create_task(projector.run())
    try:
        yield projector
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until_at(house: House, generation: int, story: Story) -> None:
    async def there() -> bool:
        return all(cursor.next[0] == len(story.entries(cursor.partition)) for cursor in await house.cursors(generation))

    await until(there, 60)


async def until_moved(house: House, generation: int, by: int, most: int) -> None:
    start = sum(cursor.next[0] for cursor in await house.cursors(generation))

    async def moved() -> bool:
        return sum(cursor.next[0] for cursor in await house.cursors(generation)) >= min(start + by, most)

    await until(moved, 60)


def a_story(pieces: int, seed: int = 3) -> Story:
    chance = random.Random(seed)
    story = Story(PARTITIONS)
    for number in range(pieces):
        story.evidence(a_student(chance.randrange(50)), chance.randrange(1, 4000))
        if number % 100 == 50:
            story.tick(days=1)
        if number == pieces // 2:
            story.tell(a_policy(2))
    return story


class Unguarded(Applier[Tally]):
    """The control: an applier that believes what it reads."""

    guard = False


@pytest.mark.parametrize(("kind", "holds"), [(Applier, True), (Unguarded, False)], ids=["guarded", "control"])
async def test_workers_that_die_and_are_replaced_leave_what_one_clean_fold_leaves(
    house: House, stack: Stack, kind: type[Applier[Any]], holds: bool
) -> None:
    story, topic, chance = a_story(3000), Topic(stack), random.Random(11)
    live, clean = await house.generation(), await house.generation()
    await topic.publish(entries_of(story)[:2000])
    for _ in range(4):
        async with projecting(house, topic, live.generation, kind):
            await until_moved(house, live.generation, chance.randrange(1, 400), 2000)
    await topic.publish(entries_of(story)[1500:])
    async with projecting(house, topic, live.generation, kind), projecting(house, topic, live.generation, kind):
        await until_at(house, live.generation, story)
    await apply_in(clean, story, 500)
    same = await house.digest(live.generation) == await house.digest(clean.generation) == await house.scanned(live.generation)
    assert (same and await house.said() == await house.totals(clean.generation)) is holds


async def test_a_missing_record_is_waited_for_and_asked_for_and_nothing_is_skipped(house: House, stack: Stack) -> None:
    story, topic = a_story(200), Topic(stack)
    live = await house.generation()
    entries = story.entries(0)
    await topic.publish([*entries[:50], *entries[51:], *story.entries(1)])
    asked: list[tuple[int, int, int]] = []

    async def ask_again(input: int, partition: int, sequence: int) -> None:
        asked.append((input, partition, sequence))

    house.view.inputs, house.view.output = (replace(EVIDENCE_LOG, name=topic.name),), None
    projections = LiveProjections(house.pool, house.view, topic.bootstrap, PARTITIONS, ask_again=ask_again)
    task = asyncio.create_task(projections.run())

    async def says_what_it_waits_for() -> bool:
        return "sequence 50 of input 0 in partition 0" in (await projections.ready() or "")

    try:
        await until(says_what_it_waits_for)
        await topic.publish(entries[50:])
        await until_at(house, live.generation, story)
        assert await projections.ready() is None
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert set(asked) == {(0, 0, 50)}


async def test_an_unknown_event_type_pauses_the_projection_and_skips_nothing(house: House, stack: Stack) -> None:
    story, topic = a_story(20), Topic(stack)
    live = await house.generation()
    entries = story.entries(0)
    stranger = entries[5].record.replace(b"cairn.evidence.submitted.v1", b"cairn.evidence.submitted.v9", 1)
    assert stranger != entries[5].record
    await topic.publish([*entries[:5], *(Entry(0, 0, e.sequence, e.position, 0, e.event, stranger) for e in entries[5:6])])
    async with projecting(house, topic, live.generation) as projector:

        async def paused() -> bool:
            return projector.paused is not None

        await until(paused)
        assert "evidence.submitted.v9" in str(projector.paused)
        assert (await house.cursors(live.generation))[0].next[0] <= 5
