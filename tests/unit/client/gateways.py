"""A gateway that is told what to answer, and remembers what it was sent. For the client's tests."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime

import httpx

from contracts.client import Backoff, Client, Event, evidence

NOON = datetime(2026, 10, 5, 12, tzinfo=UTC)
# Pauses that a test does not wait for.
AT_ONCE = Backoff(first=0.0, most=0.0)

Respond = Callable[[list[Event]], httpx.Response]


class FakeGateway:
    """Answers request after request with what `script` says, then with the last of it; `accepted` are the events it took."""

    def __init__(self, *script: Respond) -> None:
        self._script = list(script) or [self.accept]
        self.requests: list[list[Event]] = []
        self.accepted: dict[str, Event] = {}

    def __call__(self, request: httpx.Request) -> httpx.Response:
        events = json.loads(request.content)
        self.requests.append(events)
        respond = self._script.pop(0) if len(self._script) > 1 else self._script[0]
        return respond(events)

    def accept(self, events: list[Event]) -> httpx.Response:
        """As the gateway does: new ones are accepted, known ones are duplicates."""
        results = []
        for event in events:
            results.append({"id": event["id"], "outcome": "duplicate" if event["id"] in self.accepted else "accepted"})
            self.accepted[event["id"]] = event
        return httpx.Response(200, json={"results": results})

    def take_and_lose_the_answer(self, events: list[Event]) -> httpx.Response:
        """The events are in the log, and the connection breaks before the answer."""
        self.accept(events)
        raise httpx.ReadError("gone")


def status(code: int, **headers: str) -> Respond:
    """An answer without a result."""
    return lambda _: httpx.Response(code, headers=headers)


def a_client(gateway: FakeGateway, **options: object) -> Client:
    told = {"backoff": AT_ONCE, "transport": httpx.MockTransport(gateway)} | options
    return Client("http://gateway", "cairn_key", **told)  # type: ignore[arg-type]


def a_piece(id: str, score: float = 3.5) -> Event:
    return evidence(
        source="algebra", id=id, student=("sis", "104"), framework="hs", competency="MA.1", score=score, scale="d4", time=NOON
    )
