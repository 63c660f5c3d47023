"""What a relay reads: a log of dense sequences a partition, in the order in which it was written.

Owns: the shape that the ledger and every outbox have in common, and the outbox's side of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol, TypeVar

from services.chassis.postgres import Pool, passing

C = TypeVar("C")


class Mark(NamedTuple):
    """A place in a log: `position` is log-wide in the ledger, and the sequence itself in an outbox."""

    position: int
    sequence: int


class Entry(NamedTuple):
    """A record and where it goes. `timestamp` is its recordedtime in milliseconds, `key` the student's pseudonym or None."""

    partition: int
    sequence: int
    position: int
    timestamp: int
    key: bytes | None
    traceparent: str | None
    record: bytes


class Log(Protocol):
    """A log that a topic can be compared with. `partitions` is their count. Raises `Transient` when Postgres is away."""

    partitions: int

    async def records(self, marks: Mapping[int, Mark]) -> dict[int, bytes]:
        """The record at one mark of each partition; a partition is missing where the log has nothing at that mark."""
        ...


class Feed(Log, Protocol[C]):
    """A log as a relay reads it. `C` is how it remembers where it is: nobody else looks inside."""

    async def seek(self, sequences: Sequence[int]) -> C:
        """A cursor from which `read` gives every entry with `sequences[partition]` or higher (and may give some before)."""
        ...

    async def read(self, cursor: C, limit: int) -> tuple[list[Entry], C]:
        """About `limit` entries from the cursor on, ascending in each partition without a gap, and the cursor after them."""
        ...


class OutboxFeed:
    """A service's outbox. Its cursor is the next sequence of each partition."""

    def __init__(self, pool: Pool, log: str, partitions: int) -> None:
        self.log = log
        self.partitions = partitions
        self._pool = pool

    async def records(self, marks: Mapping[int, Mark]) -> dict[int, bytes]:
        sequences = [mark.sequence for mark in marks.values()]
        with passing():
            rows = await self._pool.fetch(RECORDS, self.log, list(marks), sequences)
        return {row[0]: row[1] for row in rows if marks[row[0]].position == marks[row[0]].sequence}

    async def seek(self, sequences: Sequence[int]) -> list[int]:
        return list(sequences)

    async def read(self, cursor: list[int], limit: int) -> tuple[list[Entry], list[int]]:
        share = max(LEAST_SHARE, limit // self.partitions)
        with passing():
            rows = await self._pool.fetch(READ, self.log, range(self.partitions), cursor, share)
        after = list(cursor)
        entries = []
        for partition, sequence, timestamp, subject, traceparent, record in rows:
            key = None if subject is None else subject.encode()
            entries.append(Entry(partition, sequence, sequence, timestamp, key, traceparent, record))
            after[partition] = sequence + 1
        return entries, after


RECORDS = """
SELECT partition, record FROM unnest($2::smallint[], $3::bigint[]) AS m (partition, sequence)
JOIN public.outbox o USING (partition, sequence) WHERE o.log = $1
"""

# What a partition may say at once when all have much to say: 64 × 256 records of 600 bytes are 10 MB.
LEAST_SHARE = 256

# One probe of the primary key a partition.
READ = """
SELECT o.* FROM unnest($2::smallint[], $3::bigint[]) AS n (partition, sequence),
LATERAL (
    SELECT partition, sequence, floor(extract(epoch FROM recordedtime) * 1000)::bigint, subject, traceparent, record
    FROM public.outbox WHERE log = $1 AND partition = n.partition AND sequence >= n.sequence ORDER BY sequence LIMIT $4
) o
ORDER BY 1, 2
"""
