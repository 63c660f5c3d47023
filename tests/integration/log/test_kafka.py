"""Our own reading of records survives any header, and a topic that would lose history is refused."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from contracts.topics import EVIDENCE_LOG
from services.chassis import kafka
from services.chassis.errors import Transient, Unavailable
from services.chassis.kafka import Record
from tests.stack import Stack

DEADLINE = 30


@pytest.mark.stack
async def test_a_binary_header_neither_raises_nor_loses_its_batch(stack: Stack) -> None:
    topic = stack.fresh_topic(partitions=1)
    producer = kafka.producer(stack.kafka(), "test")
    await producer.start()
    headers = [
        [("position", b"7"), ("sequence", b"3"), ("traceparent", b"00-ab-cd-01")],
        [("position", b"\xff\xfe"), ("sequence", b"-1"), ("traceparent", b"\x80"), ("other", b"\x00\xff")],
        [],
    ]
    for n, each in enumerate(headers):
        await producer.send_and_wait(topic, value=b"%d" % n, key=b"s-1", headers=each, partition=0)
    await producer.stop()

    broker = kafka.broker(stack.kafka(), "test")
    got: list[Record] = []
    complete = asyncio.Event()

    async def handle(records: tuple[Record, ...]) -> None:
        got.extend(records)
        if len(got) >= len(headers):
            complete.set()

    kafka.subscriber(broker, topic, group=topic)(handle)
    await broker.start()
    await asyncio.wait_for(complete.wait(), DEADLINE)
    await broker.stop()
    assert [(r.position, r.sequence, r.traceparent) for r in got] == [(7, 3, "00-ab-cd-01"), (None, None, None), (None, None, None)]
    assert [(r.value, r.key, r.offset, r.partition) for r in got] == [(b"%d" % n, b"s-1", n, 0) for n in range(3)]


@pytest.mark.stack
async def test_a_topic_is_accepted_only_as_it_must_be(stack: Stack) -> None:
    topic = replace(EVIDENCE_LOG, name=stack.fresh_topic(partitions=4))
    await kafka.verify_topics(stack.kafka(), [topic], 4)
    with pytest.raises(Unavailable, match="4 partitions, the log 8"):
        await kafka.verify_topics(stack.kafka(), [topic], 8)
    with pytest.raises(Unavailable, match="does not exist"):
        await kafka.verify_topics(stack.kafka(), [replace(topic, name="no.such.topic")], 4)


LOSING = [("cleanup.policy", "compact"), ("retention.ms", "1000000000"), ("retention.bytes", "1000000")]


@pytest.mark.stack
@pytest.mark.parametrize(("name", "value"), LOSING)
async def test_a_topic_that_would_lose_history_is_refused(stack: Stack, name: str, value: str) -> None:
    losing = replace(EVIDENCE_LOG, configs={**EVIDENCE_LOG.configs, name: value})
    topic = replace(EVIDENCE_LOG, name=stack.fresh_topic(losing, partitions=1))
    with pytest.raises(Unavailable, match=f"{name}={value}"):
        await kafka.verify_topics(stack.kafka(), [topic], 1)


async def test_a_kafka_that_does_not_answer_is_a_passing_fault() -> None:
    with pytest.raises(Transient):
        await kafka.verify_topics("127.0.0.1:1", [EVIDENCE_LOG], 1)
