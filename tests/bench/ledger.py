"""The ledger's append, batches of 500 and of 1, against a bare COPY of the same rows with commit.

Inside the measure: the whole of `Ledger.append` (lock, looking at what was seen, numbering, bytes, leaf hashes, both COPYs,
head, counters, commit, receipts), one append after the other. Not inside: making the drafts. The limit is COPY of the very rows
that the append wrote to `ledger` and `seen` into tables with neither index nor constraint, with a commit a batch. Both on one
connection and by turns, so that what else the machine does falls on both.
"""

from __future__ import annotations

import asyncio
import random
import time
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import TypeVar

from contracts.codec import prepare
from contracts.events import EvidenceSubmitted
from services.chassis.postgres import Pool, create_pool
from services.evidence.domain import Batch, Draft
from services.evidence.ledger import Ledger
from services.evidence.sequencing import Row
from services.evidence.store import ledger as store
from tests.bench.report import report
from tests.stack import current

PARTITIONS = 64
STUDENTS = 100_000
ROUNDS = 10
BATCHES = 20  # a round
SEED = 20261124
Item = TypeVar("Item")


def main() -> None:
    asyncio.run(_main())


async def _main() -> None:
    pool = await create_pool(current().fresh_database("evidence"), application="bench", size=4)
    try:
        ledger = await _ledger(pool)
        await _measure(pool, ledger, size=500, batches=BATCHES, least=0.5)
        await _measure(pool, ledger, size=1, batches=100, least=0)
    finally:
        await pool.close()
        current().close()


async def _ledger(pool: Pool) -> Ledger:
    """A ledger that accepts; there is no Kafka here to compare it with."""
    ledger = Ledger(pool)
    await ledger.open("bench", PARTITIONS, "America/New_York")
    ledger._compared = True
    await pool.execute("CREATE TABLE bare_ledger (LIKE public.ledger); CREATE TABLE bare_seen (LIKE public.seen)")
    return ledger


async def _measure(pool: Pool, ledger: Ledger, *, size: int, batches: int, least: float) -> None:
    chance = random.Random(SEED + size)
    appended = copied = 0.0
    for number in range(ROUNDS + 1):
        drafts = random_drafts(chance, size * batches)
        took = await _append(ledger, [Batch(drafts=tuple(some)) for some in _batched(drafts, size)])
        bare = await _copy(pool, await _rows(pool, len(drafts)), _seen(drafts), size)
        if number:  # the first round warms both up
            appended, copied = appended + took, copied + bare
    count = size * batches * ROUNDS
    what = f"ledger append, batch {size}"
    report(what, count / appended, count / copied, least=least, seed=SEED, partitions=PARTITIONS, events=count, students=STUDENTS)


async def _append(ledger: Ledger, batches: Sequence[Batch]) -> float:
    """Seconds for all of them."""
    begin = time.perf_counter()
    for batch in batches:
        await ledger.append(batch)
    return time.perf_counter() - begin


async def _copy(pool: Pool, rows: Sequence[Row], seen: Sequence[tuple[object, ...]], size: int) -> float:
    async with pool.acquire() as connection:
        begin = time.perf_counter()
        for some, theirs in zip(_batched(rows, size), _batched(seen, size), strict=True):
            async with connection.transaction():
                await connection.copy_records_to_table("bare_ledger", columns=store.COLUMNS, records=some)
                await connection.copy_records_to_table("bare_seen", columns=store.SEEN, records=theirs)
        return time.perf_counter() - begin


async def _rows(pool: Pool, count: int) -> list[Row]:
    found = await pool.fetch(f"SELECT {', '.join(store.COLUMNS)} FROM public.ledger ORDER BY position DESC LIMIT $1", count)
    return [tuple(row) for row in found]


def _seen(drafts: Sequence[Draft]) -> list[tuple[object, ...]]:
    return [(draft.day, draft.source, draft.id, position, draft.submissionhash) for position, draft in enumerate(drafts)]


def _batched(items: Sequence[Item], size: int) -> list[Sequence[Item]]:
    return [items[start : start + size] for start in range(0, len(items), size)]


def random_drafts(chance: random.Random, count: int) -> list[Draft]:
    """Evidence of random students with random ids of version 4: the hardest for the index of what was seen."""
    now = datetime.now(UTC)
    return [_draft(chance, now) for _ in range(count)]


def _draft(chance: random.Random, now: datetime) -> Draft:
    id = str(uuid.UUID(int=chance.getrandbits(128), version=4))
    subject = f"s-{chance.randrange(STUDENTS):026d}"
    score = chance.randrange(1000, 4001)
    data = EvidenceSubmitted(
        framework="nyc-hs", competency=f"MA.{score % 49}", score_thousandths=score, scale="d4", context="algebra"
    )
    submissionhash = sha256(id.encode()).digest()
    prepared = prepare(data, id=id, source="app/algebra", time=now, subject=subject, submissionhash=submissionhash.hex())
    return Draft("app", "app/algebra", id, now.date(), subject, data.TYPE, submissionhash, prepared, merges=0)


if __name__ == "__main__":
    main()
