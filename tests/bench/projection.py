"""Live projection: mastery's view folded by the engine on Postgres, against Postgres alone writing the same rows.

Inside the measure: decoding the records, loading, folding, saving, digests, outbox, cursor, commits; two partitions side by
side in one process, batches of `BATCH`. Not inside: Kafka. The limit is the very statements of that run, recorded with their
arguments and written once more into a copy of the database as it was before: no reads, no fold. The collector of garbage is set
as a worker sets it.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any
from urllib.parse import urlsplit

import asyncpg

from contracts.codec import decode, finish, prepare, timestamp
from contracts.envelope import Data
from contracts.events import LogOpened
from deploy.local.provision import create_database, with_database
from services.chassis import postgres
from services.chassis.postgres import Pool
from services.chassis.projection.apply import Applier
from services.chassis.projection.serving import create_generation
from services.chassis.projection.view import Entry
from services.chassis.projection.worker import collect_seldom
from services.mastery.domain import Student
from services.mastery.handlers import view
from tests.bench.report import report
from tests.stack import Stack, current
from tests.story import BEGINNING, a_student
from tests.unit.mastery.events import a_policy, a_scale, an_evidence_submitted, enrolled

PARTITIONS = 2
STUDENTS = 2000  # in all; each partition's batch has some 865 different ones of its 1,000
COMPETENCIES = tuple(f"MA.{number}" for number in range(1, 50))
BATCH = 2000
EVENTS = 40_000
SEED = 20261124

WRITES = ("execute", "executemany", "copy_records_to_table")
Write = tuple[str, tuple[Any, ...], dict[str, Any]]


class Records:
    """A partition's records as the topic has them: bytes with their place."""

    def __init__(self, partition: int) -> None:
        self.partition = partition
        self.rows: list[tuple[int, int, bytes]] = []
        self.now = BEGINNING.timestamp()

    def add(self, data: Data, student: str | None = None) -> None:
        """Append one event, ten milliseconds after the one before."""
        sequence = len(self.rows)
        position = sequence * PARTITIONS + self.partition if student else sequence
        moment = BEGINNING.fromtimestamp(self.now + sequence / 100, BEGINNING.tzinfo)
        prepared = prepare(data, id=f"{self.partition}-{sequence}", source="app:bench", time=moment, subject=student)
        self.rows.append((sequence, position, finish(prepared, position, timestamp(moment))))

    def entries(self, start: int, stop: int) -> list[Entry]:
        """Decoded entries: what a projector does with what it polled."""
        return [
            Entry(0, self.partition, sequence, position, sequence, decode(record), record)
            for sequence, position, record in self.rows[start:stop]
        ]


