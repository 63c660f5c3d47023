"""Parking: an event that deterministically cannot be folded is set aside with its student, and nobody else waits for her.

Her row stands just before that event; everything later that concerns her queues behind it, in the order of the log, in the
same transactions that move the cursor. A redrive folds the queue on from there.
"""

from __future__ import annotations

import datetime as dt
from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

import asyncpg

from contracts.codec import decode
from services.chassis.errors import Paused
from services.chassis.postgres import Connection
from services.chassis.projection.digest import Digest, term
from services.chassis.projection.view import Entry

# More parked students than this within a minute of the log is a bad deploy, not bad events. The log's minute, not the clock's: a
# rebuild goes through a year in minutes, and parks whom live has parked.
MOST_A_MINUTE = 50
MINUTE = dt.timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Parked:
    """A parked student: the position she stands before, and why (a code)."""

    subject: str
    partition: int
    position: int
    reason: str


@dataclass(frozen=True, slots=True)
class Queued:
    """Something that waits in a parked student's queue.

    `event`: one of her own, taking effect at `at` (its own position, or that of the tick that brought it in: `trigger`).
    `refold`: the reference event or tick in `entry`, which moves her among others.
    """

    subject: str
    kind: Literal["event", "refold"]
    at: int
    entry: Entry
    trigger: Entry | None = None

    @property
    def digest(self) -> Digest:
        """Its term in the exact digest: what waits is part of what a reader may ask for, and counts for nothing yet."""
        entry = self.entry
        return Digest(exact=term("queued", self.subject, self.kind, entry.input, self.at, entry.position))


class Brake:
    """Stops a bad deploy from parking a district: beyond `MOST_A_MINUTE` nothing more is parked until the process starts anew."""

    def __init__(self) -> None:
        self._parked: dict[int, deque[dt.datetime]] = {}  # by partition: each is a story of its own
        self._tripped = False

    def park(self, partition: int, times: Sequence[dt.datetime]) -> None:
        """Note that students are about to be parked by events recorded at these times; raises `Paused` when that is too many.

        And ever after, until the process is started anew.
        """
        parked = self._parked.setdefault(partition, deque())
        for time in times:
            parked.append(time)
            while parked[0] < time - MINUTE:
                parked.popleft()
            self._tripped |= len(parked) > MOST_A_MINUTE
        if self._tripped:
            raise Paused(
                f"more than {MOST_A_MINUTE} students of a partition were to be parked within a minute: mend the cause and restart"
            )


async def among(connection: Connection, subjects: Collection[str]) -> set[str]:
    """Which of these students are parked."""
    rows = await connection.fetch("SELECT subject FROM parked WHERE subject = ANY($1::text[])", list(subjects))
    return {row["subject"] for row in rows}


async def park(connection: Connection, parked: Sequence[Parked]) -> None:
    """Park students."""
    await connection.executemany(
        "INSERT INTO parked (partition, subject, position, reason) VALUES ($1, $2, $3, $4)",
        [(item.partition, item.subject, item.position, item.reason) for item in parked],
    )


async def enqueue(connection: Connection, partition: int, queued: Sequence[Queued]) -> Digest:
    """Queue entries behind parked students; what the digest moves by. A tick that moves a student twice queues once."""
    moved = Digest()
    for item in queued:
        entry = item.entry
        status = await connection.execute(
            """
            INSERT INTO parked_events (partition, subject, at, input, sequence, position, kind, trigger, record)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING
            """,
            partition,
            item.subject,
            item.at,
            entry.input,
            entry.sequence,
            entry.position,
            item.kind,
            item.trigger.record if item.trigger else None,
            entry.record,
        )
        if status == "INSERT 0 1":
            moved += item.digest
    return moved


async def every(connection: Connection) -> list[Parked]:
    """All parked students of the generation in `search_path`, in order of position."""
    rows = await connection.fetch("SELECT subject, partition, position, reason FROM parked ORDER BY position, subject")
    return [Parked(**dict(row)) for row in rows]


async def find(connection: Connection, subject: str) -> Parked | None:
    """A student's parking, or None."""
    row = await connection.fetchrow("SELECT subject, partition, position, reason FROM parked WHERE subject = $1", subject)
    return Parked(**dict(row)) if row else None


async def queue_of(connection: Connection, subject: str) -> list[Queued]:
    """A parked student's queue, in the order in which it takes effect."""
    rows = await connection.fetch(
        """
        SELECT partition, subject, at, input, sequence, position, kind, trigger, record FROM parked_events
        WHERE subject = $1 ORDER BY at, kind, position, input
        """,
        subject,
    )
    return [
        Queued(
            subject=subject,
            kind=row["kind"],
            at=row["at"],
            entry=_entry(row, row["record"], row["position"], told=subject),
            trigger=_entry(row, row["trigger"], row["at"]) if row["trigger"] else None,
        )
        for row in rows
    ]


async def release(connection: Connection, subject: str, done: Sequence[Queued]) -> Digest:
    """Take entries that have been folded out of a student's queue; what the digest moves by."""
    await connection.executemany(
        "DELETE FROM parked_events WHERE subject = $1 AND input = $2 AND at = $3 AND position = $4 AND kind = $5",
        [(subject, item.entry.input, item.at, item.entry.position, item.kind) for item in done],
    )
    return Digest() - sum((item.digest for item in done), Digest())


async def unpark(connection: Connection, subject: str) -> None:
    """The student's queue is empty: she flows again."""
    await connection.execute("DELETE FROM parked WHERE subject = $1", subject)


async def stand_before(connection: Connection, subject: str, position: int, reason: str) -> None:
    """A redrive stopped at a later event: she now stands before that one."""
    await connection.execute("UPDATE parked SET position = $2, reason = $3 WHERE subject = $1", subject, position, reason)


async def scan(connection: Connection, partition: int) -> Digest:
    """The digest of a partition's queues, from the rows."""
    rows = await connection.fetch("SELECT subject, kind, input, at, position FROM parked_events WHERE partition = $1", partition)
    terms = (term("queued", row["subject"], row["kind"], row["input"], row["at"], row["position"]) for row in rows)
    return sum((Digest(exact=value) for value in terms), Digest())


def _entry(row: asyncpg.Record, record: bytes, position: int, told: str | None = None) -> Entry:
    return Entry(
        input=row["input"],
        partition=row["partition"],
        sequence=row["sequence"],
        position=position,
        offset=0,
        event=decode(record),
        record=record,
        told=told,
    )
