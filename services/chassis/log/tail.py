"""Where a topic ends, and whether that is where its log says it should.

A topic that ends beyond its log, or with other bytes, belongs to a log that was later than this one: the database was restored
from a backup. Whoever went on would give the same positions to other events, so relay and gateways refuse.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import NamedTuple

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError

from contracts.topics import Topic
from services.chassis import kafka
from services.chassis.errors import Transient, Unavailable
from services.chassis.kafka import Record, TopicPartition, read_record
from services.chassis.log.feed import Log, Mark

# A tail is one fetch; on a busy broker that has just started, seconds.
TAIL_SECONDS = 30

REMEDY = (
    "The database was restored from a backup, or belongs to another cluster. Nothing was sent or accepted. Restore the newest "
    "backup with its write-ahead log; if there is none newer, the log must be opened anew, on new topics"
)


class Following(NamedTuple):
    """What comes after a partition's tail: the next sequence, and an offset that is above every offset there is."""

    sequence: int
    offset: int


async def compare(bootstrap: str, topic: Topic, log: Log) -> list[Following]:
    """What follows each partition's tail. `Unavailable` when topic and log do not belong together.

    The topic's settings are verified first. `Transient` when Kafka or Postgres is away.
    """
    await kafka.verify_topics(bootstrap, [topic], log.partitions)
    tails = await read_tails(bootstrap, topic.name, log.partitions)
    marks = {tail.partition: _mark(tail) for tail in tails}
    records = await log.records(marks)
    following = [Following(0, 0)] * log.partitions
    for tail in tails:
        if (record := records.get(tail.partition)) != tail.value:
            raise Unavailable(_difference(tail, record))
        following[tail.partition] = Following(marks[tail.partition].sequence + 1, tail.offset + 1)
    return following


def _difference(tail: Record, record: bytes | None) -> str:
    difference = "is not in this log" if record is None else "has other bytes in this log"
    return f"{tail.topic}, partition {tail.partition}, ends with position {tail.position}, which {difference}. {REMEDY}"


def _mark(tail: Record) -> Mark:
    if tail.position is None or tail.sequence is None:
        raise Unavailable(
            f"{tail.topic}, partition {tail.partition}, ends at offset {tail.offset} with a record that no relay wrote: somebody "
            "else produces to this topic. Take that right away, and refill the topic from the log"
        )
    return Mark(tail.position, tail.sequence)


async def read_tails(bootstrap: str, topic: str, partitions: int) -> list[Record]:
    """The last record of each partition that has one."""
    async with _reader(bootstrap, topic) as client:
        all_ = [TopicPartition(topic, number) for number in range(partitions)]
        begins, ends = await client.beginning_offsets(all_), await client.end_offsets(all_)
        return await _read_at(client, {each: ends[each] - 1 for each in all_ if ends[each] > begins[each]})


async def sequence_before(bootstrap: str, topic: str, partition: int, offset: int) -> int:
    """The sequence that should follow the record before `offset`: where a partition that was cut short really ends."""
    if offset == 0:
        return 0
    async with _reader(bootstrap, topic) as client:
        [record] = await _read_at(client, {TopicPartition(topic, partition): offset - 1})
    return _mark(record).sequence + 1


@asynccontextmanager
async def _reader(bootstrap: str, topic: str) -> AsyncIterator[AIOKafkaConsumer]:
    client = kafka.consumer(bootstrap, "cairn-tail")
    try:
        async with asyncio.timeout(TAIL_SECONDS):
            await client.start()
            yield client
    except (KafkaError, OSError, TimeoutError) as error:
        raise Transient(f"Kafka: the end of {topic} could not be read ({type(error).__name__})") from error
    finally:
        await client.stop()


async def _read_at(client: AIOKafkaConsumer, offsets: Mapping[TopicPartition, int]) -> list[Record]:
    """The record at one offset of each partition."""
    client.assign(list(offsets))
    for each, offset in offsets.items():
        client.seek(each, offset)
    found: dict[TopicPartition, Record] = {}
    while found.keys() != offsets.keys():
        for each, records in (await client.getmany(timeout_ms=1000)).items():
            found.setdefault(each, read_record(records[0]))
            client.pause(each)
    return list(found.values())
