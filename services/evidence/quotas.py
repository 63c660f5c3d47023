"""Quotas: how many events a second a publisher may send, whichever doors and gateways it uses.

One counter a publisher, in the database, makes the limit the same for any number of gateways. A gateway takes a twentieth of a
window's worth at a time, so that one request in many asks the database. What it has taken and not used is all that it can be wrong
by: a publisher may be let in by so much more after a quiet time, and a gateway that dies takes so much with it.
Must not: count anything that the ledger counts. What a quota keeps out was never received.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

from limits import RateLimitItem, RateLimitItemPerSecond
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from prometheus_client import Counter

from services.chassis.errors import Rejected
from services.chassis.postgres import Pool, passing
from services.evidence.counters import PostgresStorage
from services.evidence.grants import Publisher

# A publisher may send its quota's worth of so many seconds at once. A request of 500 events fits into the least quota's window.
WINDOW_SECONDS = 10
LEAST_QUOTA = 50
# A gateway takes this part of a window's worth at a time.
SHARE = 20
# How long a gateway believes that a quota is used up without asking again.
BELIEVED_SECONDS = 1.0

over = Counter("cairn_over_quota_total", "Requests, and groups of records, that were kept out by a quota", ["publisher"])


@dataclass(slots=True)
class _Share:
    """What this gateway has taken of a publisher's quota and not used, and until when it has heard that there is no more."""

    left: int = 0
    used_up_until: float = 0.0
    asking: asyncio.Lock = field(default_factory=asyncio.Lock)


class Quotas:
    """The quotas of all publishers, as one process keeps to them. `default` is in events a second."""

    def __init__(self, pool: Pool, default: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._storage = PostgresStorage(pool)
        self._limiter = SlidingWindowCounterRateLimiter(self._storage)
        self._default = default
        self._clock = clock
        self._shares: dict[str, _Share] = defaultdict(_Share)

    def must_be_open(self, publisher: Publisher) -> None:
        """Raise `Rejected` (429) when the quota is known to be used up, before anything is read of a request."""
        if (wait := self._shares[publisher.name].used_up_until - self._clock()) > 0:
            raise self._exceeded(publisher, wait)

    async def take(self, publisher: Publisher, events: int) -> None:
        """Take so many events of a publisher's quota. `Rejected` (429), with the seconds to wait, when there are not so many."""
        if (wait := await self._missing(publisher, events)) > 0:
            raise self._exceeded(publisher, wait)

    async def keep(self, publisher: Publisher, events: int) -> None:
        """The same, waiting until there are."""
        while (wait := await self._missing(publisher, events)) > 0:
            over.labels(publisher.name).inc()
            await asyncio.sleep(wait)

    async def _missing(self, publisher: Publisher, events: int) -> float:
        """Take so many events; 0, or in how many seconds there may be so many."""
        share = self._shares[publisher.name]
        async with share.asking:
            if share.left < events and (wait := await self._fill(share, publisher, events - share.left)) > 0:
                share.used_up_until = self._clock() + min(wait, BELIEVED_SECONDS)
                return wait
            share.left -= events
        return 0.0

    async def _fill(self, share: _Share, publisher: Publisher, missing: int) -> float:
        """Take more from the counter: a share, or at least what is missing. 0, or how long to wait for that."""
        item = self._item(publisher)
        with passing():
            for amount in (max(missing, item.amount // SHARE), missing):
                if await self._limiter.hit(item, publisher.name, cost=amount):
                    share.left += amount
                    return 0.0
            previous, left, taken, _ = await self._storage.get_sliding_window(item.key_for(publisher.name), item.get_expiry())
        return _seconds_until(missing, item, previous, left, taken)

    def _item(self, publisher: Publisher) -> RateLimitItem:
        return RateLimitItemPerSecond((publisher.quota or self._default) * WINDOW_SECONDS, WINDOW_SECONDS)

    def _exceeded(self, publisher: Publisher, wait: float) -> Rejected:
        over.labels(publisher.name).inc()
        quota = publisher.quota or self._default
        expected = f"at most {quota} events a second, {quota * WINDOW_SECONDS} in {WINDOW_SECONDS} s"
        return Rejected("quota-exceeded", expected, status=429, retry_after=math.ceil(wait))


def _seconds_until(events: int, item: RateLimitItem, previous: int, left: float, taken: int) -> float:
    """When so many more events fit, if nobody else takes any. `left`: seconds of this window; the one before fades by then."""
    length, most = item.get_expiry(), item.amount
    if taken + events <= most:
        return max(left - (most - taken - events) / max(previous, 1) * length, 0.05)
    return left + max(length - (most - events) / max(taken, 1) * length, 0.0)
