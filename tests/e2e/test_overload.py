"""Ten minutes at twice the rate that a gateway holds: nothing acknowledged is lost, and it recovers by itself."""

from __future__ import annotations

import pytest

from tests.bench.overload import overload, verdicts

pytestmark = [pytest.mark.stack, pytest.mark.soak]

MINUTES = 10.0


async def test_twice_the_rate_that_it_can_hold() -> None:
    result = await overload(MINUTES)
    assert {what: holds for what, holds in verdicts(result).items() if not holds} == {}
