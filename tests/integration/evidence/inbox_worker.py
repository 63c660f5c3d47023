"""A worker of the evidence service for tests: `python -m tests.integration.evidence.inbox_worker TOPIC HOW`.

It reads every inbox, whoever else holds it, so that two of them are always at each other's. HOW `guarded`: as in production.
`unguarded`: the control, in which a cursor is moved wherever it stands.
"""

from __future__ import annotations

import sys
from dataclasses import replace

from contracts.topics import EVIDENCE_LOG
from services.chassis.telemetry import configure
from services.chassis.web import run
from services.evidence.app import create_worker
from services.evidence.inbox import readers
from services.evidence.settings import Settings
from services.evidence.store import inbox


def main(topic: str, how: str) -> None:
    readers.HOLD_SECONDS = 0.0
    if how == "unguarded":
        inbox.MOVE = inbox.MOVE.replace("AND next = $3", "AND $3::bigint IS NOT NULL")
    settings = Settings()
    configure("evidence.work", settings)
    run(create_worker(settings, replace(EVIDENCE_LOG, name=topic)), settings)


if __name__ == "__main__":
    main(*sys.argv[1:])
