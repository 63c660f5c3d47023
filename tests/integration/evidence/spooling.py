"""A publisher's program, to be killed: `python -m tests.integration.evidence.spooling URL KEY SPOOL FIRST COUNT`.

It submits one event after another, prints each number once `submit` has returned, and flushes now and then. SPOOL `-`: the
control, which keeps what waits in memory.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime

from contracts.client import Backoff, Client, Event, evidence

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
FLUSH_EVERY = 37


def piece(number: int) -> Event:
    return evidence(
        source="algebra",
        id=f"e-{number}",
        student=("sis", "104"),
        framework="hs",
        competency="MA.1",
        score=2,
        scale="d4",
        time=NOON,
    )


def main(url: str, key: str, spool: str, first: int, count: int) -> None:
    with Client(url, key, spool=None if spool == "-" else spool, backoff=Backoff(first=0.01, most=0.05)) as client:
        for number in range(first, count):
            client.submit(piece(number))
            sys.stdout.write(f"{number}\n")
            sys.stdout.flush()
            if number % FLUSH_EVERY == 0:
                client.flush()


if __name__ == "__main__":
    _, url, key, spool, first, count = sys.argv
    main(url, key, spool, int(first), int(count))
