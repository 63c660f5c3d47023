"""A relay that dies, answers that are lost, a topic that is lost or cut short: first occurrences stay the log, in order."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaTimeoutError
from confluent_kafka.admin import AdminClient

from contracts.topics import EVIDENCE_LOG
from deploy.local.kafka import Kafka
from deploy.local.provision import create_topics
from services.chassis.log import relay as relay_module
from services.chassis.log.relay import Relay
from services.evidence.store.feed import LedgerFeed
from tests.integration.log.ledgers import Opened, an_open_ledger
from tests.integration.log.relays import PARTITIONS, a_relay, fill, the_topic_is_the_ledger, topic_length
from tests.integration.log.topics import first_occurrences, ledger_by_partition, read_topic, running, until
from tests.stack import Stack

pytestmark = pytest.mark.stack


async def test_a_relay_that_is_killed_at_any_moment_leaves_no_gap_and_no_other_order(stack: Stack) -> None:
    async with an_open_ledger(stack) as it:
        chance = random.Random(11)
        command = [sys.executable, "-m", "tests.integration.log.relaying", it.dsn, it.bootstrap, it.topic.name, str(PARTITIONS)]
        for round_ in range(5):
            await fill(it, 2000 * round_, 2000, size=100)
            enough = chance.randint(1, 1500) + await topic_length(it)
            process = subprocess.Popen(command)  # noqa: ASYNC220 - starting one is quick
            try:
                await until(_reaches(it, enough), "the relay in its own process relays")
            finally:
                process.kill()
                process.wait()
        async with running(a_relay(it)):
            await the_topic_is_the_ledger(it)


def _reaches(it: Opened, length: int) -> Callable[[], Any]:
    async def reaches() -> bool:
        return await topic_length(it) >= length

    return reaches


class Unlucky(AIOKafkaProducer):  # type: ignore[misc]
    """A producer whose sends fail by chance: before the broker has them, or after, when only the answer is lost."""

    chance = random.Random(5)
    failures = 0

    async def send_batch(self, batch: Any, topic: str, *, partition: int) -> Any:
        fate = self.chance.random()
        if fate < 0.04:
            Unlucky.failures += 1
            raise KafkaTimeoutError
        answer = await super().send_batch(batch, topic, partition=partition)
        if fate < 0.08:
            Unlucky.failures += 1
            await answer
            lost: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
            lost.set_exception(KafkaTimeoutError())
            return lost
        return answer

    @classmethod
    def make(cls, bootstrap: str, client_id: str) -> Unlucky:
        return cls(bootstrap_servers=bootstrap, client_id=client_id, acks="all", enable_idempotence=True, compression_type="lz4")


class Forgetful(Relay[int]):
    """Control: after a failed send it goes on from what it handed over, as if that had arrived."""

    handed_over: list[int] | None = None

    async def _relay(self, producer: AIOKafkaProducer, following: list[int]) -> None:
        following = self.handed_over or following
        self.handed_over = following
        await super()._relay(producer, following)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small chunks and no rest between sessions, so that faults meet many boundaries."""
    monkeypatch.setattr(relay_module, "CHUNK", 100)
    monkeypatch.setattr(relay_module, "RETRY_SECONDS", 0.0)


async def test_failed_sends_and_lost_answers_leave_no_gap(stack: Stack, impatient: None) -> None:
    async with an_open_ledger(stack) as it:
        await fill(it, 0, 3000, size=500)
        before = Unlucky.failures
        async with running(a_relay(it, make_producer=Unlucky.make)):
            await the_topic_is_the_ledger(it)
        assert Unlucky.failures > before


async def test_control_a_relay_that_believes_its_sends_loses_some(stack: Stack, impatient: None) -> None:
    async with an_open_ledger(stack) as it:
        await fill(it, 0, 3000, size=500)
        forgetful = Forgetful(LedgerFeed(it.pool, PARTITIONS), it.pool, it.bootstrap, it.topic, make_producer=Unlucky.make)
        wanted = await ledger_by_partition(it.pool, PARTITIONS)
        async with running(forgetful):
            await until(lambda: _has_handed_over(forgetful, [len(each) for each in wanted]), "everything was handed over")
        found = [first_occurrences(records) for records in await read_topic(it.bootstrap, it.topic.name, PARTITIONS)]
        assert found != wanted


