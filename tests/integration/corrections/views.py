"""All three views of one log, each in a Postgres of its own, folded by the engine: mastery's outbox is the others' second input."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from contracts.codec import decode
from services.chassis import postgres
from services.chassis.postgres import Pool
from services.chassis.projection import serving
from services.chassis.projection.apply import Applier, scan
from services.chassis.projection.digest import Digest
from services.chassis.projection.serving import create_generation, schema_of, set_path
from services.chassis.projection.view import Entry, View
from services.mastery.handlers import MasteryView
from services.reporting.handlers import Reports
from services.scheduling.handlers import SchedulingView
from tests.stack import Stack
from tests.story import Story

PARTITIONS = 2


@asynccontextmanager
async def databases(stack: Stack) -> AsyncIterator[dict[str, Pool]]:
    """A database for each service."""
    names = ("mastery", "scheduling", "reporting")
    pools = {name: await postgres.create_pool(stack.fresh_database(name), application="test", size=4) for name in names}
    yield pools
    for pool in pools.values():
        await pool.close()


async def folded(pool: Pool, view: View[Any], inputs: Sequence[Sequence[Entry]], size: int = 10_000) -> Digest:
    """The kept digest of a new generation with these entries of each partition in it; a scan of the rows agrees."""
    generation = await create_generation(pool, view, PARTITIONS, actor="test", reason="test")
    applier = Applier(pool, view, generation, sweep=3 if size < 10_000 else 500)
    for partition, entries in enumerate(inputs):
        await applier.claim(partition)
        for start in range(0, len(entries), size):
            await applier.apply(partition, entries[start : start + size])
    assert applier.parked == 0
    async with pool.acquire() as connection, connection.transaction():
        kept = sum((cursor.digest for cursor in await serving.cursors_of(connection, view.name, generation)), Digest())
        await set_path(connection, schema_of(view.name, generation))
        assert sum([await scan(connection, view, partition) for partition in range(PARTITIONS)], Digest()) == kept
    return kept


async def told(pool: Pool, partition: int) -> list[Entry]:
    """What mastery's serving generation has told of a partition, as its topic has it."""
    rows = await pool.fetch("SELECT sequence, record FROM outbox WHERE partition = $1 ORDER BY sequence", partition)
    return [
        Entry(1, partition, row["sequence"], row["sequence"], row["sequence"], decode(row["record"]), row["record"]) for row in rows
    ]


def interleaved(chance: random.Random, first: Sequence[Entry], second: Sequence[Entry]) -> list[Entry]:
    """Two inputs in any order between them."""
    turns = [0] * len(first) + [1] * len(second)
    chance.shuffle(turns)
    rest = (iter(first), iter(second))
    return [next(rest[turn]) for turn in turns]


async def meanings(stack: Stack, story: Story, chance: random.Random) -> dict[str, int]:
    """What a log means to each view."""
    async with databases(stack) as pools:
        log = [story.entries(partition) for partition in range(PARTITIONS)]
        found = {"mastery": (await folded(pools["mastery"], MasteryView(), log)).meaning}
        changes = [await told(pools["mastery"], partition) for partition in range(PARTITIONS)]
        both = [interleaved(chance, *pair) for pair in zip(log, changes, strict=True)]
        views: tuple[View[Any], ...] = (SchedulingView(), Reports())
        for view in views:
            found[view.name] = (await folded(pools[view.name], view, both)).meaning
    return found
