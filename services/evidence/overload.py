"""Overload: a gateway that has more to do than it can says so at once, before it has read or begun anything.

Owns: when the door is shut, and the 503 that says so. Four bounds shut it: requests under way, bytes of their bodies, how long the
oldest work has taken, how late the event loop is. The first two bound memory, the last two how long anybody who is let in waits;
each opens by itself as the work gets done. Must not: stop what has been let in, count anything that the ledger counts.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from prometheus_client import Counter, Gauge
from starlette.types import ASGIApp, Receive, Scope, Send

from services.chassis.problems import problem

# At 3,000 a second these are a third of a second's work.
MOST_REQUESTS = 1000
# A body is 20 times as large once it is Python's objects.
MOST_BYTES = 32 * 1024 * 1024
# Of a request that does not say how large its body is: as large as one may be.
UNTOLD_BYTES = 1024 * 1024
# Those who are let in when the oldest has taken so long wait for about as long themselves; they are promised 2 s.
OLDEST_SECONDS = 1.0
LATEST_SECONDS = 0.5
# Between two looks at the loop's lateness, and how many in a row are late in an overload. One alone is a pause: what waited during
# it is worked off at once, and refusing anybody then would help nobody.
LOOK_SECONDS = 0.05
LATE_LOOKS = 3
# Longer than the backlog takes to be worked off.
RETRY_AFTER_SECONDS = 2

shed = Counter("cairn_shed_total", "Requests told to come again later, by what was too much", ["bound"])
under_way = Gauge("cairn_requests_under_way", "Submissions being read or worked on")
lateness = Gauge("cairn_event_loop_lateness_seconds", "How much later than asked the event loop came back, last")


class Load:
    """What a gateway has to do now."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._requests = 0
        self._bytes = 0
        self._working: dict[int, float] = {}  # in the order in which the work began
        self._numbers = 0
        self._late = deque([0.0] * LATE_LOOKS, LATE_LOOKS)

    def too_much(self) -> str | None:
        """The bound that shuts the door now, or None."""
        now = self._clock()
        if self._requests >= MOST_REQUESTS:
            return "requests"
        if self._bytes >= MOST_BYTES:
            return "bytes"
        if self._working and now - next(iter(self._working.values())) > OLDEST_SECONDS:
            return "oldest"
        if min(self._late) > LATEST_SECONDS:
            return "loop"
        return None

    @contextmanager
    def request(self, size: int) -> Iterator[None]:
        """A request that was let in, with a body of so many bytes."""
        self._requests += 1
        self._bytes += size
        under_way.set(self._requests)
        try:
            yield
        finally:
            self._requests -= 1
            self._bytes -= size
            under_way.set(self._requests)

    @contextmanager
    def working(self) -> Iterator[None]:
        """The work on a request, once its body is there: how long a caller takes to send it says nothing about us."""
        self._numbers += 1
        number = self._numbers
        self._working[number] = self._clock()
        try:
            yield
        finally:
            del self._working[number]

    async def watch(self) -> None:
        """Look at the event loop's lateness until cancelled."""
        while True:
            due = self._clock() + LOOK_SECONDS
            await asyncio.sleep(LOOK_SECONDS)
            self._late.append(max(0.0, self._clock() - due))
            lateness.set(self._late[-1])


class Shedding:
    """Answers 503 to submissions while the door is shut, around everything else: routing alone costs more than this answer."""

    def __init__(self, app: ASGIApp, load: Load, path: str) -> None:
        self.app = app
        self._load = load
        self._path = path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != self._path or scope["method"] != "POST":
            return await self.app(scope, receive, send)
        if bound := self._load.too_much():
            shed.labels(bound).inc()
            return await _come_again()(scope, receive, send)
        with self._load.request(_size(scope)):
            return await self.app(scope, receive, send)


def _size(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return min(int(value[:19]), UNTOLD_BYTES)
    return UNTOLD_BYTES


def _come_again() -> ASGIApp:
    """Nothing of the request was read, so the same one may be sent again."""
    return problem(503, "overloaded", "the same request again, later", headers={"retry-after": str(RETRY_AFTER_SECONDS)})
