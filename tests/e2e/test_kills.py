"""kill -9 of every process in turn and at seeded random moments, under load: nothing acknowledged is lost, doubled or reordered."""

from __future__ import annotations

import asyncio
import random

import pytest

from tests.e2e.invariants import assert_log_is_sound, assert_views_are_sound
from tests.e2e.load import publishing, until_more
from tests.e2e.platform import PATIENCE, Platform
from tests.until import until

pytestmark = [pytest.mark.stack, pytest.mark.timeout(900)]

SERVICES = ("evidence", "mastery", "scheduling", "reporting")
VICTIMS = ("kafka", "postgres", *(f"{service}-{kind}" for service in SERVICES for kind in ("serve", "work")))


async def ready_again(platform: Platform, name: str) -> None:
    async def ready() -> bool:
        part = (await asyncio.to_thread(platform.parts))[name]
        return bool(part["state"] == "ready")

    await until(ready, PATIENCE)


async def test_each_process_in_turn(platform: Platform) -> None:
    assert set(platform.parts()) == set(VICTIMS)
    async with publishing(platform, rate=100) as receipts:
        for name in VICTIMS:
            before = len(receipts)
            assert platform.kill(name)
            await ready_again(platform, name)
            await until_more(receipts, before)
    await assert_log_is_sound(platform, receipts)
    await assert_views_are_sound(platform)


async def test_twenty_random_moments(platform: Platform) -> None:
    await _kill_at_random(platform, moments=20, seed=20, seconds=60)


@pytest.mark.soak
async def test_five_hundred_random_moments(platform: Platform) -> None:
    await _kill_at_random(platform, moments=500, seed=500, seconds=3000)


async def _kill_at_random(platform: Platform, *, moments: int, seed: int, seconds: float) -> None:
    chance = random.Random(seed)
    async with publishing(platform, rate=200) as receipts:
        killed = 0
        while killed < moments:
            await asyncio.sleep(chance.random() * seconds / moments)  # the moment is the test
            killed += platform.kill(chance.choice(VICTIMS))
    for name in VICTIMS:
        await ready_again(platform, name)
    await assert_log_is_sound(platform, receipts)
    await assert_views_are_sound(platform)
