"""How long a publisher that is over its quota is told to wait: not shorter than it takes, and not much longer."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from limits import RateLimitItemPerSecond

from services.evidence.quotas import WINDOW_SECONDS, _seconds_until

MOST = 1000
ITEM = RateLimitItemPerSecond(MOST, WINDOW_SECONDS)


def weighted(previous: int, taken: int, passed: float) -> float:
    """What counts as taken when `passed` seconds of a window have passed; a window that nobody used follows each."""
    while passed >= WINDOW_SECONDS:
        previous, taken, passed = taken, 0, passed - WINDOW_SECONDS
    return previous * (1 - passed / WINDOW_SECONDS) + taken


@given(previous=st.integers(0, MOST), taken=st.integers(0, MOST), passed=st.floats(0, WINDOW_SECONDS), events=st.integers(1, MOST))
def test_after_the_wait_there_is_room_and_well_before_it_there_was_not(
    previous: int, taken: int, passed: float, events: int
) -> None:
    if weighted(previous, taken, passed) + events <= MOST:
        return
    wait = _seconds_until(events, ITEM, previous, WINDOW_SECONDS - passed, taken)
    assert 0 < wait <= 2 * WINDOW_SECONDS
    assert weighted(previous, taken, passed + wait + 1e-6) + events <= MOST + 1e-3
    if wait > 0.1:
        assert weighted(previous, taken, passed + wait - 0.1) + events > MOST - 1e-3
