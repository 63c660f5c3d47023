"""A whole platform of a test's own: `cairn up` in a folder, its processes to be killed, its databases and topics to be read."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from deploy.seed.district import one_school

UP_SECONDS = 240
# How long a platform whose parts are being killed may take nothing, on a busy machine: a bound on a hang, not a promise.
PATIENCE = 180
STUDENTS, DAYS = 60, 10
# What the platform is seeded with, and what its load goes on publishing about.
SCHOOL = one_school(students=STUDENTS, days=DAYS)
CAIRN = str(Path(sys.executable).with_name("cairn"))


class Platform:
    """A running local stack. Everything goes through the `cairn` command, as an operator's would."""

    def __init__(self, home: Path) -> None:
        self.home = home

    @property
    def environment(self) -> dict[str, str]:
        """What commands are told: the stack's folder, and nothing else of ours."""
        ours = {name: value for name, value in os.environ.items() if not name.startswith("CAIRN_")}
        return {**ours, "CAIRN_HOME": str(self.home)}

    @property
    def settings(self) -> Mapping[str, str]:
        """What the stack wrote down for commands: addresses and databases."""
        lines = (self.home / "env").read_text(encoding="utf-8").splitlines()
        return dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))

    def cairn(self, *arguments: str, seconds: float = UP_SECONDS) -> str:
        """Run a command to its end; its standard output. A command that fails fails the test, with what it said."""
        done = subprocess.run(
            [CAIRN, *arguments], env=self.environment, capture_output=True, text=True, timeout=seconds, check=False
        )
        assert done.returncode == 0, f"cairn {' '.join(arguments)}: {done.stderr[-2000:]}{done.stdout[-2000:]}"
        return done.stdout

    def json(self, *arguments: str) -> Any:
        """What a command prints with `--json`."""
        return json.loads(self.cairn(*arguments, "--json"))

    def parts(self) -> dict[str, dict[str, Any]]:
        """Every process of the stack by name, as `cairn status` tells it."""
        return {part["name"]: part for part in self.json("status")["parts"]}

    def pids(self) -> dict[str, int]:
        """The processes that run now, by name: read from what the supervisor writes down, so that asking disturbs nobody."""
        state = json.loads((self.home / "state.json").read_text(encoding="utf-8"))
        return {part["name"]: part["pid"] for part in state["parts"] if part["pid"]}

    def kill(self, name: str) -> bool:
        """kill -9; whether there was somebody to kill. The stack starts it again."""
        return self._signal(name, signal.SIGKILL)

    def suspend(self, name: str) -> None:
        """SIGSTOP: alive, and answering nobody."""
        self._signal(name, signal.SIGSTOP)

    def resume(self, name: str) -> None:
        self._signal(name, signal.SIGCONT)

    def _signal(self, name: str, number: int) -> bool:
        pid = self.pids().get(name)
        if pid is None:
            return False
        with suppress(ProcessLookupError):
            os.kill(pid, number)
            return True
        return False


@contextmanager
def a_platform(*options: str) -> Iterator[Platform]:
    """A stack that is up, and gone afterwards."""
    home = Path(tempfile.mkdtemp(prefix="cairn-e2e-"))
    home.chmod(0o755)  # Postgres's own user must get to its folder
    platform = Platform(home)
    try:
        platform.cairn("up", "--any-ports", "--partitions", "4", *options)
        yield platform
    finally:
        platform.cairn("reset", "--yes")


@pytest.fixture(scope="session")
def platform() -> Iterator[Platform]:
    """A platform with the small school in it, shared by the journeys of a run: each leaves it whole, and none empty."""
    with a_platform() as platform:
        platform.cairn("seed", "highschool", "--students", str(STUDENTS), "--days", str(DAYS))
        yield platform
