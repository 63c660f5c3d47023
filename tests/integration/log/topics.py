"""Topics as a consumer sees them: everything there is, and what a consumer that applies only sequence = next would apply."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from services.chassis import kafka
from services.chassis.kafka import Record, TopicPartition, read_record
from services.chassis.log.relay import Relay
from services.chassis.postgres import Pool
from tests.integration.log.ledgers import placed_in

DEADLINE = 60


async def read_topic(bootstrap: str, topic: str, partitions: int) -> list[list[Record]]:
    """All records of each partition, up to where it ends now."""
    client = kafka.consumer(bootstrap, "test")
    await client.start()
    try:
        all_ = [TopicPartition(topic, number) for number in range(partitions)]
        client.assign(all_)
        ends = await client.end_offsets(all_)
        await client.seek_to_beginning(*all_)
        found: list[list[Record]] = [[] for _ in range(partitions)]
        left = {each for each in all_ if ends[each]}
        while left:
            for each, records in (await client.getmany(timeout_ms=500)).items():
                found[each.partition] += [read_record(record) for record in records]
            left = {each for each in left if await client.position(each) < ends[each]}
        return found
    finally:
        await client.stop()


def first_occurrences(records: Sequence[Record]) -> list[bytes]:
    """What a consumer applies: only the next sequence, each once. Stops at a gap, as it does."""
    applied: list[bytes] = []
    for record in records:
        if record.sequence == len(applied):
            applied.append(record.value)
    return applied


async def ledger_by_partition(pool: Pool, partitions: int) -> list[list[bytes]]:
    """The ledger's bytes as each partition should have them."""
    wanted: list[list[bytes]] = [[] for _ in range(partitions)]
    for row in await pool.fetch("SELECT * FROM public.ledger ORDER BY position"):
        for number in placed_in(row):
            wanted[number].append(row["record"])
    return wanted


async def outbox_by_partition(pool: Pool, log: str, partitions: int) -> list[list[bytes]]:
    rows: Sequence[asyncpg.Record] = await pool.fetch(
        "SELECT partition, record FROM public.outbox WHERE log = $1 ORDER BY partition, sequence", log
    )
    return [[row["record"] for row in rows if row["partition"] == number] for number in range(partitions)]


async def until(holds: Callable[[], Awaitable[bool]], what: str, deadline: float = DEADLINE) -> None:
    """Wait until it holds."""
    try:
        async with asyncio.timeout(deadline):
            while not await holds():  # noqa: ASYNC110 - what is waited for is in other processes
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(f"not within {deadline:g} s: {what}") from None


async def the_topic_has(bootstrap: str, topic: str, wanted: list[list[bytes]]) -> None:
    """Wait until a consumer from zero would have applied exactly these bytes in each partition."""

    async def has() -> bool:
        return [first_occurrences(records) for records in await read_topic(bootstrap, topic, len(wanted))] == wanted

    await until(has, "the topic's first occurrences are the log")


@asynccontextmanager
async def running(*relays: Relay[Any]) -> AsyncIterator[None]:
    """Relays at work."""
    tasks = [asyncio.create_task(relay.run()) for relay in relays]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        for task in tasks:
            assert task.cancelled(), task.exception()
