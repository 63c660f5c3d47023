"""Publishing over HTTP as a school app does: batches over several connections, patient with a busy gateway.

A batch that got no answer is sent again, which is safe: the same ids with the same content give the same receipts.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, NamedTuple

import httpx
import orjson

from services.chassis.errors import Unavailable

MOST_EVENTS = 500  # a request; the door refuses more
_BUSY = frozenset({429, 502, 503, 504})
# Waits double from the first to the longest; a gateway that is away longer than this altogether is reported, not waited for.
_FIRST_WAIT, _LONGEST_WAIT, _PATIENCE = 0.1, 5.0, 120.0
_ANSWER = 30.0  # seconds to wait for one answer, before asking again
_AHEAD = 32  # batches made at a time in a thread, so that making them never holds up answers


class Item(NamedTuple):
    """A submission and the publisher that sends it."""

    publisher: str
    submission: dict[str, Any]


class Batch(NamedTuple):
    """One request: `events` as JSON texts. `due`: seconds from the start at which it should be sent, 0 for at once."""

    publisher: str
    events: list[bytes]
    due: float = 0.0


@dataclass
class Report:
    """What came of it. `outcomes`: accepted, duplicate, held, rejected. `latencies` in seconds, a request each.

    At a steady rate a request's latency counts from when it was due, so that waiting for a free connection is not hidden.
    """

    outcomes: Counter[str] = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list)
    retries: int = 0
    seconds: float = 0.0

    @property
    def sent(self) -> int:
        return self.outcomes.total()

    def latency(self, percent: float) -> float:
        """The latency that `percent` % of the requests were not slower than (nearest rank)."""
        ascending = sorted(self.latencies)
        return ascending[max(0, -int(-len(ascending) * percent // 100) - 1)] if ascending else 0.0


def batches(items: Iterable[Item], size: int, rate: float | None = None) -> Iterator[Batch]:
    """The items in batches of one publisher each, each publisher's in their order.

    With a `rate` in events a second, a batch is due when its last event would have come.
    """
    waiting: dict[str, list[bytes]] = {}
    sent = 0
    for item in items:
        events = waiting.setdefault(item.publisher, [])
        events.append(orjson.dumps(item.submission))
        if len(events) == size:
            sent += size
            yield Batch(item.publisher, waiting.pop(item.publisher), sent / rate if rate else 0.0)
    for publisher, events in waiting.items():
        sent += len(events)
        yield Batch(publisher, events, sent / rate if rate else 0.0)


async def publish(
    to_send: Iterator[Batch],
    *,
    url: str,
    keys: Mapping[str, str],
    report: Report,
    connections: int = 4,
    progress: Callable[[int], None] = lambda _: None,
    transport: httpx.AsyncBaseTransport | None = None,
) -> None:
    """Send all batches to the evidence API at `url`. `report` grows meanwhile, and is true whenever this ends or is stopped.

    `progress` is told how many events were answered, `transport` replaces the network (for tests). Raises `Unavailable` when
    the gateway stays away, or refuses a request as a whole.
    """
    queue = asyncio.Queue[Batch | None](maxsize=connections)
    limits = httpx.Limits(max_connections=connections)
    made = await _next(to_send)  # before the clock starts: making the first batches may take seconds
    began = time.monotonic()
    try:
        client = httpx.AsyncClient(base_url=url, limits=limits, timeout=_ANSWER, transport=transport)
        async with client, asyncio.TaskGroup() as tasks:
            for _ in range(connections):
                tasks.create_task(_sender(client, queue, keys, report, began, progress))
            while made:
                await _feed(made, queue, began)
                made = await _next(to_send)
            for _ in range(connections):
                await queue.put(None)
    except ExceptionGroup as group:
        raise group.exceptions[0] from None  # the first sender to fail stopped the others
    finally:
        report.seconds = time.monotonic() - began


async def _next(to_send: Iterator[Batch]) -> list[Batch]:
    return await asyncio.to_thread(lambda: list(islice(to_send, _AHEAD)))


async def _feed(made: list[Batch], queue: asyncio.Queue[Batch | None], began: float) -> None:
    for batch in made:
        await asyncio.sleep(max(0.0, batch.due - (time.monotonic() - began)))
        await queue.put(batch)


async def _sender(
    client: httpx.AsyncClient,
    queue: asyncio.Queue[Batch | None],
    keys: Mapping[str, str],
    report: Report,
    began: float,
    progress: Callable[[int], None],
) -> None:
    while (batch := await queue.get()) is not None:
        started = began + batch.due if batch.due else time.monotonic()
        response = await _post(client, batch, keys[batch.publisher], report)
        report.latencies.append(time.monotonic() - started)
        report.outcomes.update(_outcomes(response))
        progress(len(batch.events))


async def _post(client: httpx.AsyncClient, batch: Batch, key: str, report: Report) -> httpx.Response:
    """One request, tried again while the gateway is busy or away."""
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/x-ndjson"}
    wait, deadline = _FIRST_WAIT, time.monotonic() + _PATIENCE
    while True:
        trouble = "no answer"
        try:
            response = await client.post("/v1/evidence", content=b"\n".join(batch.events), headers=headers)
            if response.status_code not in _BUSY:
                return response
            trouble = f"status {response.status_code}"
        except httpx.TransportError as error:
            trouble = type(error).__name__
        if time.monotonic() + wait > deadline:
            away = f"the evidence API at {client.base_url} took no batch for {_PATIENCE:.0f} s"
            raise Unavailable(f"{away} ({trouble}); see `cairn status`")
        report.retries += 1
        await asyncio.sleep(wait)
        wait = min(2 * wait, _LONGEST_WAIT)


def _outcomes(response: httpx.Response) -> Counter[str]:
    """How the items of a batch fared, or `Unavailable` with the problem's code if it was refused as a whole."""
    body = response.json()
    if "results" not in body:
        raise Unavailable(f"the evidence API refused a batch: {body.get('code')}, expected {body.get('expected')}")
    return Counter(str(result["outcome"]) for result in body["results"])
