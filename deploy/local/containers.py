"""Kafka and Postgres in containers, where this machine has Docker and not the packages.

Data is in named volumes, so it survives the containers. Ports are published on the loopback interface only, since here
too whoever reaches Postgres is its superuser. Containers carry the stack's folder as a label: `remove_containers` finds
what a killed supervisor left, as `orphans` does for processes.
"""

from __future__ import annotations

import hashlib
import shutil
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from deploy.local.kafka import HEAP, START_SECONDS, answers, cluster_id, cluster_settings, live_brokers
from deploy.local.postgres import SETTINGS as POSTGRES_SETTINGS
from deploy.local.process import STOP_SECONDS
from deploy.local.provision import connects
from deploy.local.waiting import LOOPBACK, free_ports, until
from services.chassis.errors import Unavailable

KAFKA_IMAGE, POSTGRES_IMAGE = "apache/kafka:4.3.1", "postgres:18"
LABEL = "cairn.stack"
USED = "docker-used"  # a file in the stack's folder: there may be containers to remove


def docker_client() -> Any:
    """A client of the Docker that answers here, or `Unavailable`."""
    try:
        import docker  # noqa: PLC0415 - comes with testcontainers, which not every machine has or needs
        from docker.errors import DockerException  # noqa: PLC0415
    except ImportError as error:
        raise Unavailable("no Docker client: `pip install testcontainers`") from error
    try:
        client = docker.from_env()
        client.ping()
    except DockerException as error:
        raise Unavailable("no Docker answers here: install and start it, or set DOCKER_HOST") from error
    return client


def remove_containers(home: Path) -> None:
    """Remove the containers of this stack, if it ever had any; their volumes stay."""
    if not (home / USED).exists():
        return
    for container in docker_client().containers.list(all=True, filters={"label": f"{LABEL}={home}"}):
        container.remove(force=True)


@dataclass(frozen=True)
class Recipe:
    """What a container is made of. `volume` is a named volume and the path where it is mounted."""

    name: str
    image: str
    unique: str
    inside_port: int
    port: int
    environment: Mapping[str, str]
    volume: tuple[str, str]
    log: Path
    home: Path
    network: str
    ready: Callable[[], bool]
    command: Sequence[str] = ()
    stop_signal: str = "SIGTERM"


