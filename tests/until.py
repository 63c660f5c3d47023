"""Waiting for a condition with a deadline: the only way in which tests wait."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

# How often a condition is asked: short beside what any test waits for, long beside what asking costs.
PAUSE_SECONDS = 0.02


async def until(condition: Callable[[], Awaitable[object]], seconds: float = 30.0) -> None:
    """Return once `condition` gives something true; `TimeoutError` after `seconds`."""
    async with asyncio.timeout(seconds):
        while True:
            if await condition():
                return
            await asyncio.sleep(PAUSE_SECONDS)
