"""A policy adopted over `STUDENTS` students while evidence goes on behind it, against Postgres alone rewriting the same rows.

Inside the measure: the sweep of both partitions side by side (who is affected, loading everything, refolding, saving,
digests, outbox, cursor, commits) and `LIVE` pieces of evidence a partition that came after the policy and wait for it. The
limit is the very statements of that run, written once more into a copy of the database as it was before. Not inside: Kafka.
"""

from __future__ import annotations

import asyncio
import random
import time

from contracts.events import LogOpened
from services.chassis.projection.apply import Applier
from services.chassis.projection.worker import collect_seldom
from services.mastery.handlers import view
from tests.bench.projection import PARTITIONS, Records, copied, fold, pools, recording, warmed, write_again
from tests.bench.report import report
from tests.stack import Stack, current
from tests.story import BEGINNING, a_student
from tests.unit.mastery.events import a_policy, a_scale, an_evidence_submitted, enrolled

STUDENTS = 20_000
COMPETENCIES = tuple(f"MA.{number}" for number in range(1, 6))
PIECES = 2  # a student and competency
LIVE = 1000
SEED = 20261124


def a_school_year(partition: int) -> tuple[Records, int]:
    """Everybody's evidence under one policy, then the next version and the live load; where the adoption begins."""
    chance, records = random.Random(SEED + partition), Records(partition)
    records.add(LogOpened(log="bench", partitions=PARTITIONS, timezone="America/New_York"))
    records.add(a_scale())
    records.add(a_policy(weight=65))
    students = [a_student(number) for number in range(partition, STUDENTS, PARTITIONS)]
    for student in students:
        records.add(enrolled(f"HS{chance.randrange(4)}", BEGINNING.date().replace(year=2020)), student)
        for competency in COMPETENCIES * PIECES:
            records.add(an_evidence_submitted(chance.randrange(2, 9) / 2, competency=competency), student)
    begin = len(records.rows)
    records.add(a_policy("average", version=2))
    for _ in range(LIVE):
        data = an_evidence_submitted(chance.randrange(2, 9) / 2, competency=chance.choice(COMPETENCIES))
        records.add(data, chance.choice(students))
    return records, begin


async def measure(stack: Stack) -> None:
    """Sweep and record, then write again."""
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
            began = time.perf_counter()
            await asyncio.gather(*(fold(a, r, begin, len(r.rows)) for a, (r, begin) in zip(appliers, years, strict=True)))
            took = time.perf_counter() - began
    async with pools(copy) as writing:
        began = time.perf_counter()
        await asyncio.gather(*(write_again(pool, writes) for pool, writes in zip(writing, written.values(), strict=True)))
        alone = time.perf_counter() - began
    report(
        "a policy adopted",
        STUDENTS / took,
        STUDENTS / alone,
        least=0.3,
        unit="students/s",
        seed=SEED,
        students=STUDENTS,
        pieces_a_student=len(COMPETENCIES) * PIECES,
        competencies=len(COMPETENCIES),
        live_events=LIVE * PARTITIONS,
    )


def main() -> None:
    """Run it on a stack of its own."""
    try:
        asyncio.run(measure(current()))
    finally:
        current().close()


if __name__ == "__main__":
    main()
