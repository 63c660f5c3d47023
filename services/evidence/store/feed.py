"""The ledger as a relay reads it: by position, an event once in each partition that it is placed in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import asyncpg

from services.chassis.log.feed import Entry, Mark
from services.chassis.postgres import Pool, passing

RECORDS = """
SELECT m.partition, l.record
FROM unnest($1::smallint[], $2::bigint[], $3::bigint[]) AS m (partition, position, sequence)
JOIN public.ledger l USING (position)
WHERE CASE WHEN l.sequences IS NOT NULL THEN l.sequences[m.partition + 1] = m.sequence
           WHEN l.partition = m.partition THEN l.sequence = m.sequence
           ELSE l.furthersequences[array_position(l.further, m.partition)] = m.sequence END
"""

# The last reference event that comes before the wanted sequence in every partition; looked for from the end.
SEEK = """
SELECT position FROM public.ledger
WHERE sequences IS NOT NULL AND NOT EXISTS (SELECT FROM unnest(sequences, $1::bigint[]) AS n (there, wanted) WHERE there > wanted)
ORDER BY position DESC LIMIT 1
"""

READ = """
SELECT position, floor(extract(epoch FROM recordedtime) * 1000)::bigint, partition, sequence, sequences, further, furthersequences,
       subject, traceparent, record
FROM public.ledger WHERE position >= $1 ORDER BY position LIMIT $2
"""


class LedgerFeed:
    """The ledger, for a relay. Its cursor is the next position."""

    def __init__(self, pool: Pool, partitions: int) -> None:
        self.partitions = partitions
        self._pool = pool

    async def records(self, marks: Mapping[int, Mark]) -> dict[int, bytes]:
        positions, sequences = [mark.position for mark in marks.values()], [mark.sequence for mark in marks.values()]
        with passing():
            return {row[0]: row[1] for row in await self._pool.fetch(RECORDS, list(marks), positions, sequences)}

    async def seek(self, sequences: Sequence[int]) -> int:
        if not all(sequences):
            return 0  # a partition that has nothing: the topic is filled from the start
        with passing():
            return await self._pool.fetchval(SEEK, list(sequences)) or 0

    async def read(self, cursor: int, limit: int) -> tuple[list[Entry], int]:
        with passing():
            rows = await self._pool.fetch(READ, cursor, limit)
        entries = [entry for row in rows for entry in _entries(row)]
        return entries, rows[-1][0] + 1 if rows else cursor


def _entries(row: asyncpg.Record) -> list[Entry]:
    position, timestamp, partition, sequence, sequences, further, furthersequences, subject, traceparent, record = row
    if sequences is not None:
        return [Entry(number, each, position, timestamp, None, traceparent, record) for number, each in enumerate(sequences)]
    key = subject.encode()
    entries = [Entry(partition, sequence, position, timestamp, key, traceparent, record)]
    if further is not None:
        places = zip(further, furthersequences, strict=True)
        entries += [Entry(number, each, position, timestamp, key, traceparent, record) for number, each in places]
    return entries
