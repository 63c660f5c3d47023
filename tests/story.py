"""A log in memory, written the way the ledger writes it: what tests of folds are told in."""

from __future__ import annotations

import datetime as dt

from contracts.codec import decode, finish, prepare, timestamp
from contracts.envelope import Data
from contracts.events import EvidenceSubmitted, LogOpened, LogTicked
from contracts.ids import partition_of
from services.chassis.projection.view import Entry

BEGINNING = dt.datetime(2026, 9, 1, 8, tzinfo=dt.UTC)


def a_student(number: int) -> str:
    """A pseudonym that is easy to tell apart."""
    return f"s-{number:026d}"


class Story:
    """Events appended one after another; `entries(partition)` is what that partition of the topic holds."""

    def __init__(self, partitions: int = 2) -> None:
        self.partitions = partitions
        self.position = 0
        self.now = BEGINNING
        self._entries: list[list[Entry]] = [[] for _ in range(partitions)]
        self.tell(LogOpened(log="test", partitions=partitions, timezone="America/New_York"))

    def entries(self, partition: int) -> list[Entry]:
        """A partition's entries so far, in order."""
        return list(self._entries[partition])

    def tell(
        self,
        data: Data,
        *,
        student: str | None = None,
        time: dt.datetime | None = None,
        id: str | None = None,
        source: str = "app:test",
        **extensions: str | int | None,
    ) -> int:
        """Append an event: to the partitions of the students who hold it, or to every one. Its position."""
        self.now += dt.timedelta(milliseconds=10)
        id = id or f"event-{self.position}"
        prepared = prepare(data, id=id, source=source, time=time or self.now, subject=student, **extensions)
        record = finish(prepared, self.position, timestamp(self.now))
        holders = decode(record).holders
        placed = sorted({partition_of(holder, self.partitions) for holder in holders}) if holders else range(self.partitions)
        for partition in placed:
            entries = self._entries[partition]
            entries.append(Entry(0, partition, len(entries), self.position, len(entries), decode(record), record))
        self.position += 1
        return self.position - 1

    @property
    def records(self) -> list[bytes]:
        """The whole log, in order of position."""
        return [
            record for _, record in sorted({entry.position: entry.record for entries in self._entries for entry in entries}.items())
        ]

    def evidence(self, student: str, score: int, competency: str = "MA.1", *, time: dt.datetime | None = None) -> None:
        """Append a piece of evidence, `score` in thousandths."""
        data = EvidenceSubmitted(framework="hs", competency=competency, score_thousandths=score, scale="d4")
        self.tell(data, student=student, time=time)

    def tick(self, *, days: int = 0) -> dt.date:
        """Let time pass: a tick a second later, or some days later, whose date is returned."""
        self.now += dt.timedelta(days=days, seconds=1)
        self.tell(LogTicked(time=self.now.replace(microsecond=0), date=self.now.date()))
        return self.now.date()
