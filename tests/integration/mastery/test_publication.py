"""However evidence is published, five times over, shuffled, late: it means the same. Real ledgers, real folds, real Postgres."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Sequence
from hashlib import sha256

import pytest

from contracts.codec import decode, prepare
from contracts.envelope import Data
from services.chassis import postgres
from services.chassis.projection.digest import Digest
from services.chassis.projection.view import Entry
from services.evidence.domain import Batch, Draft
from services.mastery.handlers import MasteryView
from tests.integration.log.ledgers import an_open_ledger
from tests.integration.mastery.district import COMPETENCIES, PARTITIONS, District
from tests.stack import Stack
from tests.story import a_student
from tests.unit.mastery.events import a_framework, a_policy, a_scale, an_evidence_submitted

pytestmark = pytest.mark.stack

MORNING = dt.datetime(2026, 9, 1, 12, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)


def a_draft(data: Data, id: str, time: dt.datetime, student: str | None = None) -> Draft:
    """A submission that came through the door."""
    content = sha256(f"{id} {data.model_dump_json()}".encode()).digest()
    prepared = prepare(data, id=id, source="app", time=time, subject=student, submissionhash=content.hex())
    return Draft("app", "app", id, time.date(), student, data.TYPE, content, prepared, merges=0)


def curriculum(order: str = "occurred") -> list[Draft]:
    events: list[Data] = [
        a_framework(competencies=COMPETENCIES),
        a_scale(),
        a_policy("decaying", weight=65, order=order),
    ]
    return [a_draft(data, f"curriculum-{number}", MORNING) for number, data in enumerate(events)]


def a_term(seed: int = 4) -> list[Draft]:
    """400 pieces of 20 students, some at the same time, in order of occurrence."""
    chance = random.Random(seed)
    times = sorted(MORNING + DAY * chance.randrange(60) for _ in range(400))
    return [
        a_draft(
            an_evidence_submitted(chance.randrange(0, 9) / 2, competency=chance.choice(COMPETENCIES)),
            f"piece-{number}",
            time,
            a_student(chance.randrange(20)),
        )
        for number, time in enumerate(times)
    ]


def five_times_shuffled(pieces: Sequence[Draft]) -> list[Draft]:
    everything = list(pieces) * 5
    random.Random(5).shuffle(everything)
    return everything


async def digest_of(stack: Stack, published: Sequence[Draft]) -> Digest:
    """What mastery comes to when this is published in this order, fifty at a time."""
    async with an_open_ledger(stack, partitions=PARTITIONS) as log:
        for start in range(0, len(published), 50):
            await log.ledger.append(Batch(drafts=tuple(published[start : start + 50])))
        rows = await log.pool.fetch("SELECT partition, sequence, sequences, position, record FROM ledger ORDER BY position")
    async with await postgres.create_pool(stack.fresh_database("mastery"), application="test", size=4) as pool:
        district = District(pool, MasteryView())
        applier = await district.generation()
        for partition in range(PARTITIONS):
            entries = [
                Entry(0, partition, sequence, row["position"], 0, decode(row["record"]), row["record"])
                for row in rows
                if (sequence := row["sequences"][partition] if row["sequences"] else row["sequence"]) is not None
                and row["partition"] in (None, partition)
            ]
            await applier.apply(partition, entries)
        digest = await district.digest(applier.generation)
        assert digest == await district.scanned(applier.generation)
        return digest


async def test_five_times_over_shuffled_and_late_means_the_same(stack: Stack) -> None:
    term = a_term()
    clean = await digest_of(stack, [*curriculum(), *term])
    noisy = await digest_of(stack, [*curriculum(), *five_times_shuffled(term)])
    assert noisy.meaning == clean.meaning
    assert noisy.exact != clean.exact, "positions differ, and the exact digest says so"


async def test_the_control_in_order_of_recording_a_shuffle_means_something_else(stack: Stack) -> None:
    term = a_term()
    clean = await digest_of(stack, [*curriculum("recorded"), *term])
    noisy = await digest_of(stack, [*curriculum("recorded"), *five_times_shuffled(term)])
    assert noisy.meaning != clean.meaning
