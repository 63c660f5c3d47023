"""Real Apache Kafka in KRaft mode, one broker or several, on the JVM and the jars that come as packages.

Owns: the brokers' settings, their folders (storage is formatted once, when fresh) and their processes.
Must not: create topics (`provision`), or choose where Kafka comes from (`resolver`).
"""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from deploy.local.jars import VERSION, aot_cache, java_home, kafka_jars
from deploy.local.process import Command, Process
from deploy.local.waiting import LOOPBACK, free_ports, listens, until
from services.chassis.errors import Unavailable

LOGGING = Path(__file__).with_name("log4j2.properties")
START_SECONDS = 90  # 2.3 s on a quiet machine; three brokers on two busy cores need 12 s and more
CLUSTER_STOP_SECONDS = 10  # then killed: what was acknowledged is with the kernel, and the next start recovers it
HEAP = {1: "1g", 3: "512m"}  # a laptop holds three brokers beside Postgres and eight services

# Durable first: an acknowledged record is on every replica that counts, and no topic appears by a misspelt name.
SETTINGS = {
    "process.roles": "broker,controller",
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "inter.broker.listener.name": "PLAINTEXT",
    "unclean.leader.election.enable": "false",
    "auto.create.topics.enable": "false",
    # A restarted broker is let in when the session of the killed one is over: by default 9 s. Too low, and a machine
    # that is busy for that long fences a broker that lives.
    "broker.session.timeout.ms": "4000",
    "broker.heartbeat.interval.ms": "500",
    "group.initial.rebalance.delay.ms": "0",
    "offsets.topic.num.partitions": "8",
    "transaction.state.log.num.partitions": "8",
    "share.coordinator.state.topic.num.partitions": "8",
    "log.message.timestamp.type": "CreateTime",
    "num.network.threads": "2",
    "num.io.threads": "4",
    "controlled.shutdown.enable": "true",
}
REPLICATED = (
    "default.replication.factor",
    "offsets.topic.replication.factor",
    "transaction.state.log.replication.factor",
    "share.coordinator.state.topic.replication.factor",
)
IN_SYNC = (
    "min.insync.replicas",
    "transaction.state.log.min.isr",
    "share.coordinator.state.topic.min.isr",
)


