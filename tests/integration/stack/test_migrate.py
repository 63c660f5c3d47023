"""Migrations go forward, once, and are numbered apart for chassis and service."""

from __future__ import annotations

from pathlib import Path

import asyncpg
import pytest

from services.chassis.errors import Unavailable
from services.chassis.migrate import dbmate_url, migrate
from tests.stack import Stack

pytestmark = pytest.mark.stack


async def tables(dsn: str) -> set[str]:
    connection = await asyncpg.connect(dsn)
    rows = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    await connection.close()
    return {row["tablename"] for row in rows}


async def test_only_what_is_new_is_applied_and_each_set_has_its_own_numbers(stack: Stack, tmp_path: Path) -> None:
    dsn = stack.fresh_database()
    ours, others = tmp_path / "ours", tmp_path / "others"
    for folder in (ours, others):
        folder.mkdir()
        (folder / "0001_first.sql").write_text(f"-- migrate:up\nCREATE TABLE {folder.name} (i int);\n")
        migrate(dsn, folder, f"{folder.name}_migrations")
    (ours / "0002_second.sql").write_text("-- migrate:up\nCREATE TABLE more (i int);\n")
    migrate(dsn, ours, "ours_migrations")
    assert await tables(dsn) == {"ours", "others", "more", "ours_migrations", "others_migrations"}


async def test_a_migration_that_fails_changes_nothing_and_is_told(stack: Stack, tmp_path: Path) -> None:
    dsn = stack.fresh_database()
    (tmp_path / "0001_broken.sql").write_text("-- migrate:up\nCREATE TABLE half (i int);\nCREATE TABLE half (i int);\n")
    with pytest.raises(Unavailable, match=r"were not applied.*already exists"):
        migrate(dsn, tmp_path, "applied")
    assert "half" not in await tables(dsn)


@pytest.mark.parametrize(
    ("dsn", "url"),
    [
        ("postgresql://u@/d?host=/tmp/s&port=7", "postgres://u@/d?port=7&socket=%2Ftmp%2Fs&sslmode=disable"),
        ("postgresql://u@127.0.0.1:7/d", "postgres://u@127.0.0.1:7/d?sslmode=disable"),
        ("postgresql://u:p@db.example:7/d", "postgres://u:p@db.example:7/d"),
        ("postgresql://u@127.0.0.1/d?sslmode=require", "postgres://u@127.0.0.1/d?sslmode=require"),
    ],
)
def test_a_dsn_is_read_by_dbmate_as_by_us_and_only_this_machine_is_spared_tls(dsn: str, url: str) -> None:
    assert dbmate_url(dsn) == url
