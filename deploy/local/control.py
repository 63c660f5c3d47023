"""Bringing a stack up and down from outside: the supervisor as a background process, what was chosen, what was left behind."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from deploy.local.remains import sweep
from deploy.local.resolver import External, resolve_kafka, resolve_postgres
from deploy.local.state import Home, Plan, StackState
from deploy.local.topology import ANY_PORTS
from deploy.local.waiting import POLL_SECONDS, until
from services.chassis.errors import Unavailable

UP_SECONDS = 300  # the first start ever fetches Kafka's jars
DOWN_SECONDS = 120  # eight services, then Kafka, then Postgres, each asked first
HOPELESS_STARTS = 3
SUPERVISOR = (sys.executable, "-m", "deploy.local.supervisor")
CHOSEN_BY_ENVIRONMENT = {"kafka": "CAIRN_KAFKA", "postgres": "CAIRN_POSTGRES"}


def choose(home: Home, *, brokers: int | None, partitions: int | None, backends: dict[str, str], any_ports: bool = False) -> Plan:
    """What this stack is to be: what is asked for now, else what it was. `Unavailable` where its data forbids that."""
    known = home.plan()
    plan = known or Plan(ports=dict(ANY_PORTS) if any_ports else {})
    for name, wanted in (("brokers", brokers), ("partitions", partitions)):
        if known and wanted not in (None, getattr(known, name)):
            raise Unavailable(f"this stack's data was made with {getattr(known, name)} {name}; `cairn reset` deletes it")
    named = {kind: _from_environment(home, kind) for kind in CHOSEN_BY_ENVIRONMENT}
    chosen = {kind: backends.get(kind) or named[kind] or getattr(plan, kind) for kind in CHOSEN_BY_ENVIRONMENT}
    changed = known is not None and any(chosen[kind] != getattr(known, kind) for kind in chosen)
    if changed and home.supervisor():
        raise Unavailable("the stack is up with other backends; `cairn down` first")
    return Plan(brokers or plan.brokers, partitions or plan.partitions, chosen["kafka"], chosen["postgres"], plan.ports)


def _from_environment(home: Home, kind: str) -> str:
    """What the user set, as opposed to what the command read from the `env` that an earlier start wrote."""
    name = CHOSEN_BY_ENVIRONMENT[kind]
    value = os.environ.get(name, "")
    return "" if value == home.settings().get(name) else value


def start(home: Home, plan: Plan, supervisor: Sequence[str] = SUPERVISOR) -> None:
    """Start the supervisor in the background, unless one lives."""
    if home.supervisor():
        return
    home.logs.mkdir(parents=True, exist_ok=True)
    home.keep_plan(plan)
    written = home.settings()
    clean = {name: value for name, value in os.environ.items() if written.get(name) != value}
    home.forget_state()
    with (home.logs / "supervisor.log").open("ab") as log:
        process = subprocess.Popen(
            [*supervisor, str(home.folder)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={name: value for name, value in clean.items() if name not in CHOSEN_BY_ENVIRONMENT.values()},
            start_new_session=True,
        )
    until(lambda: home.supervisor() is not None or process.poll() is not None, 30, f"no supervisor; see {log.name}")


def follow(home: Home, seconds: float = UP_SECONDS) -> Iterator[StackState]:
    """The state again and again until the stack runs. `Unavailable` when it fails, or is not up after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        alive = home.supervisor() is not None
        state = home.state()
        yield state
        if state.phase == "running":
            return
        _check(home, state, alive=alive, late=time.monotonic() > deadline)
        time.sleep(POLL_SECONDS)


def _check(home: Home, state: StackState, *, alive: bool, late: bool) -> None:
    if state.phase == "failed":
        raise Unavailable(state.error)
    if not alive:
        raise Unavailable(f"the supervisor has ended; see {home.logs / 'supervisor.log'}")
    for part in state.parts:
        if part.restarts >= HOPELESS_STARTS and part.state != "ready":
            raise Unavailable(f"{part.name} {part.detail or 'does not stay up'}; see {part.log}. It goes on being started.")
    if late:
        waiting = ", ".join(part.name for part in state.parts if part.state != "ready")
        raise Unavailable(f"not up yet ({state.step or 'starting'}): {waiting}; see {home.logs}. It goes on.")


def stop(home: Home) -> bool:
    """Take the stack down, supervised or not, and leave nothing running. False when nothing ran."""
    pid = home.supervisor()
    if pid:
        os.kill(pid, signal.SIGTERM)
        until(lambda: home.supervisor() != pid, DOWN_SECONDS, f"the stack does not go down; see {home.logs}")
    left = sweep(home.folder)
    return pid is not None or left


def erase(home: Home, say: Callable[[str], None]) -> None:
    """Delete the data of a stack that is down. Servers that are not ours keep theirs, and that is said."""
    plan = home.plan()
    if plan is None:
        raise Unavailable(f"{home.folder} holds no stack")
    for kind, name in CHOSEN_BY_ENVIRONMENT.items():
        if not _from_environment(home, kind):
            os.environ.pop(name, None)  # it was read from the stack's own `env`, and names the stack's own server
    for server in (
        resolve_kafka(home.folder, backend=plan.kafka, brokers=plan.brokers),
        resolve_postgres(home.folder, backend=plan.postgres),
    ):
        if isinstance(server, External):
            say(f"What is in {server.description} stays there.")
        server.erase()
    shutil.rmtree(home.folder)


def log_files(home: Home, service: str = "") -> list[Path]:
    """The logs, or those of one service: `mastery` has two processes, `mastery-work` is one."""
    files = sorted(home.logs.glob("*.log"))
    found = [file for file in files if not service or file.stem == service or file.stem.startswith(f"{service}-")]
    if not found:
        known = ", ".join(file.stem for file in files) or "none yet"
        raise Unavailable(f"no log of {service or 'this stack'}; there are: {known}")
    return found
