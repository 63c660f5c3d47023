"""The operations page's model: how far everything is, and whether the publishers' counters add up. Pure, like `domain`."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from services.reporting.figures import AsKnown


@dataclass(frozen=True, slots=True)
class PartitionProgress:
    """A partition of a projection or a relay. `next`: its next sequence; `behind`: how many sequences the log is ahead of that."""

    partition: int
    position: int | None
    next: int
    behind: int | None
    tick: dt.datetime | None


@dataclass(frozen=True, slots=True)
class Progress:
    """A projection or a relay. `answers` False: it could not be asked, and nothing else is known."""

    name: str
    answers: bool
    generation: int | None = None
    position: int | None = None
    time: dt.datetime | None = None
    parked: int | None = None
    partitions: tuple[PartitionProgress, ...] = ()

    @property
    def behind(self) -> int | None:
        """Sequences behind, all partitions together; None when that is not known."""
        known = [it.behind for it in self.partitions if it.behind is not None]
        return sum(known) if self.partitions and len(known) == len(self.partitions) else None


@dataclass(frozen=True, slots=True)
class LogHead:
    """The head of the log: the last position, when it was recorded, each partition's next sequence."""

    position: int
    recordedtime: dt.datetime
    next: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class PublisherCounters:
    """A publisher's counters: what it sent, and what became of it."""

    publisher: str
    received: int
    accepted: int
    duplicate: int
    rejected: int
    held: int

    @property
    def adds_up(self) -> bool:
        return self.received == self.accepted + self.duplicate + self.rejected + self.held


@dataclass(frozen=True, slots=True)
class Operations:
    """The operations page. `log` or `publishers` None: evidence does not answer.

    A relay's `next` is what readers of its topic have had already: it has sent at least that.
    """

    as_known: AsKnown
    log: LogHead | None
    relays: tuple[Progress, ...]
    projections: tuple[Progress, ...]
    publishers: tuple[PublisherCounters, ...] | None


def behind(heads: Sequence[int] | None, partition: int, next: int) -> int | None:
    """How far a partition's next sequence is behind the log's; None when the log's is not known. Never negative: the two
    are read one after the other."""
    return max(0, heads[partition] - next) if heads is not None and partition < len(heads) else None
