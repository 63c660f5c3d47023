"""Sending what is in a spool, without sending: the conversation that both clients have with the gateway.

`deliver` is a generator. It yields `Post` (send this, give back an `Answer`) or `Pause` (wait so long), and ends when nothing
waits. What it does with an answer:
    200, 207            each event's result is settled
    400, 409, 413, 422  one event spoils the batch: it is halved until that one stands alone, and is refused
    401, 403            the key is not good: `NotAdmitted`; everything waits on
    any other, or none  again after a pause, the same events under the same ids; without an answer for longer than the patience:
                        `Unreachable`; everything waits on
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any

from contracts.client.retry import Backoff
from contracts.client.spool import Spool, Spooled

PATH = "/v1/evidence"
MEDIA_TYPE = "application/cloudevents-batch+json"
# What the gateway takes in a request.
MOST_EVENTS = 500
MOST_BYTES = 1024 * 1024 - 2

_NOT_ADMITTED = frozenset({401, 403})
_SPOILT = frozenset({400, 409, 413, 422})
_OUTCOMES = frozenset({"accepted", "duplicate", "held", "rejected"})


class Unreachable(Exception):  # noqa: N818 - it passes
    """The gateway took nothing for as long as the client was patient. What waits is in the spool: flush again later."""


class NotAdmitted(Exception):  # noqa: N818
    """The key is not, or no longer, a publisher's. What waits is in the spool: open it again with another key."""


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of the events that one flush sent. `held` wait at the gateway until it knows their people."""

    accepted: int = 0
    duplicate: int = 0
    held: int = 0
    rejected: int = 0


@dataclass(frozen=True, slots=True)
class Post:
    """Send this body to `PATH` and give back the `Answer`."""

    body: bytes


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait for so many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. `status` 0: nothing did."""

    status: int
    body: bytes = b""
    retry_after: float = 0.0


Result = dict[str, Any]
Conversation = Generator[Post | Pause, Answer | None, Sent]


@dataclass(frozen=True, slots=True)
class Manner:
    """How a client sends: events a batch, pauses, seconds without progress after which it gives up, and whose clock."""

    batch: int
    backoff: Backoff
    patience: float
    clock: Callable[[], float]


def deliver(spool: Spool, manner: Manner) -> Conversation:
    """Send everything that waits; what became of it."""
    sent: Counter[str] = Counter()
    most = manner.batch
    while batch := spool.oldest(most, MOST_BYTES):
        results = yield from _answered(batch, manner)
        if results is None:
            most = len(batch) // 2
            continue
        spool.settle(batch, results)
        sent.update(result["outcome"] for result in results)
        most = min(manner.batch, most * 2)
    return Sent(**sent)


def _answered(batch: Sequence[Spooled], manner: Manner) -> Generator[Post | Pause, Answer | None, list[Result] | None]:
    """Send one batch until the gateway has said something about it: a result each, or None when one of many spoils it."""
    body = b"[" + b",".join(event.body for event in batch) + b"]"
    began, attempt = manner.clock(), 0
    while True:
        answer = yield Post(body)
        assert answer is not None
        if answer.status in _NOT_ADMITTED:
            raise NotAdmitted(f"the gateway answered {answer.status}: the key is not a publisher's")
        if (results := _results(answer, len(batch))) is not None:
            return results
        if (problem := _spoilt(answer)) is not None:
            return [{"outcome": "rejected", "problem": problem}] if len(batch) == 1 else None
        pause = manner.backoff.pause(attempt, answer.retry_after)
        if manner.clock() - began + pause > manner.patience:
            told = f"the gateway answered {answer.status}" if answer.status else "the gateway did not answer"
            raise Unreachable(f"{told} for {manner.patience:g} s; everything that waits is in the spool")
        yield Pause(pause)
        attempt += 1


def _results(answer: Answer, events: int) -> list[Result] | None:
    """A result for each event, or None when the answer has none: it is no gateway's, but some proxy's page."""
    if answer.status not in (200, 207):
        return None
    results = _object(answer.body).get("results")
    if not isinstance(results, list) or len(results) != events:
        return None
    told = [result for result in results if isinstance(result, dict) and result.get("outcome") in _OUTCOMES]
    return told if len(told) == events else None


def _spoilt(answer: Answer) -> Result | None:
    """The gateway's own problem with a body that it will never take. Without a code it is not the gateway's."""
    problem = _object(answer.body)
    return problem if answer.status in _SPOILT and "code" in problem else None


def _object(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
