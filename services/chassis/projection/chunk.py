"""What of the entries that were read may be applied next, in one transaction. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from contracts.events import LogTicked
from services.chassis.projection.cursor import Cursor, Gap
from services.chassis.projection.view import Entry


@dataclass(frozen=True, slots=True)
class Chunk:
    """`entries` are to be applied; a `turn` is one entry alone, since it may move many students. `rest` is left to read again.

    `held` are the inputs that stand at the cut: what they gave beyond it is dropped, and read again when the cut is lifted.
    """

    entries: tuple[Entry, ...]
    turn: bool
    rest: tuple[Entry, ...]
    held: frozenset[int]


def tick_of(entry: Entry) -> LogTicked | None:
    """The entry's tick, if it is one."""
    return entry.event.data if isinstance(entry.event.data, LogTicked) else None


def take(
    cursor: Cursor,
    entries: Sequence[Entry],
    *,
    cut: dt.datetime | None,
    limit: int,
    is_turn: Callable[[Entry], bool],
    guard: bool = True,
) -> Chunk:
    """The next chunk for a cursor. Entries below the next sequence are ignored; one above it raises `Gap`.

    No input goes past its first tick after `cut`. A turn stands alone. `guard` is off in one test only, which must then fail.
    """
    taken: list[Entry] = []
    held: set[int] = set()
    nexts = list(cursor.next)
    ticks = list(cursor.ticks)
    for index, entry in enumerate(entries):
        if cut is not None and (tick := ticks[entry.input]) is not None and tick > cut:
            held.add(entry.input)
            continue
        if guard and entry.sequence < nexts[entry.input]:
            continue
        if guard and entry.sequence > nexts[entry.input]:
            if taken:
                return Chunk(tuple(taken), False, tuple(entries[index:]), frozenset(held))
            raise Gap(entry.input, entry.partition, nexts[entry.input], entry.sequence)
        if len(taken) == limit or (taken and is_turn(entry)):
            return Chunk(tuple(taken), False, tuple(entries[index:]), frozenset(held))
        if is_turn(entry):
            return Chunk((entry,), True, tuple(entries[index + 1 :]), frozenset(held))
        taken.append(entry)
        nexts[entry.input] = entry.sequence + 1
        if (passed := tick_of(entry)) is not None:
            ticks[entry.input] = passed.time
    return Chunk(tuple(taken), False, (), frozenset(held))
