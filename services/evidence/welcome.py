"""What a new publisher is given beside its key: one command that works as it is printed."""

from __future__ import annotations

import json
import shlex
from datetime import datetime

from contracts.codec import timestamp
from contracts.events import EvidenceSubmitted
from services.evidence.grants import Publisher

# Where the gateway is, when nobody has said so.
NOWHERE = "$CAIRN_EVIDENCE_URL"


def curl(publisher: Publisher, key: str, url: str, id: str, now: datetime) -> str | None:
    """A piece of evidence, only to be validated, so that nothing official comes of a try; None for who may not send evidence."""
    if EvidenceSubmitted.TYPE not in publisher.types:
        return None
    headers = f'-H "Authorization: Bearer {key}" -H "Content-Type: application/json"'
    body = shlex.quote(json.dumps(_example(publisher.name, id, now)))
    return f'curl -sS "{url or NOWHERE}/v1/evidence?validate_only=true" {headers} -d {body}'


def _example(source: str, id: str, now: datetime) -> dict[str, object]:
    return {
        "specversion": "1.0",
        "id": id,
        "source": source,
        "type": EvidenceSubmitted.TYPE,
        "time": timestamp(now),
        "data": {
            "student": {"scheme": "sis", "value": "a-student"},
            "framework": "hs",
            "competency": "MA.1",
            "score": 3.5,
            "scale": "d4",
        },
    }
