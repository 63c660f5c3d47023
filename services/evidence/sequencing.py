"""From accepted drafts to rows of the log: positions, sequences, bytes, leaves, and the ticks between. Pure.

Everything here happens under the head's lock, so it does no more than it must for each event.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from hashlib import sha256
from zoneinfo import ZoneInfo

from contracts.codec import finish, prepare, timestamp
from contracts.events import LogOpened, LogTicked
from contracts.ids import partition_of
from services.evidence.domain import LOG_SOURCE, Draft

Sequences = tuple[int, ...]
# (position, recordedtime, partition, sequence, sequences, further, furthersequences, type, subject, traceparent, record), as the
# ledger's columns.
Row = tuple[
    int,
    datetime,
    int | None,
    int | None,
    Sequences | None,
    tuple[int, ...] | None,
    Sequences | None,
    str,
    str | None,
    str | None,
    bytes,
]


@dataclass(frozen=True, slots=True)
class Head:
    """Where the log ends. `position` and `sequences[p]` are the next ones; the last tick is at `tick` and carries `ticked`."""

    log: str
    timezone: str
    partitions: int
    position: int
    recordedtime: datetime
    tick: int
    ticked: datetime
    merges: int
    sequences: tuple[int, ...]

    def date(self, time: datetime) -> date:
        """The local date at `time` in the log's time zone."""
        return time.astimezone(ZoneInfo(self.timezone)).date()


def leaf_of(record: bytes) -> bytes:
    """The Merkle leaf hash of a record (RFC 9162 §2.1.1)."""
    return sha256(b"\x00" + record).digest()


def crosses(head: Head, recordedtime: datetime) -> bool:
    """Whether an append at this time crosses a whole second that no tick has told yet.

    A local midnight is a whole second too: the one tick that an append puts before itself tells of all that has passed.
    """
    return recordedtime.replace(microsecond=0) > head.ticked


def number(head: Head, drafts: Sequence[Draft], recordedtime: datetime) -> tuple[list[Row], Head]:
    """The rows of `drafts`, in their order, all recorded at this time; and the head after them."""
    text = timestamp(recordedtime)
    sequences = list(head.sequences)
    rows: list[Row] = []
    for position, draft in enumerate(drafts, head.position):
        record = finish(draft.prepared, position, text)
        if draft.subject is None:
            everywhere = tuple(sequences)
            place = (None, None, everywhere, None, None)
            rows.append((position, recordedtime, *place, draft.type, None, draft.traceparent, record))
            sequences = [sequence + 1 for sequence in sequences]
        else:
            partition = partition_of(draft.subject, head.partitions)
            sequence = sequences[partition]
            sequences[partition] = sequence + 1
            also, there = _further(draft, partition, sequences) if draft.sharedwith else (None, None)
            held = (partition, sequence, None, also, there)
            rows.append((position, recordedtime, *held, draft.type, draft.subject, draft.traceparent, record))
    return rows, replace(head, position=head.position + len(rows), recordedtime=recordedtime, sequences=tuple(sequences))


def _further(draft: Draft, partition: int, sequences: list[int]) -> tuple[tuple[int, ...] | None, Sequences | None]:
    """The other partitions that the draft's holders are in, ascending, and its sequence in each. Moves `sequences` past them."""
    also = tuple(sorted({partition_of(holder, len(sequences)) for holder in draft.sharedwith} - {partition}))
    if not also:
        return None, None
    there = tuple(sequences[each] for each in also)
    for each in also:
        sequences[each] += 1
    return also, there


def number_tick(head: Head, recordedtime: datetime) -> tuple[list[Row], Head]:
    """The row of a tick that tells the last whole second, and the head after it."""
    second = recordedtime.replace(microsecond=0)
    rows, after = number(
        head, [_own(LogTicked(time=second, date=head.date(second)), f"tick-{head.position}", second)], recordedtime
    )
    return rows, replace(after, tick=head.position, ticked=second)


def opened(log: str, partitions: int, timezone: str, recordedtime: datetime) -> tuple[list[Row], Head]:
    """The first row of a log, `log.opened`, and the head after it: no second has been told yet."""
    never = datetime.fromtimestamp(0, UTC)
    before = Head(log, timezone, partitions, 0, recordedtime, tick=-1, ticked=never, merges=0, sequences=(0,) * partitions)
    return number(
        before, [_own(LogOpened(log=log, partitions=partitions, timezone=timezone), "opened", recordedtime)], recordedtime
    )


def _own(data: LogOpened | LogTicked, id: str, time: datetime) -> Draft:
    """An event of the log's own: it has no publisher, is not counted, and is never sent twice."""
    prepared = prepare(data, id=id, source=LOG_SOURCE, time=time)
    return Draft(LOG_SOURCE, LOG_SOURCE, id, time.date(), None, data.TYPE, b"", prepared, merges=0)
