"""The outbox: what a service says, written in the transaction that made it true.

An outbox is a ledger of its own, a topic's only source: dense sequences a partition, bytes written once, rows kept for ever.
Owns: `outbox` and `next_out`. Must not: publish (the relay does), or read a clock.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from contracts.codec import finish, prepare, timestamp
from contracts.envelope import Data
from services.chassis.postgres import Connection

COLUMNS = ("log", "partition", "sequence", "recordedtime", "type", "subject", "traceparent", "record")

# One statement locks the partition's row and moves it. A row that is not there yet is a partition that has said nothing.
TAKE = """
INSERT INTO public.next_out AS n (log, partition, sequence) VALUES ($1, $2, $3)
ON CONFLICT (log, partition) DO UPDATE SET sequence = n.sequence + excluded.sequence
RETURNING sequence - $3
"""


@dataclass(frozen=True, slots=True)
class Emission:
    """An event to be said. `id` is derived from its cause (`contracts.ids.derived_id`), so that a retry says the same.

    `recordedtime` is that of the event that caused it (`causationid`): an outbox has no clock. `subject` None: a reference
    event such as a tick's echo, which its service emits in every partition by itself.
    """

    data: Data
    id: str
    subject: str | None
    time: datetime
    recordedtime: datetime
    causationid: str | None = None
    traceparent: str | None = None


class Outbox:
    """The log `log` (a topic's name) of the service `source`."""

    def __init__(self, log: str, source: str) -> None:
        self.log = log
        self.source = source

    async def emit(self, connection: Connection, partition: int, emissions: Sequence[Emission]) -> int:
        """Append to one partition inside the caller's transaction; the sequence of the first.

        Holds the partition's `next_out` row until that transaction ends: call it last (lock order: cursor, serving, next_out).
        """
        first: int = await connection.fetchval(TAKE, self.log, partition, len(emissions))
        if emissions:
            await connection.copy_records_to_table(
                "outbox", schema_name="public", columns=COLUMNS, records=self._rows(partition, first, emissions)
            )
        return first

    def _rows(self, partition: int, first: int, emissions: Iterable[Emission]) -> list[tuple[object, ...]]:
        return [
            (self.log, partition, sequence, e.recordedtime, e.data.TYPE, e.subject, e.traceparent, self._record(e, sequence))
            for sequence, e in enumerate(emissions, first)
        ]

    def _record(self, emission: Emission, sequence: int) -> bytes:
        """The record's bytes: an outbox's position in its partition is the sequence."""
        prepared = prepare(
            emission.data,
            id=emission.id,
            source=self.source,
            time=emission.time,
            subject=emission.subject,
            causationid=emission.causationid,
        )
        return finish(prepared, sequence, timestamp(emission.recordedtime))
