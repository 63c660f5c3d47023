"""Ledgers for tests: an opened one on a fresh database, drafts with readable defaults, and what must always hold of a ledger."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from hashlib import sha256

import asyncpg

from contracts.codec import decode, prepare
from contracts.envelope import Data
from contracts.events import EvidenceSubmitted, LogOpened, SchoolRegistered
from contracts.ids import partition_of
from contracts.topics import EVIDENCE_LOG, Topic
from services.chassis.postgres import Pool, create_pool
from services.evidence.domain import Batch, Draft, Outcome, Receipt
from services.evidence.ledger import Ledger
from tests.stack import Stack

TIMEZONE = "America/New_York"
MORNING = datetime(2026, 9, 1, 13, 0, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Opened:
    """A ledger whose log is open and compared with its (empty) topic."""

    ledger: Ledger
    pool: Pool
    topic: Topic
    bootstrap: str
    dsn: str

    async def append(self, *drafts: Draft, atomic: bool = False) -> list[Outcome]:
        return await self.ledger.append(Batch(drafts=drafts, atomic=atomic))


@asynccontextmanager
async def an_open_ledger(stack: Stack, *, partitions: int = 4, dsn: str = "") -> AsyncIterator[Opened]:
    dsn = dsn or stack.fresh_database("evidence")
    topic = replace(EVIDENCE_LOG, name=stack.fresh_topic(partitions=partitions))
    pool = await create_pool(dsn, application="test", size=8)
    ledger = Ledger(pool)
    await ledger.open("test", partitions, TIMEZONE)
    await ledger.compare(stack.kafka(), topic)
    try:
        yield Opened(ledger, pool, topic, stack.kafka(), dsn)
    finally:
        await pool.close()


def a_student(n: int) -> str:
    return f"s-{n:026d}"


def a_draft(
    id: str = "e-1",
    *,
    student: int | None = 1,
    content: object = "",
    day: date = date(2026, 9, 1),
    sharedwith: tuple[str, ...] = (),
    **fields: object,
) -> Draft:
    """A piece of evidence of one student, or with `student=None` a reference event."""
    data: Data = EvidenceSubmitted(framework="f", competency="c.1", score_thousandths=3500, scale="d4")
    if student is None:
        data = SchoolRegistered(school="school-1", label="A school")
    subject = None if student is None else a_student(student)
    submissionhash = sha256(f"{id} {content}".encode()).digest()
    extensions = {"submissionhash": submissionhash.hex(), "sharedwith": " ".join(sharedwith) or None}
    prepared = prepare(data, id=id, source="app", time=MORNING, subject=subject, **extensions)
    draft = Draft("app", "app", id, day, subject, data.TYPE, submissionhash, prepared, merges=0, sharedwith=sharedwith)
    return replace(draft, **fields)  # type: ignore[arg-type]


async def the_ledger_holds(pool: Pool) -> list[bytes]:
    """Assert what every ledger promises; its records in order."""
    head = await pool.fetchrow("SELECT * FROM public.head")
    assert head is not None
    rows = await pool.fetch("SELECT * FROM public.ledger ORDER BY position")
    assert [row["position"] for row in rows] == list(range(head["position"])), "positions are dense"
    times = [row["recordedtime"] for row in rows]
    assert times == sorted(times), "recordedtime never runs backwards"
    following = [0] * head["partitions"]
    for row in rows:
        placed = placed_in(row)
        for partition, sequence in placed.items():
            assert sequence == following[partition], "sequences are dense in each partition"
            following[partition] += 1
    assert following == list(head["sequences"])
    for row in rows:
        event = decode(row["record"])
        assert (int(event.position), event.type, event.subject) == (row["position"], row["type"], row["subject"])
        assert event.recordedtime == row["recordedtime"]
        if event.subject is not None:
            assert row["partition"] == partition_of(event.subject, head["partitions"])
            assert placed_in(row).keys() == {partition_of(holder, head["partitions"]) for holder in event.holders}
    assert isinstance(decode(rows[0]["record"]).data, LogOpened)
    await the_counters_add_up(pool)
    return [row["record"] for row in rows]


def placed_in(row: asyncpg.Record) -> dict[int, int]:
    """The sequence that a row of the ledger has in each partition that it is placed in."""
    if row["sequences"] is not None:
        return dict(enumerate(row["sequences"]))
    return {row["partition"]: row["sequence"], **dict(zip(row["further"] or (), row["furthersequences"] or (), strict=True))}


async def the_counters_add_up(pool: Pool) -> None:
    for row in await pool.fetch("SELECT * FROM public.counters"):
        assert row["received"] == row["accepted"] + row["duplicate"] + row["rejected"] + row["held"]
    counted = await pool.fetchval("SELECT coalesce(sum(accepted), 0)::bigint FROM public.counters")
    assert counted == await pool.fetchval("SELECT count(*) FROM public.seen"), "what was accepted was seen, once"
    assert await pool.fetchval("SELECT coalesce(sum(held), 0)::bigint FROM public.counters") == await pool.fetchval(
        "SELECT count(*) FROM public.held"
    )


def receipts(outcomes: Iterable[Outcome]) -> list[Receipt]:
    """The outcomes, all of which are receipts."""
    found = []
    for outcome in outcomes:
        assert isinstance(outcome, Receipt)
        found.append(outcome)
    return found
