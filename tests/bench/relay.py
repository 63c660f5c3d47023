"""The relay from ledger to topic: how fast it refills a topic, and how soon an appended event can be read there.

Refilling: from the first read of the ledger until Kafka has acknowledged everything, against the same client sending the same
bytes from memory, in batches of the same size; by turns, each into a fresh topic, after a round that warms the broker up.
Latency: from the return of `Ledger.append` (50 events, 40 times a second: 2,000 events/s) to the record in the hands of a consumer
in the same process. Its share is half of accepted → visible (p50 50 ms, p99 250 ms).
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import replace
from statistics import quantiles

from contracts.topics import EVIDENCE_LOG, Topic
from services.chassis import kafka
from services.chassis.kafka import TopicPartition, read_record
from services.chassis.log import relay as relay_module
from services.chassis.log.feed import Entry
from services.chassis.log.relay import Relay
from services.chassis.postgres import Pool, create_pool
from services.evidence.domain import Batch, Receipt
from services.evidence.ledger import Ledger
from services.evidence.store.feed import LedgerFeed
from tests.bench.ledger import SEED, random_drafts
from tests.bench.report import report, report_latency
from tests.stack import current

PARTITIONS = 8
EVENTS = 100_000
ROUNDS = 3
WARM_SECONDS, PACE_SECONDS = 10, 10  # a broker that has just started takes 100 ms for what it later does in 5
BATCH, BATCHES_A_SECOND = 50, 40


def main() -> None:
    asyncio.run(_main())


async def _main() -> None:
    stack = current()
    pool = await create_pool(stack.fresh_database("evidence"), application="bench", size=6)
    try:
        ledger = Ledger(pool)
        await ledger.open("bench", PARTITIONS, "America/New_York")
        await ledger.compare(stack.kafka(), _a_topic())
        await _fill(ledger)
        await _measure_refilling(pool)
        await _measure_latency(ledger, pool)
    finally:
        await pool.close()
        stack.close()


def _a_topic() -> Topic:
    return replace(EVIDENCE_LOG, name=current().fresh_topic(partitions=PARTITIONS))


async def _fill(ledger: Ledger) -> None:
    chance = random.Random(SEED)
    for _ in range(EVENTS // 500):
        await ledger.append(Batch(drafts=tuple(random_drafts(chance, 500))))


async def _measure_refilling(pool: Pool) -> None:
    entries = await _entries(pool)
    relayed = sent = 0.0
    for number in range(ROUNDS + 1):
        bare, took = await _send(current().kafka(), _a_topic(), entries), await _relay(pool, len(entries))
        if number:
            relayed, sent = relayed + took, sent + bare
    count = ROUNDS * len(entries)
    facts = {
        "partitions": PARTITIONS,
        "records": count,
        "bytes_a_record": sum(len(each.record) for each in entries) // len(entries),
    }
    report("relay, refilling a topic", count / relayed, count / sent, least=0.5, unit="records/s", seed=SEED, **facts)


async def _entries(pool: Pool) -> list[Entry]:
    feed = LedgerFeed(pool, PARTITIONS)
    entries: list[Entry] = []
    some, cursor = await feed.read(0, relay_module.CHUNK)
    while some:
        entries += some
        some, cursor = await feed.read(cursor, relay_module.CHUNK)
    return entries


async def _relay(pool: Pool, count: int) -> float:
    """Seconds to relay the whole ledger into a fresh topic, once the relay has compared the two."""
    relay = Relay(LedgerFeed(pool, PARTITIONS), pool, current().kafka(), _a_topic())
    task = asyncio.create_task(relay.run())
    while relay.problem:  # noqa: ASYNC110
        await asyncio.sleep(0.001)
    begin = time.perf_counter()
    while sum(relay.acknowledged) < count:  # noqa: ASYNC110
        await asyncio.sleep(0.001)
    took = time.perf_counter() - begin
    task.cancel()
    await asyncio.wait([task])
    return took


async def _send(bootstrap: str, topic: Topic, entries: Sequence[Entry]) -> float:
    """Seconds to send the entries from memory, a chunk of each partition at a time."""
    producer = kafka.producer(bootstrap, "bench")
    await producer.start()
    begin = time.perf_counter()
    answers = []
    for start in range(0, len(entries), relay_module.CHUNK):
        for partition in range(PARTITIONS):
            batch = producer.create_batch()
            for entry in entries[start : start + relay_module.CHUNK]:
                if entry.partition == partition:
                    headers = [("position", b"%d" % entry.position), ("sequence", b"%d" % entry.sequence)]
                    taken = batch.append(key=entry.key, value=entry.record, timestamp=entry.timestamp, headers=headers)
                    assert taken, "a chunk of a partition fits into a batch"
            answers.append(await producer.send_batch(batch, topic.name, partition=partition))
    await asyncio.gather(*answers)
    took = time.perf_counter() - begin
    await producer.stop()
    return took


async def _measure_latency(ledger: Ledger, pool: Pool) -> None:
    bootstrap, topic = current().kafka(), _a_topic()
    arrived: dict[int, float] = {}
    relay = Relay(LedgerFeed(pool, PARTITIONS), pool, bootstrap, topic)
    tasks = [asyncio.create_task(relay.run()), asyncio.create_task(_consume(bootstrap, topic, arrived))]
    first = (await ledger.head()).position
    while (first - 1) not in arrived:  # noqa: ASYNC110 - the topic is filled first
        await asyncio.sleep(0.01)
    chance = random.Random(SEED + 1)
    await _append_at_pace(ledger, chance, WARM_SECONDS)
    returned = await _append_at_pace(ledger, chance, PACE_SECONDS)
    while not returned.keys() <= arrived.keys():  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    cuts = quantiles((1000 * max(0.0, arrived[position] - at) for position, at in returned.items()), n=100)
    report_latency("appended → in a consumer's hands", p50=cuts[49], p99=cuts[98], most_p50=25, most_p99=125, seed=SEED, rate=2000)


async def _append_at_pace(ledger: Ledger, chance: random.Random, seconds: int) -> dict[int, float]:
    """When the append of each position returned."""
    batches = [Batch(drafts=tuple(random_drafts(chance, BATCH))) for _ in range(seconds * BATCHES_A_SECOND)]
    returned: dict[int, float] = {}
    start = time.perf_counter()
    for number, batch in enumerate(batches):
        await asyncio.sleep(max(0.0, start + number / BATCHES_A_SECOND - time.perf_counter()))
        outcomes = await ledger.append(batch)
        now = time.perf_counter()
        returned |= {outcome.position: now for outcome in outcomes if isinstance(outcome, Receipt)}
    return returned


async def _consume(bootstrap: str, topic: Topic, arrived: dict[int, float]) -> None:
    client = kafka.consumer(bootstrap, "bench")
    await client.start()
    try:
        partitions = [TopicPartition(topic.name, number) for number in range(PARTITIONS)]
        client.assign(partitions)
        await client.seek_to_beginning(*partitions)
        while True:
            for records in (await client.getmany(timeout_ms=1000)).values():
                now = time.perf_counter()
                arrived |= {read_record(record).position or 0: now for record in records}
    finally:
        await client.stop()


if __name__ == "__main__":
    main()
