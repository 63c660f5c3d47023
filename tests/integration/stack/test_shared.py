"""What every integration test relies on: fresh databases and topics of the shared servers."""

from __future__ import annotations

import asyncpg
import pytest
from confluent_kafka.admin import AdminClient

from contracts.topics import EVIDENCE_LOG
from deploy.local.kafka import live_brokers
from tests.stack import Stack

pytestmark = pytest.mark.stack


def test_the_shared_kafka_answers(stack: Stack) -> None:
    assert live_brokers(stack.kafka()) >= 1


def test_a_fresh_topic_keeps_everything_and_has_the_partitions_asked_for(stack: Stack) -> None:
    name = stack.fresh_topic(EVIDENCE_LOG, partitions=3)
    client = AdminClient({"bootstrap.servers": stack.kafka()})
    assert len(client.list_topics(name, timeout=10).topics[name].partitions) == 3
    assert name != stack.fresh_topic(EVIDENCE_LOG, partitions=3)


async def test_fresh_databases_hold_the_tables_of_the_chassis_and_share_nothing(stack: Stack) -> None:
    one, other = stack.chassis_database(), stack.chassis_database()
    connection = await asyncpg.connect(one)
    await connection.execute("CREATE TABLE only_here (i int)")
    applied = await connection.fetchval("SELECT count(*) FROM chassis_migrations")
    await connection.close()
    connection = await asyncpg.connect(other)
    here = await connection.fetchval("SELECT to_regclass('only_here')")
    await connection.close()
    assert applied >= 1
    assert here is None


async def test_the_shared_postgres_keeps_its_promises(stack: Stack) -> None:
    connection = await asyncpg.connect(stack.fresh_database())
    settings = [await connection.fetchval(f"SHOW {name}") for name in ("fsync", "synchronous_commit", "full_page_writes")]
    await connection.close()
    assert settings == ["on", "on", "on"]