async def _has_handed_over(forgetful: Forgetful, lengths: list[int]) -> bool:
    return forgetful.handed_over == lengths


async def test_a_topic_that_was_lost_is_filled_again_byte_for_byte(stack: Stack) -> None:
    with stack.own_kafka() as own:
        topic = stack.fresh_topic(partitions=PARTITIONS, bootstrap=own.bootstrap)
        async with an_open_ledger(stack) as shared:
            it = replace(shared, bootstrap=own.bootstrap, topic=replace(EVIDENCE_LOG, name=topic))
            await fill(it, 0, 1000)
            async with running(a_relay(it)):
                await the_topic_is_the_ledger(it)
            admin = AdminClient({"bootstrap.servers": own.bootstrap})
            for future in admin.delete_topics([topic]).values():
                await asyncio.to_thread(future.result, 30)
            await until(lambda: _is_gone(admin, topic), "the topic is deleted")
            create_topics(own.bootstrap, [it.topic], PARTITIONS)
            async with running(a_relay(it)):
                await the_topic_is_the_ledger(it)


async def _is_gone(admin: Any, topic: str) -> bool:
    return topic not in (await asyncio.to_thread(admin.list_topics, timeout=30)).topics


async def test_a_partition_that_lost_its_end_is_filled_again(stack: Stack) -> None:
    with stack.own_kafka() as own:
        async with an_open_ledger(stack) as shared:
            it = _on(own, stack, shared)
            relaying = a_relay(it)
            async with running(relaying):
                await fill(it, 0, 1000)
                await _all_is_acknowledged(it, relaying)
                await _lose_the_end(own, it.topic.name)
                assert await topic_length(it) < sum(map(len, await ledger_by_partition(it.pool, PARTITIONS)))
                await fill(it, 1000, 200)
                await the_topic_is_the_ledger(it)


async def test_control_a_relay_that_believes_its_sends_leaves_the_end_lost(stack: Stack) -> None:
    with stack.own_kafka() as own:
        async with an_open_ledger(stack) as shared:
            it = _on(own, stack, shared)
            forgetful = Forgetful(LedgerFeed(it.pool, PARTITIONS), it.pool, it.bootstrap, it.topic)
            async with running(forgetful):
                await fill(it, 0, 1000)
                await _all_is_acknowledged(it, forgetful)
                await _lose_the_end(own, it.topic.name)
                await fill(it, 1000, 200)
                wanted = await ledger_by_partition(it.pool, PARTITIONS)
                await until(lambda: _has_handed_over(forgetful, [len(each) for each in wanted]), "everything was handed over")
            found = [first_occurrences(records) for records in await read_topic(it.bootstrap, it.topic.name, PARTITIONS)]
            assert len(found[1]) < len(wanted[1])


def _on(own: Kafka, stack: Stack, shared: Opened) -> Opened:
    topic = stack.fresh_topic(partitions=PARTITIONS, bootstrap=own.bootstrap)
    return replace(shared, bootstrap=own.bootstrap, topic=replace(EVIDENCE_LOG, name=topic))


async def _all_is_acknowledged(it: Opened, relaying: Relay[int]) -> None:
    wanted = tuple(len(each) for each in await ledger_by_partition(it.pool, PARTITIONS))

    async def acknowledged() -> bool:
        return relaying.acknowledged == wanted

    await until(acknowledged, "Kafka has acknowledged everything")


async def _lose_the_end(own: Kafka, topic: str) -> None:
    """The power fails, and a partition's last segment was only half written to disk."""
    own.broker(1).kill()
    folder = own.brokers[0].data / f"{topic}-1"
    segment = max(folder.glob("*.log"))
    with segment.open("r+b") as file:
        file.truncate(segment.stat().st_size // 2)
    for index in (*folder.glob("*.index"), *folder.glob("*.timeindex"), *folder.glob("*.snapshot")):
        index.unlink()
    await asyncio.to_thread(own.start)
