"""When to try again. Pure but for the random number that keeps a thousand clients from coming back at once."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

# Doubling ends here: 2.0 ** 64 seconds is longer than any bound on a pause.
MOST_DOUBLINGS = 64


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential back-off with full jitter: a pause between nothing and `first` seconds, then twice that, up to `most`."""

    first: float = 0.2
    most: float = 30.0
    chance: Callable[[], float] = random.random

    def pause(self, attempt: int, retry_after: float = 0.0) -> float:
        """Seconds to wait after failure number `attempt` (from 0). Never less than the gateway asked for."""
        return retry_after + self.chance() * min(self.most, self.first * 2.0 ** min(attempt, MOST_DOUBLINGS))


def retry_after(header: str | None, now: datetime | None = None) -> float:
    """The seconds in a Retry-After header: a number or an HTTP date. 0.0 for none, for the past, and for what is neither."""
    if not header:
        return 0.0
    if header.strip().isascii() and header.strip().isdigit():
        return float(header.strip()[:9])
    try:
        then = parsedate_to_datetime(header)
    except ValueError:
        return 0.0
    then = then if then.tzinfo else then.replace(tzinfo=UTC)
    return max(0.0, (then - (now or datetime.now(UTC))).total_seconds())
