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


def curl(publisher: Publisher, key: str, url: str, id: str, now: datetime) -> str:
    """A piece of evidence: a sandbox really sends it, anybody else has it validated, so that nothing official comes of a try.

    Who may not send evidence asks for its scorecard instead.
    """
    address, authorization = url or NOWHERE, f'-H "Authorization: Bearer {key}"'
    if EvidenceSubmitted.TYPE not in publisher.types:
        return f'curl -sS "{address}/v1/publishers/me/scorecard" {authorization}'
    query = "" if publisher.sandbox else "?validate_only=true"
    body = shlex.quote(json.dumps(_example(publisher.name, id, now)))
    return f'curl -sS "{address}/v1/evidence{query}" {authorization} -H "Content-Type: application/json" -d {body}'


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