def cluster_settings(brokers: int) -> dict[str, str]:
    """What all brokers of a cluster of this size are told, wherever they run."""
    replicated = dict.fromkeys(REPLICATED, str(brokers))
    return {**SETTINGS, **replicated, **dict.fromkeys(IN_SYNC, str(brokers // 2 + 1))}


@dataclass(frozen=True)
class Broker:
    """One broker, which is a controller too: its number (from 1), ports and folder."""

    node: int
    port: int
    controller_port: int
    folder: Path

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def settings_file(self) -> Path:
        return self.folder / "server.properties"


class Kafka:
    """A cluster of brokers under one folder. Records survive `stop`, `kill` and a machine that stops.

    `ports` are two a broker, clients' then controllers'; those that are taken or not given are replaced by free ones.
    """

    def __init__(
        self,
        folder: Path,
        home: Path,
        *,
        brokers: int = 1,
        ports: Sequence[int] = (),
        java_options: Sequence[str] = (),
    ) -> None:
        if brokers not in HEAP:
            raise Unavailable(f"{brokers} brokers: a local Kafka has 1 or 3")
        self.folder, self.home, self.java_options = folder, home, java_options
        self.ports = free_ports(2 * brokers, tuple(ports))
        self.brokers = tuple(
            Broker(node, self.ports[2 * node - 2], self.ports[2 * node - 1], folder / str(node)) for node in range(1, brokers + 1)
        )
        self.processes: tuple[Process, ...] = ()

    @property
    def bootstrap(self) -> str:
        """Bootstrap servers, as clients take them."""
        return ",".join(f"{LOOPBACK}:{broker.port}" for broker in self.brokers)

    @property
    def address(self) -> str:
        return self.bootstrap

    @property
    def place(self) -> str:
        return self.bootstrap

    @property
    def description(self) -> str:
        return f"Apache Kafka {VERSION} on this machine's own JVM (wheels), {len(self.brokers)} broker(s)"

    def prepare(self) -> tuple[Process, ...]:
        """Check the jars, write the settings, format what is fresh; then the brokers can be started."""
        class_path = kafka_jars()
        for broker in self.brokers:
            broker.folder.mkdir(parents=True, exist_ok=True)
            broker.settings_file.write_text(self._settings(broker), encoding="utf-8")
        self._format(class_path)
        self.processes = tuple(Process(self._command(broker, class_path)) for broker in self.brokers)
        return self.processes

    def start(self, seconds: float = START_SECONDS) -> None:
        """Start every broker, and return once all of them answer and know each other."""
        for process in self.processes or self.prepare():
            process.start()
        for process in self.processes:
            process.wait_ready(seconds)
        self.wait_whole(seconds)

    def wait_whole(self, seconds: float = START_SECONDS) -> None:
        """Return once every broker is a live member of the cluster."""
        logs = ", ".join(str(process.command.log) for process in self.processes)
        until(lambda: live_brokers(self.bootstrap) == len(self.brokers), seconds, f"Kafka is not whole; see {logs}")

    def stop(self) -> None:
        """Stop the brokers, all at once: the last of three would wait in vain for a quorum that approves."""
        for process in self.processes:
            process.ask_to_end()
        for process in self.processes:
            process.stop(CLUSTER_STOP_SECONDS)

    def erase(self) -> None:
        """Stop, and delete every record."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def broker(self, node: int) -> Process:
        """The process of broker `node` (from 1), to kill, suspend or start again."""
        return self.processes[node - 1]

    def _settings(self, broker: Broker) -> str:
        voters = ",".join(f"{each.node}@{LOOPBACK}:{each.controller_port}" for each in self.brokers)
        listeners = f"PLAINTEXT://{LOOPBACK}:{broker.port}"
        own = {
            "node.id": str(broker.node),
            "controller.quorum.voters": voters,
            "listeners": f"{listeners},CONTROLLER://{LOOPBACK}:{broker.controller_port}",
            "advertised.listeners": listeners,
            "log.dirs": str(broker.data),
        }
        return "".join(f"{name}={value}\n" for name, value in {**cluster_settings(len(self.brokers)), **own}.items())

    def _format(self, class_path: list[Path]) -> None:
        """Give a fresh broker's folder the cluster's identity; `meta.properties` is the last file that this writes."""
        fresh = [broker for broker in self.brokers if not (broker.data / "meta.properties").exists()]
        if not fresh:
            return
        cluster = cluster_id(self.folder)
        runs = [(broker, self._run_format(broker, cluster, class_path)) for broker in fresh]
        for broker, run in runs:
            output, _ = run.communicate(timeout=START_SECONDS)
            if run.returncode:
                log = broker.folder / "format.log"
                log.write_bytes(output)
                raise Unavailable(f"Kafka's storage could not be formatted; see {log}")

    def _run_format(self, broker: Broker, cluster: str, class_path: list[Path]) -> subprocess.Popen[bytes]:
        argv = [*_java(class_path), "kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(broker.settings_file)]
        return subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=_environment())

    def _command(self, broker: Broker, class_path: list[Path]) -> Command:
        heap = HEAP[len(self.brokers)]
        options = (f"-Xmx{heap}", "-Xms256m", "-XX:+ExitOnOutOfMemoryError", *self.java_options)
        return Command(
            name="kafka" if len(self.brokers) == 1 else f"kafka-{broker.node}",
            argv=(*_java(class_path, *options), "kafka.Kafka", str(broker.settings_file)),
            environment=_environment(),
            log=self.home / "logs" / f"kafka-{broker.node}.log",
            home=self.home,
            ready=lambda: answers(f"{LOOPBACK}:{broker.port}"),
        )


def cluster_id(folder: Path) -> str:
    """The 22-character identity that all brokers of this folder share, made once."""
    path = folder / "cluster.id"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        first, *rest = uuid.uuid4().bytes
        id_ = base64.urlsafe_b64encode(bytes([first & 0x7F, *rest]))  # it begins with a letter: `-…` would be read as an option
        path.write_text(id_.decode().rstrip("="), encoding="ascii")
    return path.read_text(encoding="ascii")


def answers(bootstrap: str) -> bool:
    """Whether a broker at these addresses answers a request for metadata."""
    ports = [int(address.rpartition(":")[2]) for address in bootstrap.split(",") if address.startswith(LOOPBACK)]
    if ports and not any(listens(port) for port in ports):
        return False  # librdkafka would retry in the background and take a second to say so
    return live_brokers(bootstrap) > 0


def live_brokers(bootstrap: str) -> int:
    """How many brokers the cluster counts as alive; 0 when none answers within two seconds."""
    settings: dict[str, Any] = {"bootstrap.servers": bootstrap, "log_level": 0, "error_cb": lambda _: None}
    client = AdminClient(settings)
    try:
        return len(client.list_topics(timeout=2).brokers)
    except KafkaException:  # nobody answered: that is the answer
        return 0


def _java(class_path: list[Path], *options: str) -> list[str]:
    jars, cache = os.pathsep.join(map(str, class_path)), aot_cache(class_path)
    cached = [f"-XX:AOTCache={cache}"] if cache.exists() else []
    log4j = f"-Dlog4j2.configurationFile={LOGGING}"
    return [str(java_home() / "bin" / "java"), *cached, *options, log4j, "-cp", jars]


def _environment() -> dict[str, str]:
    return {**os.environ, "JAVA_HOME": str(java_home())}