class Container:
    """A recipe, running or not: a part that the supervisor keeps."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self._running: Any = None

    @property
    def name(self) -> str:
        return self.recipe.name

    @property
    def log(self) -> Path:
        return self.recipe.log

    @property
    def pid(self) -> int | None:
        return self._state().get("Pid") or None

    def running(self) -> bool:
        return bool(self._state().get("Running"))

    def ready(self) -> bool:
        return self.running() and self.recipe.ready()

    def exit_code(self) -> int | None:
        return self._state().get("ExitCode")

    def start(self) -> None:
        """Start it anew, in place of one of the same name that is left from before."""
        from testcontainers.core.config import testcontainers_config  # noqa: PLC0415
        from testcontainers.core.container import DockerContainer  # noqa: PLC0415

        testcontainers_config.ryuk_disabled = True  # the stack goes on when the command that started it has ended
        recipe = self.recipe
        self._remove()
        container = DockerContainer(recipe.image, env=dict(recipe.environment), name=recipe.unique)
        container.with_volume_mapping(*recipe.volume, "rw")
        container.with_kwargs(
            hostname=recipe.unique,
            network=recipe.network,
            labels={LABEL: str(recipe.home)},
            shm_size="256m",
            stop_signal=recipe.stop_signal,
        )
        if recipe.command:
            container.with_command(list(recipe.command))
        cast("dict[str, Any]", container.ports)[str(recipe.inside_port)] = (LOOPBACK, recipe.port)
        self._running = container.start().get_wrapped_container()
        threading.Thread(target=self._copy_log, args=(self._running,), daemon=True).start()

    def ask_to_end(self) -> None:
        if self.running():
            self._running.kill(self.recipe.stop_signal)

    def stop(self, seconds: float = STOP_SECONDS) -> None:
        if self.running():
            self._running.stop(timeout=int(seconds))
        self._remove()

    def _state(self) -> dict[str, Any]:
        if self._running is None:
            return {}
        from docker.errors import NotFound  # noqa: PLC0415

        try:
            self._running.reload()
        except NotFound:
            return {}
        return dict(self._running.attrs["State"])

    def _remove(self) -> None:
        for left in docker_client().containers.list(all=True, filters={"name": f"^{self.recipe.unique}$"}):
            left.remove(force=True)

    def _copy_log(self, container: Any) -> None:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            for chunk in container.logs(stream=True, follow=True):
                log.write(chunk)
                log.flush()


@dataclass
class ContainerServer:
    """A Kafka or a Postgres made of containers."""

    kind: str
    image: str
    address: str
    place: str
    ports: tuple[int, ...]
    home: Path
    network: str
    containers: tuple[Container, ...]
    whole: Callable[[], bool]
    folder: Path | None = None
    seconds: float = field(default=START_SECONDS)

    @property
    def description(self) -> str:
        return f"{self.kind} in Docker ({self.image}), {len(self.containers)} container(s)"

    def prepare(self) -> tuple[Container, ...]:
        """Make the network; from now on there may be containers to remove."""
        client = docker_client()
        (self.home / USED).touch()
        if not client.networks.list(names=[self.network]):
            client.networks.create(self.network)
        return self.containers

    def start(self) -> None:
        self.prepare()
        for container in self.containers:
            if not container.running():
                container.start()
        logs = ", ".join(str(container.log) for container in self.containers)
        until(self.whole, self.seconds, f"{self.kind} in Docker did not answer in {self.seconds:g} s; see {logs}")

    def stop(self) -> None:
        for container in self.containers:
            container.ask_to_end()
        for container in self.containers:
            container.stop()

    def erase(self) -> None:
        """Stop, and delete the volumes."""
        self.stop()
        client = docker_client()
        for container in self.containers:
            for volume in client.volumes.list(filters={"name": container.recipe.volume[0]}):
                volume.remove(force=True)
        for network in client.networks.list(names=[self.network]):
            if not network.containers:
                network.remove()
        if self.folder:
            shutil.rmtree(self.folder, ignore_errors=True)


def docker_postgres(home: Path, ports: Sequence[int] = ()) -> ContainerServer:
    """Postgres in a container, with the settings of a local one."""
    (port,) = free_ports(1, tuple(ports))
    unique = f"{_prefix(home)}-postgres"
    dsn = f"postgresql://postgres@{LOOPBACK}:{port}/postgres"
    options = {**POSTGRES_SETTINGS, "listen_addresses": "*"}  # inside the container; outside, the port is on loopback
    recipe = Recipe(
        name="postgres",
        image=POSTGRES_IMAGE,
        unique=unique,
        inside_port=5432,
        port=port,
        environment={"POSTGRES_HOST_AUTH_METHOD": "trust", "PGDATA": "/var/lib/postgresql/cairn"},
        volume=(unique, "/var/lib/postgresql"),
        log=home / "logs" / "postgres.log",
        home=home,
        network=_prefix(home),
        ready=lambda: connects(dsn),
        command=("postgres", *(word for name, value in options.items() for word in ("-c", f"{name}={value}"))),
        stop_signal="SIGINT",
    )
    containers = (Container(recipe),)
    return ContainerServer(
        "Postgres", POSTGRES_IMAGE, dsn, f"{LOOPBACK}:{port}", (port,), home, recipe.network, containers, recipe.ready
    )


def docker_kafka(home: Path, brokers: int = 1, ports: Sequence[int] = ()) -> ContainerServer:
    """A Kafka of one container a broker, which talk to each other over a network of their own."""
    chosen = free_ports(brokers, tuple(ports))
    bootstrap = ",".join(f"{LOOPBACK}:{port}" for port in chosen)
    folder = home / "kafka"
    recipes = [_broker(home, node, port, brokers, cluster_id(folder)) for node, port in enumerate(chosen, start=1)]
    return ContainerServer(
        kind="Kafka",
        image=KAFKA_IMAGE,
        address=bootstrap,
        place=bootstrap,
        ports=chosen,
        home=home,
        network=_prefix(home),
        containers=tuple(map(Container, recipes)),
        whole=lambda: live_brokers(bootstrap) == brokers,
        folder=folder,
    )


def _broker(home: Path, node: int, port: int, brokers: int, cluster: str) -> Recipe:
    unique = f"{_prefix(home)}-kafka-{node}"
    voters = ",".join(f"{each}@{_prefix(home)}-kafka-{each}:9093" for each in range(1, brokers + 1))
    settings = {
        **cluster_settings(brokers),
        "node.id": str(node),
        "controller.quorum.voters": voters,
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,HOST:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "listeners": "PLAINTEXT://:19092,HOST://:9092,CONTROLLER://:9093",
        "advertised.listeners": f"PLAINTEXT://{unique}:19092,HOST://{LOOPBACK}:{port}",
        "log.dirs": "/var/lib/kafka/data",
    }
    environment = {f"KAFKA_{name.replace('.', '_').upper()}": value for name, value in settings.items()}
    return Recipe(
        name="kafka" if brokers == 1 else f"kafka-{node}",
        image=KAFKA_IMAGE,
        unique=unique,
        inside_port=9092,
        port=port,
        environment={**environment, "CLUSTER_ID": cluster, "KAFKA_HEAP_OPTS": f"-Xmx{HEAP[brokers]} -Xms256m"},
        volume=(unique, "/var/lib/kafka/data"),
        log=home / "logs" / f"kafka-{node}.log",
        home=home,
        network=_prefix(home),
        ready=lambda: answers(f"{LOOPBACK}:{port}"),
    )


def _prefix(home: Path) -> str:
    return f"cairn-{hashlib.sha256(str(home).encode()).hexdigest()[:12]}"
