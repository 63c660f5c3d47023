"""Single submissions in flight share appends: each gets its own outcome, and trouble reaches all whom it concerns."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from services.chassis.errors import Conflict, Transient
from services.evidence import gather
from services.evidence.domain import Batch, Draft, Link, Outcome, Receipt, RecordBegun
from services.evidence.gather import MOST_TOGETHER, Gatherer

NOON = datetime(2026, 9, 1, 12, tzinfo=UTC)


def a_draft(n: int) -> Draft:
    return Draft("app", "app", f"e-{n}", date(2026, 9, 1), None, "t", b"", b"%d" % n, merges=0)


def a_keyed_draft(n: int, key: str) -> Draft:
    return replace(a_draft(n), link=Link(key, None))


class Recording:
    """A ledger that takes one append at a time, when it is let."""

    def __init__(self) -> None:
        self.batches: list[Batch] = []
        self.gate = asyncio.Event()
        self.fault: Exception | None = None
        self.begun: set[str] = set()

    async def append(self, batch: Batch) -> list[Outcome]:
        self.batches.append(batch)
        await self.gate.wait()
        if self.fault:
            raise self.fault
        if self.begun & {draft.link.sourcekey for draft in batch.drafts if draft.link}:
            raise RecordBegun({("app", key) for key in self.begun})
        return [Receipt(int(draft.prepared), b"", NOON) for draft in batch.drafts]


async def test_what_comes_during_an_append_goes_into_the_next_and_each_gets_its_own() -> None:
    ledger = Recording()
    gatherer = Gatherer(ledger)
    submissions = [asyncio.create_task(gatherer.submit(a_draft(n))) for n in range(2 * MOST_TOGETHER)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    ledger.gate.set()
    outcomes = await asyncio.gather(*submissions)
    assert [outcome.position for outcome in outcomes if isinstance(outcome, Receipt)] == list(range(2 * MOST_TOGETHER))
    assert sum(len(batch.drafts) for batch in ledger.batches) == 2 * MOST_TOGETHER
    assert all(len(batch.drafts) <= MOST_TOGETHER for batch in ledger.batches)
    assert len(ledger.batches) <= 3


async def test_a_conflict_reaches_everybody_in_the_append_and_nobody_after_it() -> None:
    ledger = Recording()
    gatherer = Gatherer(ledger)
    ledger.fault = Conflict("merged")
    ledger.gate.set()
    both = await asyncio.gather(*(gatherer.submit(a_draft(n)) for n in range(2)), return_exceptions=True)
    assert all(isinstance(outcome, Conflict) for outcome in both)
    ledger.fault = None
    assert await gatherer.submit(a_draft(7)) == Receipt(7, b"", NOON)


async def test_a_caller_that_goes_away_takes_nobody_along() -> None:
    ledger = Recording()
    gatherer = Gatherer(ledger)
    gone, stays = (asyncio.create_task(gatherer.submit(a_draft(n))) for n in range(2))
    await asyncio.sleep(0)
    gone.cancel()
    ledger.gate.set()
    assert await stays == Receipt(1, b"", NOON)


async def test_more_than_may_wait_are_told_to_come_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gather, "MOST_WAITING", 3)
    ledger = Recording()
    gatherer = Gatherer(ledger)
    waiting = [asyncio.create_task(gatherer.submit(a_draft(n))) for n in range(3)]
    await asyncio.sleep(0)
    with pytest.raises(Transient, match="too many"):
        await gatherer.submit(a_draft(9))
    ledger.gate.set()
    assert len(await asyncio.gather(*waiting)) == 3


async def test_a_key_that_has_become_known_sends_back_its_own_drafts_and_nobody_elses() -> None:
    ledger = Recording()
    gatherer = Gatherer(ledger)
    ledger.begun = {"row 1"}
    drafts = [a_draft(0), a_keyed_draft(1, "row 1"), a_keyed_draft(2, "row 2"), a_keyed_draft(3, "row 1")]
    submissions = [asyncio.create_task(gatherer.submit(draft)) for draft in drafts]
    await asyncio.sleep(0)
    ledger.gate.set()
    outcomes = await asyncio.gather(*submissions, return_exceptions=True)
    assert [isinstance(outcome, RecordBegun) for outcome in outcomes] == [False, True, False, True]
    assert [outcomes[0], outcomes[2]] == [Receipt(0, b"", NOON), Receipt(2, b"", NOON)]
