"""A stack comes up in order, stays up, comes down without a trace, and keeps its data, whoever is killed."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import psutil
import pytest

from deploy.local import control
from deploy.local.process import orphans
from deploy.local.provision import execute
from deploy.local.state import Home, PartState, StackState
from deploy.local.topology import KAFKA_PORTS, POSTGRES_PORTS
from deploy.local.waiting import LOOPBACK, says_ready, until
from services.chassis.errors import Unavailable
from tests.stack import Stack

pytestmark = pytest.mark.stack

SMALL = (sys.executable, "-m", "tests.integration.stack.small_stack")
SECONDS = 90


@pytest.fixture
def home() -> Iterator[Home]:
    """A new stack's folder; whatever the test leaves running is ended."""
    with tempfile.TemporaryDirectory(prefix="cairn-test-") as folder:
        Path(folder).chmod(0o755)
        home = Home(Path(folder) / "home")
        home.folder.mkdir()
        yield home
        control.stop(home)


@pytest.fixture
def named(stack: Stack) -> dict[str, str]:
    """Backends that run already: the shared servers. The stack then has its two services to start, and nothing else."""
    return {"kafka": stack.kafka(), "postgres": stack.postgres()}


def up(home: Home, backends: dict[str, str] | None = None, *, any_ports: bool = False) -> StackState:
    """Bring it up, and return its state then."""
    plan = control.choose(home, brokers=None, partitions=None, backends=backends or {}, any_ports=any_ports)
    control.start(home, plan, SMALL)
    return list(control.follow(home, SECONDS))[-1]


def part(state: StackState, name: str) -> PartState:
    return next(each for each in state.parts if each.name == name)


def came_back(home: Home, before: PartState) -> bool:
    """Whether its death was seen and another process of it is ready."""
    now = part(home.state(), before.name)
    return now.restarts == 1 and now.state == "ready" and now.pid != before.pid


def pids(state: StackState) -> dict[str, int | None]:
    return {each.name: each.pid for each in state.parts}


def cairn(home: Home, *arguments: str) -> subprocess.CompletedProcess[str]:
    argv = [str(Path(sys.executable).with_name("cairn")), *arguments]
    environment = {**os.environ, "CAIRN_HOME": str(home.folder)}
    return subprocess.run(argv, env=environment, capture_output=True, text=True, check=False, timeout=SECONDS)


def test_up_twice_down_twice_and_everything_is_as_it_was(home: Home) -> None:
    first = up(home)
    assert [each.state for each in first.parts] == ["ready"] * 4
    assert pids(up(home)) == pids(first)
    settings = home.settings()
    execute(settings["CAIRN_EVIDENCE_DATABASE"], "CREATE TABLE kept (i int)")

    assert control.stop(home)
    assert not orphans(home.folder)
    assert home.state().phase == "down"
    assert not control.stop(home)

    second = up(home)
    assert home.settings() == settings  # the same ports and databases
    execute(settings["CAIRN_EVIDENCE_DATABASE"], "INSERT INTO kept VALUES (1)")
    assert pids(second).keys() == pids(first).keys()


def test_what_dies_is_started_again_each_part_in_turn(home: Home) -> None:
    for each in up(home).parts:
        assert each.pid
        psutil.Process(each.pid).kill()
        until(partial(came_back, home, each), SECONDS, f"{each.name} did not come back")
    assert home.state().phase == "running"


def test_a_killed_supervisor_is_replaced_and_so_is_what_it_left(home: Home) -> None:
    before = up(home)
    supervisor = home.supervisor()
    assert supervisor
    os.kill(supervisor, signal.SIGKILL)
    until(lambda: home.supervisor() is None, SECONDS, "it still holds the lock")
    assert len(orphans(home.folder)) == len(before.parts)  # the control: it did leave them

    after = up(home)
    assert not set(pids(after).values()) & set(pids(before).values())
    running = {process.pid for process in orphans(home.folder)}
    assert running >= set(pids(after).values())
    assert not running & set(pids(before).values())


def test_down_after_a_killed_supervisor_leaves_nothing(home: Home) -> None:
    up(home)
    supervisor = home.supervisor()
    assert supervisor
    os.kill(supervisor, signal.SIGKILL)
    until(lambda: home.supervisor() is None, SECONDS, "it still holds the lock")
    assert control.stop(home)
    assert not orphans(home.folder)


def test_a_port_that_was_taken_meanwhile_is_replaced_and_told(home: Home, named: dict[str, str]) -> None:
    address = part(up(home, named), "evidence-serve").address
    control.stop(home)
    port = int(address.rpartition(":")[2])
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind((LOOPBACK, port))
        taken.listen()
        state = up(home)
        other = part(state, "evidence-serve").address
        assert other != address
        assert says_ready(f"{other}/readyz")
        assert any(f"port {port} is taken" in note for note in state.notes)
        assert home.settings()["CAIRN_EVIDENCE_URL"] == other


def test_a_crashing_service_is_told_with_its_log(home: Home, named: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMALL_STACK_CRASHES", "yes")
    with pytest.raises(Unavailable, match=r"mastery-work ended with exit code 3.*mastery-work\.log"):
        up(home, named)
    assert part(home.state(), "evidence-serve").state == "ready"


def test_a_service_is_told_of_its_own_database_only(home: Home, named: dict[str, str]) -> None:
    up(home, named)
    assert "told of CAIRN_MASTERY_DATABASE\n" in (home.logs / "mastery-work.log").read_text()


def test_a_stack_keeps_the_brokers_and_partitions_that_its_data_has(home: Home, named: dict[str, str]) -> None:
    up(home, named)
    with pytest.raises(Unavailable, match=r"1 brokers.*cairn reset"):
        control.choose(home, brokers=3, partitions=None, backends={})
    with pytest.raises(Unavailable, match=r"8 partitions.*cairn reset"):
        control.choose(home, brokers=None, partitions=4, backends={})
    with pytest.raises(Unavailable, match="cairn down"):
        control.choose(home, brokers=None, partitions=None, backends={"kafka": "docker"})


def test_the_commands_tell_what_runs_show_logs_and_delete_everything_when_asked(home: Home, named: dict[str, str]) -> None:
    up(home, named)
    told = json.loads(cairn(home, "status", "--json").stdout)
    assert told["phase"] == "running"
    assert {each["name"]: each["position"] for each in told["parts"]}["mastery-work"] == 41
    assert "mastery-work" in cairn(home, "status").stdout
    assert cairn(home, "logs", "mastery").stdout.startswith("listening")
    assert cairn(home, "logs", "nothing").returncode == 2
    assert cairn(home, "reset").returncode != 0  # nobody answered the question
    assert home.state().phase == "running"

    done = cairn(home, "reset", "--yes")
    assert done.returncode == 0
    assert f"Kafka that runs already at {named['kafka']} stays there" in done.stdout
    assert not home.folder.exists()
    assert not orphans(home.folder)
    assert cairn(home, "down").stdout == "Nothing was running.\n"


def test_a_stack_beside_another_takes_none_of_the_usual_ports_though_they_are_free(home: Home) -> None:
    first = up(home, any_ports=True)
    addresses = {each.name: each.address for each in first.parts}
    ports = {int(port) for address in addresses.values() for port in re.findall(r":(\d+)", address)}
    assert len(ports) == len(addresses)
    assert not ports & {*KAFKA_PORTS, *POSTGRES_PORTS}
    assert not any("is taken" in note for note in first.notes)
    control.stop(home)
    assert {each.name: each.address for each in up(home).parts} == addresses  # chosen once, and kept
