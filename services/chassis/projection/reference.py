"""Reference state as versions: what a fold at position p may know of frameworks, scales, policies, schools and the date.

Versions are keyed (kind, id, position) and never change, so a fold at p reads the same ones live, in a redrive and in a
rebuild. One `Reference` is shared by all partitions of a generation in a process; a partition only ever asks at positions
it has itself reached, so what another partition has read ahead stays out of sight.
"""

from __future__ import annotations

import datetime as dt
from bisect import bisect_right, insort
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

from contracts.envelope import Data

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a thing: the data of the reference event at `position`."""

    kind: str
    id: str
    position: int
    data: Data


@dataclass(slots=True)
class _History:
    positions: list[int] = field(default_factory=list)
    versions: dict[int, Version] = field(default_factory=dict)

    def at(self, position: int) -> Version | None:
        index = bisect_right(self.positions, position)
        return self.versions[self.positions[index - 1]] if index else None


class Reference:
    """All versions and dates known to a generation. Adding is idempotent."""

    def __init__(self) -> None:
        self._things: dict[str, dict[str, _History]] = {}
        self._dates: list[tuple[int, dt.date]] = []
        self._turns: list[int] = []  # every position at which anything changed, ascending
        self._memo: dict[Hashable, object] = {}

    def add(self, version: Version) -> None:
        """Know a version, whichever partition brings it first."""
        history = self._things.setdefault(version.kind, {}).setdefault(version.id, _History())
        if version.position not in history.versions:
            insort(history.positions, version.position)
            history.versions[version.position] = version
            self._turn(version.position)

    def add_date(self, position: int, date: dt.date) -> None:
        """Know that the tick at `position` was the first of a local date."""
        if (position, date) not in self._dates:
            insort(self._dates, (position, date))
            self._turn(position)

    def at(self, position: int) -> World:
        """What a fold at `position` may know."""
        index = bisect_right(self._turns, position)
        return World(self, self._turns[index - 1] if index else -1)

    def _turn(self, position: int) -> None:
        index = bisect_right(self._turns, position)
        if not (index and self._turns[index - 1] == position):
            self._turns.insert(index, position)
        # A version that comes late to this process can lie before what was already remembered.
        self._memo.clear()


@dataclass(frozen=True, slots=True)
class World:
    """The reference state at a position, which is rounded down to the last one at which anything changed."""

    reference: Reference
    position: int

    @property
    def date(self) -> dt.date:
        """The local date: that of the last midnight before this position (`date.min` before the first tick)."""
        dates = self.reference._dates
        index = bisect_right(dates, (self.position, dt.date.max))
        return dates[index - 1][1] if index else dt.date.min

    def get(self, kind: str, id: str) -> Version | None:
        """The last version of a thing, or None."""
        history = self.reference._things.get(kind, {}).get(id)
        return history.at(self.position) if history else None

    def all(self, kind: str) -> Iterator[Version]:
        """The last version of each thing of a kind, in order of id."""
        for id in sorted(self.reference._things.get(kind, {})):
            if (version := self.get(kind, id)) is not None:
                yield version

    def history(self, kind: str) -> list[Version]:
        """Every version of every thing of a kind up to here, in order of position."""
        things = self.reference._things.get(kind, {}).values()
        return sorted(
            (version for thing in things for version in thing.versions.values() if version.position <= self.position),
            key=lambda version: version.position,
        )

    def remember(self, key: Hashable, compute: Callable[[], T]) -> T:
        """`compute()`, computed once for this world: for what is asked at every event (which policy is in force)."""
        memo = self.reference._memo
        full = (self.position, key)
        if full not in memo:
            memo[full] = compute()
        return memo[full]  # type: ignore[return-value]
