"""The outbox gives dense sequences a partition, whoever writes at once, and exactly when its transaction commits."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime

import pytest

from contracts.codec import decode
from contracts.events import LogTicked
from contracts.ids import derived_id
from services.chassis.log.outbox import Emission, Outbox
from services.chassis.postgres import create_pool
from tests.stack import Stack

NOON = datetime(2026, 9, 1, 12, 0, tzinfo=UTC)
LOG = "mastery.changes"


def an_emission(n: int = 0) -> Emission:
    tick = LogTicked(time=NOON, date=NOON.date())
    return Emission(tick, derived_id("test", n), None, NOON, NOON, causationid=f"tick-{n}")


@pytest.mark.stack
async def test_concurrent_transactions_give_one_dense_sequence(stack: Stack) -> None:
    pool = await create_pool(stack.chassis_database(), application="test", size=8)
    outbox = Outbox(LOG, "mastery")

    async def emit(n: int) -> int:
        async with pool.acquire() as connection, connection.transaction():
            return await outbox.emit(connection, 3, [an_emission(3 * n + k) for k in range(3)])

    firsts = await asyncio.gather(*(emit(n) for n in range(40)))
    assert sorted(firsts) == list(range(0, 120, 3))
    rows = await pool.fetch("SELECT sequence, record FROM public.outbox WHERE log = $1 AND partition = 3 ORDER BY sequence", LOG)
    assert [row["sequence"] for row in rows] == list(range(120))
    assert [json.loads(row["record"])["position"] for row in rows] == [str(n) for n in range(120)]
    assert decode(rows[0]["record"]).source == "mastery"
    await pool.close()


@pytest.mark.stack
async def test_a_transaction_that_rolls_back_leaves_no_gap(stack: Stack) -> None:
    pool = await create_pool(stack.chassis_database(), application="test")
    outbox = Outbox(LOG, "mastery")
    async with pool.acquire() as connection:
        with pytest.raises(ZeroDivisionError):
            async with connection.transaction():
                assert await outbox.emit(connection, 0, [an_emission(1)]) == 0
                raise ZeroDivisionError
        async with connection.transaction():
            assert await outbox.emit(connection, 0, [an_emission(2)]) == 0
        async with connection.transaction():
            assert await outbox.emit(connection, 1, [an_emission(2)]) == 0
            assert await outbox.emit(connection, 0, []) == 1
    await pool.close()
