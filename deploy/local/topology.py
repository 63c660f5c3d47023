"""What runs in a local stack, where it listens, what it is told, and in which order it becomes ready:

Kafka, Postgres  ▸  databases, migrations, topics  ▸  evidence  ▸  mastery, scheduling, reporting
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from deploy.local.process import Command, Process
from deploy.local.waiting import LOOPBACK, says_ready

# Below the range of outgoing connections. Each is a wish: where it is taken, another is chosen, told and remembered.
KAFKA_PORTS = (7440, 7441, 7442, 7443, 7444, 7445)  # clients' and controllers', a pair a broker
POSTGRES_PORTS = (7432,)


@dataclass(frozen=True)
class Service:
    """One process of a service: `serve` answers requests, `work` relays or projects. Stage 2 starts after stage 1 is ready."""

    service: str
    kind: str
    port: int
    stage: int
    command: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return f"{self.service}-{self.kind}"

    @property
    def argv(self) -> tuple[str, ...]:
        return self.command or (str(Path(sys.executable).with_name("cairn")), self.service, self.kind)


SERVICES = (
    Service("evidence", "serve", 7401, stage=1),
    Service("evidence", "work", 7411, stage=1),
    Service("mastery", "serve", 7402, stage=2),
    Service("mastery", "work", 7412, stage=2),
    Service("scheduling", "serve", 7403, stage=2),
    Service("scheduling", "work", 7413, stage=2),
    Service("reporting", "serve", 7400, stage=2),
    Service("reporting", "work", 7410, stage=2),
)

# For a stack beside others: no wish at all, so that it takes no port of a neighbour whose process is just being restarted.
ANY_PORTS = {
    "kafka": [0] * len(KAFKA_PORTS),
    "postgres": [0] * len(POSTGRES_PORTS),
    **{each.name: [0] for each in SERVICES},
}


def settings(
    home: Path,
    kafka: str,
    partitions: int,
    databases: Mapping[str, str],
    ports: Mapping[str, int],
) -> dict[str, str]:
    """All settings of a stack, as `cairn` commands read them. `ports`: process name → port."""
    return {
        "CAIRN_HOME": str(home),
        "CAIRN_MODE": "local",
        "CAIRN_HOST": LOOPBACK,
        "CAIRN_KAFKA": kafka,
        "CAIRN_PARTITIONS": str(partitions),
        **{database_setting(service): dsn for service, dsn in databases.items()},
        **{f"CAIRN_{name.removesuffix('-serve').upper()}_URL": address(port) for name, port in ports.items() if "-serve" in name},
    }


def database_setting(service: str) -> str:
    return f"CAIRN_{service.upper()}_DATABASE"


def address(port: int) -> str:
    return f"http://{LOOPBACK}:{port}"


def process(service: Service, home: Path, port: int, stack: Mapping[str, str]) -> Process:
    """The process of a service, told everything but the other services' databases."""
    others = {name for name in stack if name.endswith("_DATABASE")} - {database_setting(service.service)}
    environment = {name: value for name, value in stack.items() if name not in others}
    return Process(
        Command(
            name=service.name,
            argv=service.argv,
            environment={**environment, "CAIRN_PORT": str(port)},
            log=home / "logs" / f"{service.name}.log",
            home=home,
            ready=lambda: says_ready(f"{address(port)}/readyz"),
        )
    )
