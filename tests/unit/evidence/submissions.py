"""Submissions for unit tests: items as a parser gives them, a publisher, a key."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from contracts.submissions import SUBMISSIONS
from services.evidence.admit import Admitted, admit, keyed
from services.evidence.grants import Publisher
from services.evidence.parse import Item

KEY = keyed(b"k" * 32)
ALGEBRA = Publisher("algebra")
CURRICULUM = Publisher("curriculum", frozenset(SUBMISSIONS))
EVIDENCE = "cairn.evidence.submitted.v1"


def an_event(type: str = EVIDENCE, source: str = "algebra", **changes: Any) -> dict[str, Any]:
    """An event as a parser gives it. `changes` replace envelope fields; `data` those of its data (None leaves a field out)."""
    data: dict[str, Any] = {
        "student": {"scheme": "sis", "value": "104"},
        "framework": "hs",
        "competency": "MA.1",
        "score": Decimal("3.5"),
        "scale": "d4",
    }
    if type != EVIDENCE:
        data = {}
    data |= changes.pop("data", {})
    told = {name: value for name, value in data.items() if value is not None}
    event = {"specversion": "1.0", "id": "e-1", "source": source, "type": type, "time": "2026-03-02T10:00:00Z", "data": told}
    return {name: value for name, value in (event | changes).items() if value is not None}


def an_item(event: object) -> Item:
    return Item(json.dumps(event, default=str), event)


def admitted(event: object, publisher: Publisher = ALGEBRA) -> Admitted:
    return admit(an_item(event), publisher, KEY)
