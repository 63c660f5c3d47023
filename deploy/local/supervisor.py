"""The process that brings a stack up in order, keeps it running, and takes it down: `python -m deploy.local.supervisor HOME`.

Owns: the order, the state that everybody reads. Must not: talk to a user; `cairn up` does, from what is written down.
"""

from __future__ import annotations

import logging
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Any

from contracts.topics import TOPICS
from deploy.local import topology
from deploy.local.keeping import Kept
from deploy.local.provision import create_topics, prepare_databases
from deploy.local.remains import sweep
from deploy.local.resolver import Server, resolve_kafka, resolve_postgres
from deploy.local.state import Home, Plan, StackState
from deploy.local.topology import Service
from deploy.local.waiting import free_ports
from services.chassis.errors import Unavailable

log = logging.getLogger("cairn.supervisor")

STEP_SECONDS = 0.2
HOPELESS_STARTS = 3  # a server that ends this often while it is to come up will not come up
Provision = Callable[[str, str, Plan], Mapping[str, str]]


class Stopped(Exception):  # noqa: N818 - an order, not an error
    """Somebody asked the stack to go down."""


def provision(kafka: str, postgres: str, plan: Plan) -> Mapping[str, str]:
    """Databases, migrations and topics; returns service → DSN."""
    databases = prepare_databases(postgres)
    create_topics(kafka, TOPICS, plan.partitions)
    return databases


class Supervisor:
    """A stack while it is up."""

    def __init__(self, home: Home, services: Sequence[Service] = topology.SERVICES, provision: Provision = provision) -> None:
        self.home = home
        self._services = services
        self._provision = provision
        self._plan = home.plan() or Plan()
        self._state = StackState(phase="starting")
        self._servers: list[Server] = []
        self._kept_servers: list[Kept] = []
        self._kept_services: list[Kept] = []
        self._written = ""
        self._stopped = False

    @property
    def _kept(self) -> list[Kept]:
        return self._kept_servers + self._kept_services

    def run(self) -> None:
        """Bring up, keep, take down. Returns when asked to stop (SIGTERM, SIGINT) or when a server cannot be started."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._ask_to_stop())
        sweep(self.home.folder)
        try:
            self._bring_up()
            self._keep()
        except Stopped:
            self._show(phase="stopping")
        except Unavailable as error:
            self._show(phase="failed", error=str(error))
        except Exception:
            self._show(phase="failed", error=f"a fault of the supervisor; see {self.home.logs / 'supervisor.log'}")
            raise
        finally:
            self._take_down()

    def _ask_to_stop(self) -> None:
        self._stopped = True

    # Up

    def _bring_up(self) -> None:
        self._show(step="looking for Kafka and Postgres")
        kafka, postgres = self._resolve()
        self._show(step="starting Kafka and Postgres")
        self._kept_servers = [Kept(part, server.place) for server in self._servers for part in server.prepare()]
        self._until_ready(self._kept_servers, give_up=True)
        for server in self._servers:
            server.start()  # they run: what is left is that all brokers see each other, or that an external one answers
        self._show(step="preparing databases and topics")
        databases = self._provision(kafka.address, postgres.address, self._plan)
        self._start_services(kafka.address, databases)
        self._show(phase="running", step="")

    def _resolve(self) -> tuple[Server, Server]:
        plan, folder = self._plan, self.home.folder
        kafka_ports = plan.ports.get("kafka", topology.KAFKA_PORTS[: 2 * plan.brokers])
        postgres_ports = plan.ports.get("postgres", topology.POSTGRES_PORTS)
        kafka = resolve_kafka(folder, backend=plan.kafka, brokers=plan.brokers, ports=kafka_ports)
        postgres = resolve_postgres(folder, backend=plan.postgres, ports=postgres_ports)
        self._remember("kafka", kafka_ports, kafka.ports)
        self._remember("postgres", postgres_ports, postgres.ports)
        self._servers = [kafka, postgres]
        self._state.notes += [kafka.description, postgres.description]
        return kafka, postgres

    def _remember(self, name: str, wanted: Sequence[int], got: Sequence[int]) -> None:
        """Keep the ports for the next start, and tell which of those wanted were taken."""
        taken = [f"{old} is taken: {name} listens on {new}" for old, new in zip(wanted, got, strict=False) if old not in (0, new)]
        self._state.notes += [f"port {each}" for each in taken]
        self._plan.ports[name] = list(got)
        self.home.keep_plan(self._plan)

    def _start_services(self, kafka: str, databases: Mapping[str, str]) -> None:
        wanted = {each.name: self._plan.ports.get(each.name, [each.port])[0] for each in self._services}
        ports = dict(zip(wanted, free_ports(len(wanted), tuple(wanted.values())), strict=True))
        for name, port in ports.items():
            self._remember(name, [wanted[name]], [port])
        settings = topology.settings(self.home.folder, kafka, self._plan.partitions, databases, ports)
        self.home.keep_env(settings)
        for _, stage in groupby(self._services, key=lambda each: each.stage):
            kept = [self._kept_service(each, ports[each.name], settings) for each in stage]
            self._kept_services += kept
            self._show(step=f"starting {', '.join(sorted({each.part.name for each in kept}))}")
            self._until_ready(kept, give_up=False)

    def _kept_service(self, service: Service, port: int, settings: Mapping[str, str]) -> Kept:
        return Kept(topology.process(service, self.home.folder, port, settings), topology.address(port))

    def _until_ready(self, kept: Sequence[Kept], *, give_up: bool) -> None:
        """Step until all of `kept` are ready. A service that fails goes on being started: its code may be mended."""
        while not all(each.ready for each in kept):
            self._step()
            hopeless = [each for each in kept if each.row.restarts >= HOPELESS_STARTS]
            if give_up and hopeless:
                raise Unavailable(f"{hopeless[0].part.name} does not start; see {hopeless[0].part.log}")

    # Running

    def _keep(self) -> None:
        while True:
            self._step()

    def _step(self) -> None:
        if self._stopped:
            raise Stopped
        for each in self._kept:
            each.step(time.monotonic())
        self._show()
        time.sleep(STEP_SECONDS)

    def _show(self, **changes: Any) -> None:
        """Write the state down when it has changed."""
        self._state = replace(self._state, **changes, parts=[each.row for each in self._kept])
        text = self._state.to_json()
        if text != self._written:
            self.home.keep_state(self._state)
            self._written = text

    # Down

    def _take_down(self) -> None:
        """Services first, then what they stand on; then whatever else carries this stack's mark."""
        for each in self._kept_services:
            each.part.ask_to_end()
        for each in self._kept_services:
            each.part.stop()
        for server in self._servers:
            server.stop()
        sweep(self.home.folder)
        for each in self._kept:
            each.row.state, each.row.pid = "stopped", None
        self._show(phase="failed" if self._state.phase == "failed" else "down", step="")


def main(folder: Path, services: Sequence[Service] = topology.SERVICES, provision: Provision = provision) -> None:
    """Be the supervisor of the stack in `folder`, unless it has one."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    home = Home(folder)
    with home.supervised() as ours:
        if ours:
            Supervisor(home, services, provision).run()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
