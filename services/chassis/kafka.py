"""Kafka: one broker factory, raw clients with safe defaults, our own reading of records, and the check of a topic.

Owns: every setting of a Kafka client. Must not: know an event, decide what a record means, or make topics (whoever deploys does).
The libraries' defaults lose data in half a dozen ways (acks=1, latest, acknowledging first); no other module makes a client.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from time import monotonic
from typing import Any, NamedTuple

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.client import AIOKafkaClient
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import KafkaError, UnknownTopicOrPartitionError, for_code
from faststream import AckPolicy
from faststream.kafka import KafkaBroker
from faststream.kafka.message import KafkaMessage

from contracts.topics import Topic
from services.chassis.errors import Transient, Unavailable

log = logging.getLogger(__name__)

# One request holds one batch a partition: below the broker's `message.max.bytes` of 1 MiB, with room for headers.
BATCH_BYTES = 512 * 1024
# After an empty poll FastStream sleeps this long, so it bounds what a quiet consumer adds to accepted → visible.
POLL_MS = 10
# A worker that folds for longer than this between polls is taken for dead, and its partitions are given away.
POLL_INTERVAL_MS = 120_000
# How long a worker that was killed keeps its partitions. Too low, and a busy machine causes rebalances.
SESSION_MS = 10_000
REQUEST_MS = 15_000
# How long a topic that was just made may be unknown to the broker that is asked.
APPEARING_SECONDS = 2.0


class Record(NamedTuple):
    """A record as consumers see it: raw bytes, and the text headers read safely.

    `position` and `sequence` are None where the headers are missing or not ours. `timestamp` is in milliseconds.
    """

    topic: str
    partition: int
    offset: int
    timestamp: int
    position: int | None
    sequence: int | None
    traceparent: str | None
    key: bytes | None
    value: bytes


def read_record(raw: Any) -> Record:
    """A `Record` of an aiokafka `ConsumerRecord`. Never raises, whatever the headers hold."""
    position = sequence = traceparent = None
    for name, value in raw.headers:
        if name == "position":
            position = _number(value)
        elif name == "sequence":
            sequence = _number(value)
        elif name == "traceparent":
            traceparent = _text(value)
    return Record(raw.topic, raw.partition, raw.offset, raw.timestamp, position, sequence, traceparent, raw.key, raw.value or b"")


def _number(value: bytes | None) -> int | None:
    """A decimal number of at most 19 digits (2⁶³), else None. `bytes.isdigit` is ASCII only."""
    return int(value) if value and len(value) <= 19 and value.isdigit() else None


def _text(value: bytes | None) -> str | None:
    """ASCII of at most 128 characters, else None: a trace context is 55."""
    return value.decode("ascii") if value and len(value) <= 128 and value.isascii() else None


def broker(bootstrap: str, client_id: str) -> KafkaBroker:
    """The FastStream broker of a process. It only consumes: what a service says goes through its outbox and relay.

    Handlers get what `decode` gives, a `tuple[Record, ...]` (a batch may mix partitions), with no other argument: FastStream's
    injection would validate every record again.
    """
    return KafkaBroker(
        _servers(bootstrap),
        client_id=client_id,
        consumer_only=True,
        allow_auto_create_topics=False,
        apply_types=False,
        ack_policy=AckPolicy.MANUAL,
        parser=parse,
        decoder=decode,
        # A handler that is cut off loses nothing: its transaction is rolled back and the next owner begins from the cursor.
        graceful_timeout=1.0,
        logger=log,
        log_level=logging.DEBUG,  # its own lines at INFO name each message
        request_timeout_ms=REQUEST_MS,
    )


def subscriber(
    on: KafkaBroker, *topics: str, group: str, listener: ConsumerRebalanceListener | None = None, max_records: int = 2000
) -> Any:
    """A batch subscriber of the one shape that is safe: manual, from the earliest, read committed, short polls.

    Use it as a decorator on `async def handle(records: tuple[Record, ...]) -> None`. Broker offsets are never believed: claim
    and seek in the handler (its consumer is `subscriber.consumer`).
    """
    return on.subscriber(
        *topics,
        group_id=group,
        batch=True,
        ack_policy=AckPolicy.MANUAL,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
        batch_timeout_ms=POLL_MS,
        max_records=max_records,
        max_poll_interval_ms=POLL_INTERVAL_MS,
        session_timeout_ms=SESSION_MS,
        heartbeat_interval_ms=SESSION_MS // 4,
        # A view over several topics needs the same partition of each in one worker; round robin tears them apart.
        partition_assignment_strategy=(RangePartitionAssignor,),
        listener=listener,
        no_reply=True,
    )


async def parse(raw: tuple[Any, ...], original: Any) -> KafkaMessage:
    """FastStream's parser decodes every header as UTF-8 and loses the batch over a binary one; this one reads none.

    `original` is the bound parser that it replaces: it alone knows the consumer, which acknowledging needs.
    """
    template = original.__self__
    first, last = raw[0], raw[-1]
    return template.msg_class(  # type: ignore[no-any-return]
        body=raw,
        headers={},
        batch_headers=[],
        message_id=f"{first.topic}-{first.partition}-{first.offset}-{last.partition}-{last.offset}",
        correlation_id=None,
        raw_message=raw,
        consumer=template._consumer,  # FastStream offers no other way to it
    )


async def decode(message: Any) -> tuple[Record, ...]:
    """The batch as `Record`s, in the order in which it was polled."""
    return tuple(read_record(raw) for raw in message.raw_message)


def producer(bootstrap: str, client_id: str) -> AIOKafkaProducer:
    """An idempotent producer, acknowledged by every in-sync replica. After a failed send make a new one."""
    return AIOKafkaProducer(
        bootstrap_servers=_servers(bootstrap),
        client_id=client_id,
        acks="all",
        enable_idempotence=True,
        compression_type="lz4",
        linger_ms=0,
        max_batch_size=BATCH_BYTES,
        max_request_size=8 * BATCH_BYTES,
        request_timeout_ms=REQUEST_MS,
    )


def consumer(bootstrap: str, client_id: str, *, max_records: int | None = None) -> AIOKafkaConsumer:
    """A consumer with no group, for `assign()`: tails, rebuilds, audits. It starts wherever it is told to seek."""
    return AIOKafkaConsumer(
        bootstrap_servers=_servers(bootstrap),
        client_id=client_id,
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
        max_poll_records=max_records,
        request_timeout_ms=REQUEST_MS,
    )


def client(bootstrap: str, client_id: str) -> AIOKafkaClient:
    """A bare client, to ask brokers what the other clients do not: see `foreign.py`."""
    return AIOKafkaClient(bootstrap_servers=_servers(bootstrap), client_id=client_id, request_timeout_ms=REQUEST_MS)


async def give_up(producer: AIOKafkaProducer) -> None:
    """Close a producer without flushing: what is under way is sent again anyway, and flushing to a lost broker never ends."""
    if producer._sender is not None:
        await producer._sender.close()
    await producer.client.close()
    producer._closed = True


async def partition_count(bootstrap: str, topic: str) -> int:
    """How many partitions a topic has. `Unavailable` if it does not exist, `Transient` if nobody answers."""
    admin = await administrator(bootstrap)
    try:
        return (await _partition_counts(admin, [topic]))[topic]
    except (KafkaError, OSError, TimeoutError) as error:
        raise Transient(f"Kafka: {type(error).__name__}") from error
    finally:
        await admin.close()


async def verify_topics(bootstrap: str, topics: Sequence[Topic], partitions: int) -> None:
    """Raise `Unavailable` unless every topic keeps everything and has `partitions` partitions. `Transient` if nobody answers."""
    admin = await administrator(bootstrap)
    try:
        counts = await _partition_counts(admin, [topic.name for topic in topics])
        configs = await _configs(admin, topics)
    except (KafkaError, OSError, TimeoutError) as error:
        raise Transient(f"Kafka: {type(error).__name__}") from error
    finally:
        await admin.close()
    for topic in topics:
        _verify(topic, partitions, counts[topic.name], configs[topic.name])


def _verify(topic: Topic, partitions: int, count: int, configs: dict[str, str]) -> None:
    if count != partitions:
        raise Unavailable(f"topic {topic.name} has {count} partitions, the log {partitions}: the count is fixed for life")
    wrong = {name: configs.get(name) for name, value in topic.configs.items() if configs.get(name) != value}
    if wrong:
        found = ", ".join(f"{name}={value}" for name, value in wrong.items())
        wanted = ", ".join(f"{name}={topic.configs[name]}" for name in wrong)
        raise Unavailable(f"topic {topic.name} would lose history: it has {found}; set {wanted}, then refill it from the log")


async def administrator(bootstrap: str) -> AIOKafkaAdminClient:
    """A started admin client, to be closed. `Transient` if nobody answers."""
    admin = AIOKafkaAdminClient(bootstrap_servers=_servers(bootstrap), client_id="cairn", request_timeout_ms=REQUEST_MS)
    try:
        await admin.start()
    except (KafkaError, OSError) as error:
        await admin.close()
        raise Transient(f"Kafka does not answer: {type(error).__name__}") from error
    return admin


async def _partition_counts(admin: AIOKafkaAdminClient, topics: Sequence[str]) -> dict[str, int]:
    found = await _described(admin, topics)
    for each in found:
        if each["error_code"]:
            raise for_code(each["error_code"])
    return {each["topic"]: len(each["partitions"]) for each in found}


async def _described(admin: AIOKafkaAdminClient, topics: Sequence[str]) -> list[dict[str, Any]]:
    """The topics as a broker knows them, once it knows them all."""
    deadline = monotonic() + APPEARING_SECONDS
    while True:
        found: list[dict[str, Any]] = await admin.describe_topics(list(topics))
        missing = [each["topic"] for each in found if each["error_code"] == UnknownTopicOrPartitionError.errno]
        if not missing:
            return found
        if monotonic() > deadline:
            raise Unavailable(f"topic {missing[0]} does not exist: `cairn up` makes it, or `k8s/` where Strimzi does")
        await asyncio.sleep(APPEARING_SECONDS / 20)


async def _configs(admin: AIOKafkaAdminClient, topics: Sequence[Topic]) -> dict[str, dict[str, str]]:
    asked = [ConfigResource(ConfigResourceType.TOPIC, topic.name, None) for topic in topics]
    found: dict[str, dict[str, str]] = {}
    for response in await admin.describe_configs(asked):
        for code, _message, _type, name, entries in response.resources:
            if code:
                raise for_code(code)
            found[name] = {entry[0]: entry[1] for entry in entries}
    return found


def _servers(bootstrap: str) -> list[str]:
    servers = [server.strip() for server in bootstrap.split(",") if server.strip()]
    if not servers:
        raise Unavailable("CAIRN_KAFKA is not set: host:port of the brokers, separated by commas")
    return servers


__all__ = [
    "Record",
    "TopicPartition",
    "administrator",
    "broker",
    "client",
    "consumer",
    "decode",
    "give_up",
    "parse",
    "partition_count",
    "producer",
    "read_record",
    "subscriber",
    "verify_topics",
]
