"""Reading a topic that others write to, from offsets that the reader keeps itself.

Owns: what such a topic is (its id, which a topic that was deleted and made again does not share), where it begins and ends, and one
fetch from given offsets. Must not: keep a position, or be told apart from another reader: whoever reads moves a cursor of his own.

There is no group and no consumer here. A consumer hides from its caller that the topic under it is another one, and a stranger's
record can end it (see `records.py`).
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from io import BytesIO
from typing import Any, NamedTuple
from uuid import UUID

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError, OffsetOutOfRangeError, UnknownTopicOrPartitionError, for_code
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.protocol.offset import OffsetRequest
from aiokafka.protocol.types import Boolean, CompactArray, CompactString, Int16, Int32, Schema, TaggedFields

from services.chassis import kafka
from services.chassis.errors import Transient
from services.chassis.records import RecordBatch, read_batches

# What one fetch brings of a partition, and of all. A first batch larger than this comes whole: a topic's batch is at most 1 MiB.
PARTITION_BYTES = 1024 * 1024
FETCH_BYTES = 4 * PARTITION_BYTES
# How long a broker waits for something to answer. It bounds how late a new partition, or a topic made anew, is noticed.
WAIT_MS = 250

_READ_COMMITTED = 1
_EARLIEST, _LATEST = -2, -1
_ANYBODY = -1  # the replica id of a client


class Described(NamedTuple):
    """A topic: its id, and the broker that leads each partition."""

    id: UUID
    leaders: tuple[int, ...]


class Fetched(NamedTuple):
    """What a partition holds from an offset on, up to `end` (what is committed). `batches` are read as they are asked for."""

    partition: int
    end: int
    batches: Iterator[RecordBatch]


class OutOfRange(NamedTuple):
    """A partition holds `begin` to `end`, and was asked for something else."""

    partition: int
    begin: int
    end: int


class ForeignTopic:
    """A topic over a client of its own, so that waiting for it keeps nobody else waiting. See `reading`."""

    def __init__(self, client: AIOKafkaClient, name: str) -> None:
        self._client = client
        self.name = name

    async def describe(self) -> Described | None:
        """The topic as a broker knows it now; None where there is none."""
        answer = await self._client.send(self._client.get_random_node(), _Describe(self.name))
        (error, _, id, _, partitions, *_), *_ = answer.topics
        if error == UnknownTopicOrPartitionError.errno:
            return None
        _raise_for(error)
        leaders = {partition: leader for _, partition, leader, *_ in partitions}
        return Described(id, tuple(leaders[number] for number in range(len(leaders))))

    async def fetch(self, topic: Described, offsets: Mapping[int, int]) -> list[Fetched | OutOfRange]:
        """What is at `offsets` ({partition: offset}), once something is there or `WAIT_MS` have passed."""
        asked: dict[int, list[tuple[int, int]]] = defaultdict(list)
        for partition, offset in offsets.items():
            asked[topic.leaders[partition]].append((partition, offset))
        found = await asyncio.gather(*(self._fetch(node, dict(there)) for node, there in asked.items()))
        return [each for of_node in found for each in of_node]

    async def _fetch(self, node: int, offsets: dict[int, int]) -> list[Fetched | OutOfRange]:
        wanted = [(partition, offset, PARTITION_BYTES) for partition, offset in offsets.items()]
        answer = await self._client.send(node, FetchRequest(WAIT_MS, 1, FETCH_BYTES, _READ_COMMITTED, [(self.name, wanted)]))
        found: list[Fetched | OutOfRange] = []
        for _, partitions in answer.topics:
            for partition, error, _, end, _, aborted, _, data in partitions:
                if error == OffsetOutOfRangeError.errno:
                    found.append(await self._range(node, partition))
                    continue
                _raise_for(error)
                found.append(Fetched(partition, end, read_batches(data or b"", offsets[partition], aborted or ())))
        return found

    async def _range(self, node: int, partition: int) -> OutOfRange:
        begin, end = [await self._offset(node, partition, which) for which in (_EARLIEST, _LATEST)]
        return OutOfRange(partition, begin, end)

    async def _offset(self, node: int, partition: int, which: int) -> int:
        request = OffsetRequest(_ANYBODY, _READ_COMMITTED, [(self.name, [(partition, which)])])
        answer = await self._client.send(node, request)
        _, error, _, offset, *_ = answer.topics[0][1][0]
        _raise_for(error)
        return int(offset)


def _raise_for(error: int) -> None:
    if error:
        raise for_code(error)


@asynccontextmanager
async def reading(bootstrap: str, client_id: str, name: str) -> AsyncIterator[ForeignTopic]:
    """The topic `name`, to read. Whatever Kafka's trouble inside the block, it leaves as `Transient`: begin again."""
    client = kafka.client(bootstrap, client_id)
    try:
        await client.bootstrap()
        yield ForeignTopic(client, name)
    except (KafkaError, OSError, TimeoutError) as error:
        raise Transient(f"Kafka: {type(error).__name__}") from error
    finally:
        await client.close()


# Metadata, version 12: the first that the library does not have and that tells a topic's id is 10.


class _Uuid:
    @classmethod
    def encode(cls, value: UUID) -> bytes:
        return value.bytes

    @classmethod
    def decode(cls, data: BytesIO) -> UUID:
        return UUID(bytes=data.read(16))

    @classmethod
    def repr(cls, value: UUID) -> str:
        return str(value)


_NODES = CompactArray(Int32)


class _Topics(Response):  # type: ignore[misc]
    API_KEY = 3
    API_VERSION = 12
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "brokers",
            CompactArray(
                ("node_id", Int32),
                ("host", CompactString()),
                ("port", Int32),
                ("rack", CompactString()),
                ("tags", TaggedFields),
            ),
        ),
        ("cluster_id", CompactString()),
        ("controller_id", Int32),
        (
            "topics",
            CompactArray(
                ("error_code", Int16),
                ("name", CompactString()),
                ("topic_id", _Uuid),
                ("is_internal", Boolean),
                (
                    "partitions",
                    CompactArray(
                        ("error_code", Int16),
                        ("partition", Int32),
                        ("leader", Int32),
                        ("leader_epoch", Int32),
                        ("replicas", _NODES),
                        ("isr", _NODES),
                        ("offline", _NODES),
                        ("tags", TaggedFields),
                    ),
                ),
                ("authorized_operations", Int32),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class _TopicsRequest(RequestStruct):  # type: ignore[misc]
    FLEXIBLE_VERSION = True
    API_KEY = 3
    API_VERSION = 12
    RESPONSE_TYPE = _Topics
    SCHEMA = Schema(
        ("topics", CompactArray(("topic_id", _Uuid), ("name", CompactString()), ("tags", TaggedFields))),
        ("allow_auto_topic_creation", Boolean),
        ("include_authorized_operations", Boolean),
        ("tags", TaggedFields),
    )


class _Describe(Request[_TopicsRequest]):  # type: ignore[misc]
    API_KEY = 3

    def __init__(self, topic: str) -> None:
        self._topic = topic

    def build(self, request_struct_class: type[_TopicsRequest]) -> Any:
        return request_struct_class([(UUID(int=0), self._topic, {})], False, False, {})
