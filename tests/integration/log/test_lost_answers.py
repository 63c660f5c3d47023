"""A COMMIT whose answer is lost on the way: what was sent once is counted once, whether or not the transaction stood."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import asyncpg
import pytest
from asyncpg.transaction import Transaction

from services.chassis import postgres
from services.evidence.deduplication import Counts
from services.evidence.domain import Batch, Refusal
from tests.integration.log.ledgers import a_draft, an_open_ledger, receipts, the_counters_add_up, the_ledger_holds
from tests.stack import Stack

pytestmark = pytest.mark.stack

Breaking = Callable[..., None]
REFUSAL = Refusal("app", "app", "e-9", "invalid-field", "/time", "a time", b"{}")


@pytest.fixture
def the_next_answer_is_lost(monkeypatch: pytest.MonkeyPatch) -> Breaking:
    """The next transaction's end is carried out, or not even asked for, and the connection is gone before it is answered."""

    def lose(*, committed: bool) -> None:
        end = Transaction.__aexit__

        async def lost(self: Any, kind: Any, error: Any, trace: Any) -> None:
            monkeypatch.setattr(Transaction, "__aexit__", end)
            gone = asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation")
            await end(self, None if committed else type(gone), error, trace)
            raise gone

        monkeypatch.setattr(Transaction, "__aexit__", lost)

    return lose


@pytest.mark.parametrize("committed", [True, False], ids=["it stood", "it did not"])
async def test_an_append_is_counted_once(stack: Stack, the_next_answer_is_lost: Breaking, committed: bool) -> None:
    async with an_open_ledger(stack) as it:
        the_next_answer_is_lost(committed=committed)
        [receipt] = receipts(await it.append(a_draft("e-1")))
        assert not receipt.duplicate
        records = await the_ledger_holds(it.pool)
        assert receipt.position == len(records) - 1
        assert await it.ledger.counters() == {"app": Counts(received=1, accepted=1)}
        await the_counters_add_up(it.pool)


@pytest.mark.parametrize("committed", [True, False], ids=["it stood", "it did not"])
async def test_a_refusal_is_counted_and_kept_once(stack: Stack, the_next_answer_is_lost: Breaking, committed: bool) -> None:
    async with an_open_ledger(stack) as it:
        the_next_answer_is_lost(committed=committed)
        await it.ledger.append(Batch(refusals=(REFUSAL,)))
        assert await it.ledger.counters() == {"app": Counts(received=1, rejected=1)}
        assert await it.pool.fetchval("SELECT count(*) FROM rejections") == 1


async def test_control_who_does_not_ask_counts_a_duplicate_that_nobody_sent(
    stack: Stack, the_next_answer_is_lost: Breaking, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(_: object, __: str) -> bool:
        return False

    monkeypatch.setattr(postgres, "_took_effect", never)
    async with an_open_ledger(stack) as it:
        the_next_answer_is_lost(committed=True)
        await it.append(a_draft("e-1"))
        assert await it.ledger.counters() == {"app": Counts(received=2, accepted=1, duplicate=1)}
