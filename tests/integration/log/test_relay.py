"""The topic is the log: same bytes, same order in every partition, nothing missing, whatever happens to the relay."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from contracts.topics import Topic
from services.chassis import kafka
from services.chassis.errors import Unavailable
from services.chassis.log import tail
from services.chassis.log.feed import Log
from services.chassis.log.relay import Relay
from services.chassis.log.tail import Following
from services.evidence.ledger import Ledger
from services.evidence.relay import Timer, relay
from services.evidence.store.feed import LedgerFeed
from tests.integration.log.ledgers import Opened, a_draft, an_open_ledger, placed_in, receipts
from tests.integration.log.relays import PARTITIONS, a_relay, fill, the_topic_is_the_ledger, topic_length
from tests.integration.log.topics import first_occurrences, ledger_by_partition, read_topic, running, until
from tests.stack import Stack

pytestmark = pytest.mark.stack


async def test_a_record_carries_its_bytes_key_time_and_text_headers(stack: Stack) -> None:
    async with an_open_ledger(stack) as it:
        trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        await it.append(a_draft("e-1", traceparent=trace), a_draft("r-1", student=None))
        async with running(a_relay(it)):
            await the_topic_is_the_ledger(it)
        records = {record.value: record for each in await read_topic(it.bootstrap, it.topic.name, PARTITIONS) for record in each}
        for row in await it.pool.fetch("SELECT * FROM public.ledger"):
            record = records[row["record"]]
            assert record.position == row["position"]
            assert record.key == (row["subject"].encode() if row["subject"] else None)
            assert record.timestamp == int(row["recordedtime"].timestamp() * 1000)
            assert record.traceparent == (trace if row["traceparent"] else None)


async def test_what_is_appended_while_the_relay_runs_follows_at_once(stack: Stack) -> None:
    async with an_open_ledger(stack) as it:
        async with running(a_relay(it)):
            for round_ in range(5):
                await fill(it, 100 * round_, 100)
                await the_topic_is_the_ledger(it)
        assert all(len(each) == len(first_occurrences(each)) for each in await read_topic(it.bootstrap, it.topic.name, PARTITIONS))


async def test_two_relays_at_once_make_repeats_and_nothing_worse(stack: Stack) -> None:
    async with an_open_ledger(stack) as it:
        await fill(it, 0, 500)
        async with running(a_relay(it), a_relay(it)):
            await asyncio.gather(fill(it, 1000, 1000), fill(it, 2000, 1000))
            await the_topic_is_the_ledger(it)


# A log and a topic that do not belong together


async def _restored(it: Opened, lost: int) -> None:
    """Make the database what it was `lost` events ago."""
    rows = await it.pool.fetch(
        "DELETE FROM public.ledger WHERE position >= (SELECT max(position) - $1 + 1 FROM public.ledger) RETURNING *", lost
    )
    moved = dict.fromkeys(range(PARTITIONS), 0)
    for row in rows:
        for number in placed_in(row):
            moved[number] += 1
    await it.pool.execute("DELETE FROM public.holders WHERE position >= $1", min(row["position"] for row in rows))
    await it.pool.execute("DELETE FROM public.seen WHERE position >= $1", min(row["position"] for row in rows))
    await it.pool.execute(
        """UPDATE public.head SET position = position - $1, tick = least(tick, position - $1 - 1),
           sequences = (SELECT array_agg(s - m ORDER BY n) FROM unnest(sequences, $2::bigint[]) WITH ORDINALITY AS u (s, m, n))""",
        len(rows),
        list(moved.values()),
    )


async def test_a_restored_backup_is_refused_by_relay_and_gateway(stack: Stack) -> None:
    async with an_open_ledger(stack) as it:
        await fill(it, 0, 200)
        async with running(a_relay(it)):
            await the_topic_is_the_ledger(it)
        await _restored(it, 10)
        before = await topic_length(it)
        gateway, relaying = Ledger(it.pool), a_relay(it)
        with pytest.raises(Unavailable, match="restored from a backup"):
            await gateway.compare(it.bootstrap, it.topic)
        async with running(relaying):
            await until(lambda: _says(relaying, "is not in this log"), "the relay refuses")
        assert await topic_length(it) == before
        with pytest.raises(Unavailable, match="compared"):
            await Opened(gateway, it.pool, it.topic, it.bootstrap, it.dsn).append(a_draft("new"))


async def test_a_restored_backup_that_went_on_is_refused_for_its_other_bytes(stack: Stack) -> None:
    async with an_open_ledger(stack) as it:
        await _go_on_after_a_backup(it)
        with pytest.raises(Unavailable, match="restored from a backup"):
            await Ledger(it.pool).compare(it.bootstrap, it.topic)
        relaying = a_relay(it)
        async with running(relaying):
            await until(lambda: _says(relaying, "restored from a backup"), "the relay refuses")


async def test_control_without_the_comparison_topic_and_log_part_for_ever(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    async def believe(bootstrap: str, topic: Topic, log: Log) -> list[Following]:
        tails = await tail.read_tails(bootstrap, topic.name, log.partitions)
        following = {each.partition: Following((each.sequence or 0) + 1, each.offset + 1) for each in tails}
        return [following.get(number, Following(0, 0)) for number in range(log.partitions)]

    async with an_open_ledger(stack) as it:
        await _go_on_after_a_backup(it)
        monkeypatch.setattr(tail, "compare", believe)
        wanted = await ledger_by_partition(it.pool, PARTITIONS)
        async with running(a_relay(it)):
            await until(lambda: _lengths_are(it, [len(each) for each in wanted]), "the relay has gone on")
        assert [first_occurrences(each) for each in await read_topic(it.bootstrap, it.topic.name, PARTITIONS)] != wanted


async def _go_on_after_a_backup(it: Opened) -> None:
    """Relay everything, restore the database to some events ago, and accept others than before."""
    await fill(it, 0, 200)
    async with running(a_relay(it)):
        await the_topic_is_the_ledger(it)
    await _restored(it, 10)
    gateway = Ledger(it.pool)
    gateway._compared = True  # one that has not compared
    await fill(replace(it, ledger=gateway), 1000, 400)


async def _says(relaying: Relay[int], problem: str) -> bool:
    return problem in (await relaying.ready() or "")


async def _lengths_are(it: Opened, lengths: list[int]) -> bool:
    return [
        (each[-1].sequence or 0) + 1 if each else 0 for each in await read_topic(it.bootstrap, it.topic.name, PARTITIONS)
    ] == lengths


async def test_a_topic_that_somebody_else_wrote_to_is_refused(stack: Stack) -> None:
    async with an_open_ledger(stack) as it:
        producer = kafka.producer(it.bootstrap, "stranger")
        await producer.start()
        await producer.send_and_wait(it.topic.name, b"hello", partition=2)
        await producer.stop()
        with pytest.raises(Unavailable, match="no relay wrote"):
            await Ledger(it.pool).compare(it.bootstrap, it.topic)


async def test_a_topic_with_another_count_of_partitions_is_refused(stack: Stack) -> None:
    async with an_open_ledger(stack) as it:
        relaying = Relay(LedgerFeed(it.pool, 8), it.pool, it.bootstrap, it.topic)
        async with running(relaying):
            await until(lambda: _says(relaying, "has 4 partitions, the log 8"), "the relay refuses")


async def test_the_timer_ends_a_busy_time_with_one_tick(stack: Stack) -> None:
    async with an_open_ledger(stack) as it:
        ledger = Ledger(it.pool)

        async def ticked() -> bool:
            return (await ledger.head()).tick > receipt.position

        timer = asyncio.create_task(Timer(ledger, it.bootstrap, it.topic).run())
        try:
            [receipt] = receipts(await it.append(a_draft()))
            await until(ticked, "a tick follows the event")
            position = (await ledger.head()).position
            async with running(relay(it.pool, PARTITIONS, it.bootstrap, it.topic)):
                await the_topic_is_the_ledger(it)
            assert (await ledger.head()).position == position
        finally:
            timer.cancel()
            await asyncio.wait([timer])
