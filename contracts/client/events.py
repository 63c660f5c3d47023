"""Events as publishers send them: CloudEvents in JSON that name people by the publisher's own identifiers."""

from __future__ import annotations

import secrets
import time as clock
import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal, TypeAlias

# A JSON object: what `POST /v1/evidence` takes.
Event: TypeAlias = dict[str, Any]
# How the publisher calls a person: a scheme such as `sis`, and the value in it.
Person: TypeAlias = tuple[str, str]


def evidence(
    *,
    source: str,
    student: Person,
    framework: str,
    competency: str,
    score: float,
    scale: str,
    time: datetime,
    id: str | None = None,
    sourcekey: str | None = None,
    kind: Literal["assessment", "performance", "observation", "judgement", "practice"] | None = None,
    assessor: Person | None = None,
    context: str | None = None,
    attempt: int | None = None,
    due: datetime | None = None,
    language: str | None = None,
    language_demand: int | None = None,
    accommodations: Sequence[str] = (),
) -> Event:
    """One piece of evidence. `source` is the publisher's name or below it; `score` has at most three decimals.

    `id` is unique within the source; without one it gets a new UUIDv7. An app that may say the same thing again after a crash
    gives its own, derived from its record: the second saying is then a duplicate. Times carry their zone.
    """
    data = {
        "student": _identifier(student),
        "framework": framework,
        "competency": competency,
        "score": score,
        "scale": scale,
        "kind": kind,
        "assessor": _identifier(assessor) if assessor else None,
        "context": context,
        "attempt": attempt,
        "due": _instant(due) if due else None,
        "language": language,
        "language_demand": language_demand,
        "accommodations": list(accommodations) or None,
    }
    envelope = {
        "specversion": "1.0",
        "id": id or new_id(),
        "source": source,
        "type": "cairn.evidence.submitted.v1",
        "time": _instant(time),
        "sourcekey": sourcekey,
    }
    return _said(envelope) | {"data": _said(data)}


def new_id() -> str:
    """A UUIDv7 (RFC 9562): its first bits are the time, by which the ledger finds a resend in a small index."""
    milliseconds = clock.time_ns() // 1_000_000
    value = milliseconds << 80 | 0x7 << 76 | secrets.randbits(12) << 64 | 0b10 << 62 | secrets.randbits(62)
    return str(uuid.UUID(int=value))


def _identifier(person: Person) -> dict[str, str]:
    scheme, value = person
    return {"scheme": scheme, "value": value}


def _instant(time: datetime) -> str:
    if time.tzinfo is None:
        raise ValueError("a time with its zone, such as datetime.now(UTC)")
    return time.isoformat()


def _said(fields: dict[str, Any]) -> dict[str, Any]:
    """What has a value: absent and null are not the same to the gateway."""
    return {name: value for name, value in fields.items() if value is not None}
