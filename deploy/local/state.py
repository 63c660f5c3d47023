"""What is written down about a stack, in its folder.

`stack.json`: what was chosen (brokers, partitions, backends, ports), kept as long as the data.
`state.json`: what runs now, written by the supervisor, read by everybody.
`env`: the settings with which every `cairn` command finds the stack.
`supervisor.lock`: locked while a supervisor lives, however it ends; it holds the supervisor's process id.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import IO, Any, Literal, Self

from deploy.local.waiting import POLL_SECONDS

PROBE_SECONDS = 1.0  # whoever asks whether a supervisor lives holds its lock for an instant

Phase = Literal["down", "starting", "running", "stopping", "failed"]


@dataclass
class Plan:
    """What was chosen. A backend is `local`, `docker`, an address, or empty for the resolver's order."""

    brokers: int = 1
    partitions: int = 8
    kafka: str = ""
    postgres: str = ""
    ports: dict[str, list[int]] = field(default_factory=dict)


@dataclass
class PartState:
    """One row of the table. `state`: waiting, starting, ready, not ready, backing off, stopped."""

    name: str
    state: str = "waiting"
    pid: int | None = None
    address: str = ""
    log: str = ""
    restarts: int = 0
    detail: str = ""


@dataclass
class StackState:
    """The whole table. `notes` are choices the user should see: backends, ports that were taken."""

    phase: Phase = "down"
    step: str = ""
    error: str = ""
    notes: list[str] = field(default_factory=list)
    parts: list[PartState] = field(default_factory=list)

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Self:
        found = json.loads(text)
        return cls(**{**found, "parts": [PartState(**part) for part in found["parts"]]})


def _lock_within(file: IO[str], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() > deadline:
                return False
            time.sleep(POLL_SECONDS)


class Home:
    """The folder of one stack."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()

    @property
    def logs(self) -> Path:
        return self.folder / "logs"

    @property
    def env(self) -> Path:
        return self.folder / "env"

    @property
    def lock(self) -> Path:
        return self.folder / "supervisor.lock"

    def plan(self) -> Plan | None:
        """What was chosen when the stack's data was made; None before that."""
        path = self.folder / "stack.json"
        if not path.exists():
            return None
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return Plan(**{each.name: found[each.name] for each in fields(Plan)})

    def keep_plan(self, plan: Plan) -> None:
        self._write("stack.json", json.dumps(asdict(plan), indent=2) + "\n")

    def state(self) -> StackState:
        """What the last supervisor wrote, as far as it is still true: without one that lives, the stack is not up."""
        path = self.folder / "state.json"
        state = StackState.from_json(path.read_text(encoding="utf-8")) if path.exists() else StackState()
        if self.supervisor() is None and state.phase != "failed":
            state.phase = "down"
        return state

    def keep_state(self, state: StackState) -> None:
        self._write("state.json", state.to_json())

    def forget_state(self) -> None:
        """Drop what an earlier supervisor wrote, so that nobody takes it for what the next one says."""
        (self.folder / "state.json").unlink(missing_ok=True)

    def keep_env(self, settings: Mapping[str, str]) -> None:
        """Write the settings; the file is private, because an external Postgres's address can hold a password."""
        lines = [f"{name}={value}\n" for name, value in settings.items()]
        self._write("env", "# Written by `cairn up`; read by every `cairn` command.\n" + "".join(lines))

    def settings(self) -> dict[str, str]:
        """What `keep_env` wrote; empty before the first start."""
        if not self.env.exists():
            return {}
        lines = [line for line in self.env.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
        return dict(line.split("=", 1) for line in lines)

    def supervisor(self) -> int | None:
        """The process id of the supervisor that lives, or None."""
        if not self.lock.exists():
            return None
        with self.lock.open("r+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return int(file.read() or 0) or None
        return None

    @contextmanager
    def supervised(self) -> Iterator[bool]:
        """Hold the lock while the block runs; False when another supervisor holds it. The kernel frees it with us."""
        with self.lock.open("a+") as file:
            held = _lock_within(file, PROBE_SECONDS)
            if held:
                file.truncate(0)
                file.write(str(os.getpid()))
                file.flush()
            yield held

    def _write(self, name: str, text: str) -> None:
        """Replace a file as a whole: a reader sees the old one or the new one."""
        path = self.folder / name
        fresh = path.with_suffix(".new")
        fresh.touch(mode=0o600)
        fresh.write_text(text, encoding="utf-8")
        fresh.replace(path)
