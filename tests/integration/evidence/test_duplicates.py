"""The same id under another day is found by the nightly search, and the later one retracted, once."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from contracts.events import EvidenceRetracted
from services.chassis.errors import Conflict
from services.evidence import duplicates
from services.evidence.duplicates import Search, Searched
from services.evidence.store import duplicates as store
from tests.integration.evidence.gateway import Gateway, a_gateway, an_event
from tests.stack import Stack

pytestmark = pytest.mark.stack

# The ids and days of what is sent, in order; old days share a partition.
SENT = [("e-1", "2026-03-02"), ("e-2", "2026-03-02"), ("e-1", "2026-03-03"), ("e-3", "2026-03-03"), ("e-1", "2019-01-01")]


@pytest.fixture
async def gateway(stack: Stack) -> AsyncIterator[Gateway]:
    async with a_gateway(stack) as opened:
        yield opened


def search(gateway: Gateway) -> Search:
    return Search(gateway.ledger, gateway.app.state.pool, gateway.opened.key)


async def send(gateway: Gateway, *sent: tuple[str, str], **data: Any) -> list[str]:
    """The positions of what was sent."""
    answers = [await gateway.send(an_event(id, time=f"{day}T10:00:00Z", **data)) for id, day in sent]
    assert [answer.status_code for answer in answers] == [201] * len(sent)  # every one of them was let in
    return [answer.json()["position"] for answer in answers]


async def targets(gateway: Gateway) -> list[str]:
    """What retractions name."""
    rows = await gateway.app.state.pool.fetch("SELECT record FROM public.ledger WHERE type = $1", EvidenceRetracted.TYPE)
    return sorted(json.loads(row[0])["data"]["target"] for row in rows)


async def test_later_ones_are_retracted_once_and_the_first_stays(gateway: Gateway) -> None:
    positions = await send(gateway, *SENT)
    found = await search(gateway).run()
    assert (found.retracted, found.others) == (2, 0)
    assert await targets(gateway) == sorted([positions[2], positions[4]])
    assert (await search(gateway).run()).retracted == 0
    assert (await search(gateway).run(everything=True)).retracted == 0
    assert len(await targets(gateway)) == 2
    assert await gateway.counts("evidence") == (4, 2, 2, 0, 0)


async def test_what_comes_on_a_later_night_is_joined_with_all_that_was(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duplicates, "AT_ONCE", 2)  # several rounds
    await send(gateway, *SENT[:2])
    assert (await search(gateway).run()).retracted == 0
    later = await send(gateway, ("e-2", "2018-05-05"))
    assert (await search(gateway).run()).retracted == 1
    assert await targets(gateway) == later


async def test_the_same_id_of_another_source_is_another_event(gateway: Gateway) -> None:
    await gateway.publisher("other")
    await send(gateway, SENT[0])
    await gateway.send(an_event("e-1", source="other", time="2026-03-05T10:00:00Z"), publisher="other")
    assert (await search(gateway).run()).retracted == 0


async def test_a_search_that_dies_before_it_says_how_far_it_came_retracts_nothing_twice(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    await send(gateway, *SENT)

    async def killed(*_: object) -> None:
        raise Conflict("killed")

    with monkeypatch.context() as patch:
        patch.setattr(store, "keep", killed)
        with pytest.raises(Conflict, match="killed"):
            await search(gateway).run()
    assert len(await targets(gateway)) == 2
    assert (await search(gateway).run()).retracted == 0
    assert len(await targets(gateway)) == 2


async def test_two_searches_take_turns(gateway: Gateway) -> None:
    async with search(gateway)._alone():
        with pytest.raises(Conflict, match="another process"):
            await search(gateway).run()
    assert isinstance(await search(gateway).run(), Searched)


async def test_it_is_due_once_after_each_midnight_that_the_log_has_ticked(gateway: Gateway) -> None:
    pool = gateway.app.state.pool
    assert await search(gateway).due()
    await search(gateway).run()
    assert not await search(gateway).due()
    await pool.execute("UPDATE public.deduplicated SET date = date - 1")
    assert await search(gateway).due()


async def test_every_partition_of_days_can_tell_what_came_lately(gateway: Gateway) -> None:
    pool = gateway.app.state.pool
    brin = "SELECT tablename FROM pg_indexes WHERE schemaname = 'public' AND indexdef LIKE '%USING brin%'"
    indexed = {row[0] for row in await pool.fetch(brin)}
    assert set(await store.partitions(pool)) <= indexed
