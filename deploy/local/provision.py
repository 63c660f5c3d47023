"""What the services find when they start: their databases, migrated, and the topics.

Everything here may be repeated: what is there already is left as it is.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar
from urllib.parse import urlsplit, urlunsplit

import asyncpg
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from contracts.topics import Topic
from services.chassis.errors import Unavailable
from services.chassis.migrate import migrate_database, migrations_of

SERVICES = ("evidence", "mastery", "scheduling", "reporting")
ANSWER_SECONDS = 30
Result = TypeVar("Result")


def database_name(service: str) -> str:
    return f"cairn_{service}"


def with_database(dsn: str, database: str) -> str:
    """The same server and user, another database."""
    return urlunsplit(urlsplit(dsn)._replace(path=f"/{database}"))


def prepare_databases(server: str) -> dict[str, str]:
    """Every service's database, made and migrated: service → DSN."""
    dsns = {service: with_database(server, database_name(service)) for service in SERVICES}
    for service, dsn in dsns.items():
        create_database(server, database_name(service))
        migrate_database(dsn, migrations_of(service))
    return dsns


def create_database(server: str, name: str, template: str = "template1") -> None:
    """Make a database unless it is there, as a copy of `template`."""
    run(_create_database(server, _identifier(name), _identifier(template)))


def drop_database(server: str, name: str) -> None:
    """Drop a database if it is there, whoever is connected."""
    execute(server, f"DROP DATABASE IF EXISTS {_identifier(name)} WITH (FORCE)")


def execute(dsn: str, *statements: str) -> None:
    """Run statements, each its own transaction."""

    async def work() -> None:
        connection = await asyncpg.connect(dsn)
        try:
            for statement in statements:
                await connection.execute(statement)
        finally:
            await connection.close()

    run(work())


def connects(dsn: str) -> bool:
    """Whether Postgres takes a connection."""
    try:
        execute(dsn, "SELECT 1")
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):  # away, starting, or the login is refused
        return False
    return True


async def _create_database(server: str, name: str, template: str) -> None:
    connection = await asyncpg.connect(server)
    try:
        if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", name):
            await connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    finally:
        await connection.close()


def run(work: Coroutine[Any, Any, Result]) -> Result:
    """The result of a coroutine, also for a caller inside an event loop (which stands still meanwhile)."""
    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(asyncio.run, work).result()


def create_topics(bootstrap: str, topics: Sequence[Topic], partitions: int) -> None:
    """Make the topics that are not there, replicated on every broker that lives, up to three.

    A partition count is for life: a topic that is there with another one is refused.
    """
    client = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
    metadata = client.list_topics(timeout=ANSWER_SECONDS)
    for topic in topics:
        found = metadata.topics.get(topic.name)
        if found is not None and len(found.partitions) != partitions:
            raise Unavailable(f"topic {topic.name} has {len(found.partitions)} partitions, not {partitions}: `cairn reset`")
    replicas = min(3, len(metadata.brokers))
    wanted = [NewTopic(topic.name, partitions, replicas, config=topic.configs) for topic in topics]
    for name, future in client.create_topics(wanted, operation_timeout=ANSWER_SECONDS).items():
        _settle(name, future.exception(ANSWER_SECONDS))


def _settle(name: str, error: BaseException | None) -> None:
    if error is None:
        return
    code = error.args[0].code() if isinstance(error, KafkaException) else None
    if code != KafkaError.TOPIC_ALREADY_EXISTS:
        raise Unavailable(f"topic {name} could not be made: {error}") from error


def _identifier(name: str) -> str:
    """A name that is safe inside a statement, which takes no parameter there."""
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,62}", name):
        raise ValueError("a database is named in lower case letters, digits and underscores")
    return name
