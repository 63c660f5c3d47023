"""A publisher over its quota is told when to come again, whichever gateway it asks, and what it could not send was not received."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

import pytest

from services.evidence.counters import PostgresStorage
from services.evidence.grants import Publisher
from services.evidence.overload import MOST_BYTES
from services.evidence.quotas import LEAST_QUOTA, WINDOW_SECONDS, Quotas
from services.evidence.store import publishers
from tests.integration.evidence.gateway import Gateway, a_gateway, an_event
from tests.integration.evidence.inboxes import a_name
from tests.stack import Stack

pytestmark = pytest.mark.stack

WINDOW = LEAST_QUOTA * WINDOW_SECONDS


@pytest.fixture(scope="module")
async def gateway(stack: Stack) -> AsyncIterator[Gateway]:
    async with a_gateway(stack) as opened:
        yield opened


async def a_publisher(gateway: Gateway) -> str:
    name = a_name()
    await gateway.publisher(name)
    assert await publishers.set_quota(gateway.opened.pool, name, LEAST_QUOTA)
    return name


async def test_what_is_over_the_quota_is_429_and_was_not_received(gateway: Gateway) -> None:
    name = await a_publisher(gateway)
    events = [an_event(f"e-{number}", source=name) for number in range(WINDOW)]
    assert (await gateway.send(events, publisher=name)).status_code == 200
    counted = await gateway.counts(name)
    for body in (an_event("one more", source=name), events, b"no JSON at all"):
        answer = await gateway.send(body, publisher=name)
        assert (answer.status_code, answer.json()["code"]) == (429, "quota-exceeded")
        assert 1 <= int(answer.headers["retry-after"]) <= 2 * WINDOW_SECONDS
        assert str(LEAST_QUOTA) in answer.json()["expected"]
    assert await gateway.counts(name) == counted == (WINDOW, WINDOW, 0, 0, 0)
    assert (await gateway.send(an_event("of another"))).status_code == 201


async def test_two_gateways_share_one_quota(gateway: Gateway) -> None:
    publisher = Publisher(a_name(), quota=LEAST_QUOTA)
    gateways = [Quotas(gateway.opened.pool, default=10**6) for _ in range(2)]
    began, taken, waits = time.monotonic(), 0, 0
    while waits < len(gateways):
        waits = 0
        for each in gateways:
            if await each._missing(publisher, 1):
                waits += 1
            else:
                taken += 1
    passed = time.monotonic() - began
    assert WINDOW <= taken <= WINDOW + (passed + 1) * LEAST_QUOTA


async def test_the_control_with_counters_of_their_own_two_gateways_let_in_twice_as_much(gateway: Gateway) -> None:
    names = [a_name() for _ in range(2)]  # as if each gateway counted by itself
    taken = 0
    for name in names:
        quotas = Quotas(gateway.opened.pool, default=10**6)
        while not await quotas._missing(Publisher(name, quota=LEAST_QUOTA), 1):
            taken += 1
    assert taken >= 2 * WINDOW


async def test_a_shut_door_is_503_and_nothing_was_received(gateway: Gateway) -> None:
    name = await a_publisher(gateway)
    with gateway.app.state.load.request(MOST_BYTES):
        answer = await gateway.send(an_event(source=name), publisher=name)
        assert (answer.status_code, answer.json()["code"]) == (503, "overloaded")
        assert int(answer.headers["retry-after"]) >= 1
        assert await gateway.counts(name) == (0, 0, 0, 0, 0)
        assert (await gateway.client.get("/v1/log")).status_code == 200
    assert (await gateway.send(an_event(source=name), publisher=name)).status_code == 201


async def test_the_storage_does_what_the_library_expects_of_one(gateway: Gateway) -> None:
    storage, key = PostgresStorage(gateway.opened.pool), a_name()
    assert [await storage.incr(key, 1000, amount) for amount in (1, 2)] == [1, 3]
    assert await storage.get(key) == 3
    assert await storage.get_expiry(key) > time.time() - 1000
    assert await storage.acquire_sliding_window_entry(key, 5, 1000, 2)
    assert not await storage.acquire_sliding_window_entry(key, 5, 1000, 1)
    previous, left, taken, _ = await storage.get_sliding_window(key, 1000)
    assert (previous, taken) == (0, 5)
    assert 0 <= left <= 1000
    await storage.clear(key)
    assert await storage.get(key) == 0
    assert await storage.check()
    await storage.incr(key, 1000)
    assert await storage.reset() >= 1
    assert await storage.get(key) == 0