def a_school_year(partition: int) -> tuple[Records, int]:
    """Every student with a piece in each competency, then `EVENTS` more at random; where those begin."""
    chance = random.Random(SEED + partition)
    records = Records(partition)
    records.add(LogOpened(log="bench", partitions=PARTITIONS, timezone="America/New_York"))
    records.add(a_scale())
    records.add(a_policy(weight=65))
    students = [a_student(number) for number in range(partition, STUDENTS, PARTITIONS)]
    for student in students:
        records.add(enrolled(f"HS{chance.randrange(4)}", BEGINNING.date().replace(year=2020)), student)
        for competency in COMPETENCIES:
            records.add(an_evidence_submitted(chance.randrange(2, 9) / 2, competency=competency), student)
    begin = len(records.rows)
    for _ in range(EVENTS // PARTITIONS):
        data = an_evidence_submitted(chance.randrange(2, 9) / 2, competency=chance.choice(COMPETENCIES))
        records.add(data, chance.choice(students))
    return records, begin


@asynccontextmanager
async def pools(dsn: str) -> AsyncIterator[list[Pool]]:
    """A pool of one connection a partition, so that what a connection wrote is what its partition wrote."""
    made = [await postgres.create_pool(dsn, application="bench", size=1) for _ in range(PARTITIONS)]
    yield made
    for pool in made:
        await pool.close()


@contextmanager
def recording() -> Iterator[dict[int, list[Write]]]:
    """Everything that is written on each connection, in order."""
    written: dict[int, list[Write]] = defaultdict(list)
    originals = {name: getattr(asyncpg.Connection, name) for name in WRITES}
    for name, original in originals.items():
        setattr(asyncpg.Connection, name, _recorded(name, original, written))
    try:
        yield written
    finally:
        for name, original in originals.items():
            setattr(asyncpg.Connection, name, original)


def _recorded(name: str, original: Callable[..., Any], written: dict[int, list[Write]]) -> Callable[..., Any]:
    async def record(self: Any, *arguments: Any, **options: Any) -> Any:
        if name == "executemany":
            arguments = (arguments[0], list(arguments[1]), *arguments[2:])
        written[id(self)].append((name, arguments, options))
        return await original(self, *arguments, **options)

    return record


async def fold(applier: Applier[Student], records: Records, start: int, stop: int) -> None:
    """Apply records in batches, as a projector does."""
    for first in range(start, stop, BATCH):
        await applier.apply(records.partition, records.entries(first, min(first + BATCH, stop)))


async def write_again(pool: Pool, writes: list[Write]) -> None:
    """The recorded writes of one connection, transactions included."""
    async with pool.acquire() as connection:
        for name, arguments, options in writes:
            await getattr(connection, name)(*arguments, **options)


async def warmed(dsn: str, years: list[tuple[Records, int]]) -> None:
    """A generation in which every student stands in every competency, vacuumed and checkpointed."""
    async with pools(dsn) as (pool, *_):
        number = await create_generation(pool, view, PARTITIONS, actor="bench", reason="bench")
        for records, begin in years:
            await fold(Applier(pool, view, number), records, 0, begin)
        await pool.execute("VACUUM ANALYZE")
        await pool.execute("CHECKPOINT")


def copied(stack: Stack, dsn: str) -> str:
    """DSN of a copy of a database that nobody is connected to."""
    name = f"{database_of(dsn)}_again"
    create_database(stack.postgres(), name, database_of(dsn))
    return with_database(stack.postgres(), name)


def database_of(dsn: str) -> str:
    """The name of a DSN's database."""
    return urlsplit(dsn).path.lstrip("/")


async def measure(stack: Stack) -> None:
    """Fold and record, then write again."""
    years = [a_school_year(partition) for partition in range(PARTITIONS)]
    collect_seldom()
    dsn = stack.fresh_database("mastery")
    await warmed(dsn, years)
    copy = copied(stack, dsn)
    async with pools(dsn) as folding:
        with recording() as written:
            appliers = [Applier(pool, view, 1) for pool in folding]
            for applier, (records, _) in zip(appliers, years, strict=True):
                await applier.claim(records.partition)
            written.clear()
            cpu, began = time.process_time(), time.perf_counter()
            await asyncio.gather(*(fold(a, r, begin, len(r.rows)) for a, (r, begin) in zip(appliers, years, strict=True)))
            took, cpu = time.perf_counter() - began, time.process_time() - cpu
    async with pools(copy) as writing:
        began, alone_cpu = time.perf_counter(), time.process_time()
        await asyncio.gather(*(write_again(pool, writes) for pool, writes in zip(writing, written.values(), strict=True)))
        alone, alone_cpu = time.perf_counter() - began, time.process_time() - alone_cpu
    report(
        "live projection, sustained",
        EVENTS / took,
        EVENTS / alone,
        least=0.5,
        seed=SEED,
        pieces_a_student=len(COMPETENCIES) + EVENTS // STUDENTS,
        students_a_batch=_distinct(years[0]),
        competencies=len(COMPETENCIES),
        batch=BATCH,
        python_us_an_event=round(cpu / EVENTS * 1e6, 1),
        of_which_driver_us=round(alone_cpu / EVENTS * 1e6, 1),
    )


def _distinct(year: tuple[Records, int]) -> int:
    records, begin = year
    return len({entry.event.subject for entry in records.entries(begin, begin + BATCH)})


def main() -> None:
    """Run it on a stack of its own."""
    try:
        asyncio.run(measure(current()))
    finally:
        current().close()


if __name__ == "__main__":
    main()
