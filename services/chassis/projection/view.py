"""What a service supplies so that the engine can fold its view.

The engine owns order, exactly-once, parking, sweeps, dates, outbox and generations. A view owns its state: how one
student's is loaded, folded and saved. `evolve` and `refold` are pure: the same inputs give the same bits, whether the
events come one at a time, in batches or in a rebuild.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, Protocol, TypeVar

from contracts.envelope import Data, Event
from contracts.topics import Topic
from services.chassis.postgres import Connection
from services.chassis.projection.digest import Digest
from services.chassis.projection.reference import Version, World

S = TypeVar("S")


@dataclass(frozen=True, slots=True)
class Entry:
    """An event at its place: `input` indexes the view's inputs, `sequence` is dense in the partition, `position` orders the log.

    An event may be about several students (a merge). It is then folded once for each of them that the partition has, and
    `told` is the one whose turn it is.
    """

    input: int
    partition: int
    sequence: int
    position: int
    offset: int
    event: Event[Data]
    record: bytes
    traceparent: str | None = None
    told: str | None = None

    @property
    def subject(self) -> str | None:
        """The student whom this is about, None for a reference event."""
        return self.told or self.event.subject


@dataclass(frozen=True, slots=True)
class Step(Generic[S]):
    """What one event did to one student: her state after it, and what is to be told on the view's output topic."""

    state: S
    changes: tuple[Data, ...] = ()


@dataclass(frozen=True, slots=True)
class Change(Generic[S]):
    """A student's state before and after a transaction."""

    subject: str
    before: S
    after: S


# Whom a reference event or a midnight moves: a JSON object that the view understands, kept in the cursor row over crashes.
Scope = Mapping[str, Any]


class View(Protocol[S]):
    """A view of the log, one state a student. Everything it reads within a transaction it reads through `connection`."""

    @property
    def name(self) -> str:
        """Names the schemas (`mastery_g1`), the consumer groups and the source of what it says; a Python identifier."""
        ...

    @property
    def fold_version(self) -> int:
        """Raised when golden results change: a generation is folded by the version that made it, and by no other."""
        ...

    @property
    def inputs(self) -> tuple[Topic, ...]:
        """The topics it is folded from; the first is the evidence log, whose positions and dates it lives by."""
        ...

    @property
    def output(self) -> Topic | None:
        """The topic on which it tells changes and echoes ticks, if it does."""
        ...

    @property
    def tables(self) -> str:
        """DDL of a generation's tables, unqualified: the engine sets `search_path`."""
        ...

    async def load(
        self, connection: Connection, partition: int, asked: Mapping[str, Sequence[Entry]], *, whole: bool
    ) -> dict[str, S]:
        """The states of the students asked for, the initial state for one that is new.

        `asked` gives each student's entries to come, so that a view can leave out what they will not need;
        `whole` asks for everything a `refold` needs.
        """
        ...

    def evolve(self, state: S, entry: Entry, world: World) -> Step[S]:
        """Fold one event of a student. Pure. An exception parks the student; `Poison` names the reason."""
        ...

    def refold(self, state: S, entry: Entry, world: World) -> Step[S]:
        """Fold again what the reference event or tick `entry` moved. Pure."""
        ...

    async def save(self, connection: Connection, partition: int, changes: Sequence[Change[S]]) -> Digest:
        """Write the states, and whatever is summed over students; give what the digests move by."""
        ...

    def version_of(self, entry: Entry) -> tuple[str, str] | None:
        """The (kind, id) under which this view keeps a reference event, or None if it does not need it.

        Raises `Poison` for one that cannot be applied: it is void, the same way everywhere, and alarms.
        """
        ...

    def effective_on(self, entry: Entry) -> dt.date | None:
        """The date on which a student's event takes effect, if it has one: before that it waits for its tick."""
        ...

    def moved_by(self, version: Version, before: World, after: World) -> Scope | None:
        """Whose fold a new version changes from its own position on; None if nobody's, or not yet."""
        ...

    def moved_at(self, before: World, after: World) -> Sequence[Scope]:
        """Whose fold changes because the date moved between two worlds, in a fixed order."""
        ...

    async def affected(self, connection: Connection, partition: int, scope: Scope, after: str, limit: int) -> Sequence[str]:
        """The next `limit` students of a scope in this partition, in ascending order, above `after`."""
        ...

    async def apply_reference(self, connection: Connection, partition: int, entries: Sequence[Entry]) -> None:
        """Write rows for reference events that SQL reads (labels, calendars). Every partition brings them: insert if absent."""
        ...

    async def scan(self, connection: Connection, partition: int) -> Digest:
        """The digest of everything saved for a partition, computed from the rows: what the kept one must equal."""
        ...


def by_subject(entries: Iterable[Entry]) -> dict[str, list[Entry]]:
    """Students' entries, in order, by pseudonym."""
    grouped: dict[str, list[Entry]] = {}
    for entry in entries:
        grouped.setdefault(entry.subject or "", []).append(entry)
    return grouped


def told_of(entry: Entry, partitions: int) -> tuple[Entry, ...]:
    """An entry as it is folded: once for each student of its partition (of so many) whom it is about."""
    event = entry.event
    if event.subject is None:
        return ()
    if event.sharedwith is None:
        return (entry,)
    return tuple(replace(entry, told=holder) for holder in event.holders_in(entry.partition, partitions))
