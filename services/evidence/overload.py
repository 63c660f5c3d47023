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
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.chassis.problems import problem

# At 3,000 a second these are a third of a second's work.
MOST_REQUESTS = 1000
# A body is 20 times as large once it is Python's objects.
MOST_BYTES = 32 * 1024 * 1024
# Of a request that does not say how large its body is: as large as one may be.
UNTOLD_BYTES = 1024 * 1024
# Those who are let in when the oldest has taken so long wait for about as long themselves; they are promised 2 s.
OLDEST_SECONDS = 0.75
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


class Work:
    """A request that was let in. Its age is the time that it has been ours, not what its caller takes to send the body."""

    __slots__ = ("_asked", "_began", "_clock")

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._began = clock()
        self._asked: float | None = None  # since when its caller is waited for

    def age(self, now: float) -> float:
        """Seconds; 0 while its caller is waited for."""
        return now - self._began if self._asked is None else 0.0

    def timed(self, receive: Receive) -> Receive:
        """What the request is read with, so that waiting for it counts for nothing."""

        async def received() -> Message:
            self._asked = self._clock()
            try:
                return await receive()
            finally:
                self._began += self._clock() - self._asked
                self._asked = None

        return received


class Load:
    """What a gateway has to do now."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._bytes = 0
        self._work = set[Work]()
        self._oldest = 0.0
        self._late = deque([0.0] * LATE_LOOKS, LATE_LOOKS)

    def too_much(self) -> str | None:
        """The bound that shuts the door now, or None."""
        if len(self._work) >= MOST_REQUESTS:
            return "requests"
        if self._bytes >= MOST_BYTES:
            return "bytes"
        if self._oldest > OLDEST_SECONDS and self._work:
            return "oldest"
        if min(self._late) > LATEST_SECONDS:
            return "loop"
        return None

    @contextmanager
    def request(self, size: int) -> Iterator[Work]:
        """A request that was let in, with a body of so many bytes."""
        work = Work(self._clock)
        self._work.add(work)
        self._bytes += size
        under_way.set(len(self._work))
        try:
            yield work
        finally:
            self._work.remove(work)
            self._bytes -= size
            under_way.set(len(self._work))

    async def watch(self) -> None:
        """Look at the event loop's lateness, and at the oldest work, until cancelled."""
        while True:
            due = self._clock() + LOOK_SECONDS
            await asyncio.sleep(LOOK_SECONDS)
            self.look(due)

    def look(self, due: float) -> None:
        """Look now; it was to be at `due`."""
        now = self._clock()
        self._late.append(max(0.0, now - due))
        self._oldest = max((work.age(now) for work in self._work), default=0.0)
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
        with self._load.request(_size(scope)) as work:
            return await self.app(scope, work.timed(receive), send)


def _size(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return min(int(value[:19]), UNTOLD_BYTES)
    return UNTOLD_BYTES


def _come_again() -> ASGIApp:
    """Nothing of the request was read, so the same one may be sent again."""
    return problem(503, "overloaded", "the same request again, later", headers={"retry-after": str(RETRY_AFTER_SECONDS)})
