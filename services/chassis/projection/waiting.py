"""Students' events whose date has not come: the first tick at or past it brings them in."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from contracts.codec import decode
from services.chassis.postgres import Connection
from services.chassis.projection.digest import Digest, term
from services.chassis.projection.view import Entry


async def wait(connection: Connection, partition: int, waiting: Sequence[tuple[Entry, dt.date]]) -> Digest:
    """Keep dated events until their date; what the digest moves by."""
    await connection.executemany(
        "INSERT INTO waiting (partition, date, position, sequence, subject, record) VALUES ($1, $2, $3, $4, $5, $6)",
        [(partition, date, entry.position, entry.sequence, entry.subject, entry.record) for entry, date in waiting],
    )
    return sum((term_of(entry.subject, entry.position, date) for entry, date in waiting), Digest())


async def take_due(connection: Connection, partition: int, date: dt.date, limit: int) -> tuple[list[Entry], Digest]:
    """Take out the next events that have come due, in order of date and position; what the digest moves by."""
    rows = await connection.fetch(
        """
        DELETE FROM waiting WHERE (partition, date, position) IN (
            SELECT partition, date, position FROM waiting
            WHERE partition = $1 AND date <= $2 ORDER BY date, position LIMIT $3
        ) RETURNING date, position, sequence, subject, record
        """,
        partition,
        date,
        limit,
    )
    rows = sorted(rows, key=lambda row: (row["date"], row["position"]))
    entries = [Entry(0, partition, row["sequence"], row["position"], 0, decode(row["record"]), row["record"]) for row in rows]
    taken = sum((term_of(row["subject"], row["position"], row["date"]) for row in rows), Digest())
    return entries, Digest() - taken


async def scan(connection: Connection, partition: int) -> Digest:
    """The digest of what waits in a partition, from the rows."""
    rows = await connection.fetch("SELECT subject, position, date FROM waiting WHERE partition = $1", partition)
    return sum((term_of(row["subject"], row["position"], row["date"]) for row in rows), Digest())


def term_of(subject: str | None, position: int, date: dt.date) -> Digest:
    """The term of one event that waits: it counts for nothing yet, but a reader may ask for it."""
    return Digest(exact=term("waiting", subject, position, date))
