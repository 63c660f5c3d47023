"""One operating-system process of the stack: started detached with its log in a file, stopped, killed, suspended.

Every process carries the stack's folder in its environment (`CAIRN_STACK`), so that what a killed supervisor left behind
is found again whatever was, or was not, written down (`orphans`).
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import psutil

from deploy.local.waiting import until
from services.chassis.errors import Unavailable

MARK = "CAIRN_STACK"
STOP_SECONDS = 30  # Kafka writes snapshots and closes its logs; past this a process is killed, which all of them survive


@dataclass(frozen=True)
class Account:
    """A user of the operating system that a process runs as."""

    name: str
    uid: int
    gid: int


def privileges(account: Account | None) -> dict[str, Any]:
    """What `subprocess` is told so that a process runs as this account and no group of ours; None: as ourselves."""
    return {"user": account.uid, "group": account.gid, "extra_groups": []} if account else {}


@dataclass(frozen=True)
class Command:
    """How to run a process. `ready` says whether it answers, `before` puts its folder in order ahead of each start."""

    name: str
    argv: Sequence[str]
    log: Path
    home: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    account: Account | None = None
    folder: Path | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    before: Callable[[], None] = lambda: None
    ready: Callable[[], bool] = lambda: True


class Part(Protocol):
    """What the supervisor keeps running: a process, or a container."""

    @property
    def name(self) -> str: ...

    @property
    def pid(self) -> int | None: ...

    @property
    def log(self) -> Path: ...

    def start(self) -> None: ...

    def running(self) -> bool: ...

    def ready(self) -> bool: ...

    def exit_code(self) -> int | None: ...

    def ask_to_end(self) -> None: ...

    def stop(self, seconds: float = STOP_SECONDS) -> None: ...


class Process:
    """A command, running or not. Not safe to share between threads that start and stop it."""

    def __init__(self, command: Command) -> None:
        self.command = command
        self._popen: subprocess.Popen[bytes] | None = None

    @property
    def name(self) -> str:
        return self.command.name

    @property
    def log(self) -> Path:
        return self.command.log

    @property
    def pid(self) -> int | None:
        return self._popen.pid if self._popen and self.running() else None

    def running(self) -> bool:
        return self._popen is not None and self._popen.poll() is None

    def ready(self) -> bool:
        return self.running() and self.command.ready()

    def start(self) -> None:
        """Start it if it does not run; it gets its own session, so that Ctrl-C in a terminal does not reach it."""
        if self.running():
            return
        command = self.command
        command.before()
        command.log.parent.mkdir(parents=True, exist_ok=True)
        with command.log.open("ab") as log:
            self._popen = subprocess.Popen(
                list(command.argv),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=command.folder,
                env={**os.environ, **command.environment, MARK: str(command.home)},
                start_new_session=True,
                **privileges(command.account),
            )

    def wait_ready(self, seconds: float = 60) -> None:
        """Return once it answers. `Unavailable` when it ends first or takes longer: the message shows where its log is."""
        until(lambda: not self.running() or self.command.ready(), seconds, self._trouble(f"did not answer in {seconds:g} s"))
        if not self.running():
            raise Unavailable(self._trouble(f"ended with exit code {self.exit_code()} before it answered"))

    def _trouble(self, what: str) -> str:
        return f"{self.name} {what}; see {self.command.log}"

    def exit_code(self) -> int | None:
        """The exit code (negative: the signal that ended it), or None while it runs or before it ran."""
        return self._popen.poll() if self._popen else None

    def ask_to_end(self) -> None:
        """Send the signal that ends it in good order, and do not wait."""
        if self._popen is not None and self.running():
            self._popen.send_signal(signal.SIGCONT)  # a suspended process hears nothing else
            self._popen.send_signal(self.command.stop_signal)

    def stop(self, seconds: float = STOP_SECONDS) -> None:
        """Ask it to end, wait, and kill what is left after `seconds`. Nothing happens when it does not run."""
        if self._popen is None:
            return
        self.ask_to_end()
        try:
            self._popen.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
        self._popen = None

    def kill(self) -> None:
        """End it as a crash does (`kill -9`), and return once it is gone."""
        if self._popen is not None:
            self._popen.kill()
            self._popen.wait()

    def suspend(self) -> None:
        """Stop it from running without ending it (SIGSTOP): it is there and says nothing."""
        if self._popen is not None:
            self._popen.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        if self._popen is not None:
            self._popen.send_signal(signal.SIGCONT)


def orphans(home: Path) -> list[psutil.Process]:
    """Processes that this stack, or one in a folder below its own, started and that still run; not ourselves and our parents."""
    ours = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    return [process for process in psutil.process_iter() if process.pid not in ours and _marked(process, home)]


def _marked(process: psutil.Process, home: Path) -> bool:
    try:
        mark = process.environ().get(MARK)
        return mark is not None and Path(mark).is_relative_to(home) and process.status() != psutil.STATUS_ZOMBIE
    except (psutil.Error, OSError):  # it ended meanwhile, or is another user's and so none of ours
        return False


def end_all(processes: Sequence[psutil.Process]) -> None:
    """End processes that are not our children: asked first, killed after `STOP_SECONDS`."""
    for process in processes:
        _signal(process, signal.SIGCONT)
        _signal(process, signal.SIGINT if _is_postgres(process) else signal.SIGTERM)
    try:
        until(lambda: all(map(_gone, processes)), STOP_SECONDS, "asked to end, and did not")
    except Unavailable:
        for process in processes:
            _signal(process, signal.SIGKILL)
        until(lambda: all(map(_gone, processes)), STOP_SECONDS, "killed processes are still there")


def _gone(process: psutil.Process) -> bool:
    """Whether it has ended. One that waits for its parent to notice (a zombie) has."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def _is_postgres(process: psutil.Process) -> bool:
    """Whether it is a Postgres server, which takes SIGTERM for "when the last client has gone"."""
    try:
        return bool(process.name() == "postgres")
    except psutil.Error:  # it ended meanwhile
        return False


def _signal(process: psutil.Process, number: signal.Signals) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):  # it ended, as was wanted
        process.send_signal(number)
