"""Which drafts of a batch are new, which were sent before, which conflict; and what that adds to the counters. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import Enum

from services.evidence.domain import Batch, Draft, Hold, Refusal

# What makes an event unique in the ledger: (day, source, id). What makes it unique among the held: (source, id).
Key = tuple[date, str, str]
Pair = tuple[str, str]
# The code of what is refused because it is about a record of another student.
OTHER_STUDENT = "other-student"
# How much later than it happened a piece may be recorded without counting as late on its publisher's scorecard.
LATE = timedelta(days=7)


class Standing(Enum):
    """How an item stands after the ledger has looked at it, and the counter that it adds to."""

    ACCEPTED = "accepted", "accepted"
    DUPLICATE = "duplicate", "duplicate"
    CONFLICTING = "conflicting", "rejected"
    ABANDONED = "abandoned", "rejected"
    FOREIGN = "foreign", "rejected"
    HELD = "held", "held"
    HELD_ALREADY = "held already", "duplicate"

    def __init__(self, _: str, counter: str) -> None:
        self.counter = counter


# What is refused for its own sake, and refuses the atomic batch that it is in.
REFUSING = (Standing.CONFLICTING, Standing.FOREIGN)


@dataclass(slots=True)
class Counts:
    """What to add to a publisher's counters. Always received = accepted + duplicate + rejected + held.

    `late`: of the accepted, those that happened more than `LATE` before they were recorded.
    """

    received: int = 0
    accepted: int = 0
    duplicate: int = 0
    rejected: int = 0
    held: int = 0
    late: int = 0

    def add(self, counter: str, count: int = 1, *, released: bool = False) -> None:
        """So many more of one outcome. Items that were released from `held` were received when they came."""
        if released:
            self.held -= count
        else:
            self.received += count
        setattr(self, counter, getattr(self, counter) + count)


@dataclass(frozen=True, slots=True)
class Past:
    """What the ledger knows of a batch's keys.

    `seen`: position and submissionhash of what is in the log; `waiting`: submissionhash of what is held; `released`: what this
    transaction has taken from the held, to be appended or refused.
    """

    seen: Mapping[Key, tuple[int, bytes]]
    waiting: Mapping[Pair, bytes] = field(default_factory=dict)
    released: Set[Pair] = frozenset()


@dataclass(slots=True)
class Sifted:
    """What becomes of a batch: what to append, hold and keep as refused; the standing and position of each draft, then hold."""

    accepted: list[Draft] = field(default_factory=list)
    holds: list[Hold] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    standings: list[tuple[Standing, int | None]] = field(default_factory=list)
    counts: dict[str, Counts] = field(default_factory=dict)


def count_late(sifted: Sifted, now: datetime) -> None:
    """Count what is accepted now, and happened more than `LATE` ago."""
    line = now - LATE
    for draft in sifted.accepted:
        if draft.occurred is not None and draft.occurred < line:
            sifted.counts[draft.publisher].late += 1


def key_of(item: Draft | Hold) -> Key:
    return item.day, item.source, item.id


def sift(batch: Batch, past: Past, first: int) -> Sifted:
    """Decide over a batch whose first new event will be at position `first`."""
    sifted = _sorted_out(batch, past, first)
    if batch.atomic and (batch.refusals or any(standing in REFUSING for standing, _ in sifted.standings)):
        sifted = _abandoned(sifted)
    sifted.refusals = [each for each in batch.refusals if not each.held or (each.source, each.id) in past.released]
    _count(batch, sifted, set(past.released))
    sifted.refusals += _refused_after_all(batch, sifted)
    return sifted


def _sorted_out(batch: Batch, past: Past, first: int) -> Sifted:
    """Each item against the past, and against what came before it in the batch."""
    sifted = Sifted()
    seen, waiting = dict(past.seen), dict(past.waiting)
    begun: dict[Pair, str | None] = {}
    position = first
    for draft in batch.drafts:
        key = (draft.day, draft.source, draft.id)
        standing = _known(draft, seen.get(key), waiting)
        if standing is None and draft.held and key[1:] not in past.released:
            standing = Standing.ABANDONED, None
        if standing is None and _is_foreign(draft, begun):
            standing = Standing.FOREIGN, None
        if standing is None:
            standing = Standing.ACCEPTED, position
            seen[key] = position, draft.submissionhash
            sifted.accepted.append(draft)
            position += 1
        sifted.standings.append(standing)
    for hold in batch.holds:
        pair = (hold.source, hold.id)
        if (standing := _known(hold, seen.get(key_of(hold)), waiting)) is None:
            standing = (Standing.HELD_ALREADY if pair in waiting else Standing.HELD), None
            if pair not in waiting:
                waiting[pair] = hold.submissionhash
                sifted.holds.append(hold)
        sifted.standings.append(standing)
    return sifted


def _is_foreign(draft: Draft, begun: dict[Pair, str | None]) -> bool:
    """Whether the draft would begin a record under a key under which this batch has begun one of another student."""
    link = draft.link
    if link is None or link.sourcekey is None or link.record is not None:
        return False
    return begun.setdefault((draft.source, link.sourcekey), draft.subject) != draft.subject


def _known(item: Draft | Hold, seen: tuple[int, bytes] | None, waiting: Mapping[Pair, bytes]) -> tuple[Standing, int | None] | None:
    """The standing of an item whose like is in the log, or with other content among the held; None for any other.

    A draft whose equal is held is new: the held one becomes its duplicate when it is released.
    """
    if seen is not None:
        position, submissionhash = seen
        return (Standing.DUPLICATE if submissionhash == item.submissionhash else Standing.CONFLICTING), position
    if waiting and waiting.get((item.source, item.id), item.submissionhash) != item.submissionhash:
        return Standing.CONFLICTING, None
    return None


def _abandoned(sifted: Sifted) -> Sifted:
    """All or none, and it is none: what does not conflict itself is given up with the rest."""
    standings: list[tuple[Standing, int | None]] = [
        (standing, at) if standing in REFUSING else (Standing.ABANDONED, None) for standing, at in sifted.standings
    ]
    return Sifted(standings=standings)


def _count(batch: Batch, sifted: Sifted, released: set[Pair]) -> None:
    """Each item once. What was to be released and is held no more was counted by whoever took it."""
    items: tuple[Draft | Hold, ...] = batch.drafts + batch.holds
    freed: list[tuple[str, str]] = []
    came: list[tuple[str, str]] = [(each.publisher, "rejected") for each in sifted.refusals if not each.held]
    for item, (standing, _) in zip(items, sifted.standings, strict=True):
        if not (isinstance(item, Draft) and item.held):
            came.append((item.publisher, standing.counter))
        elif (item.source, item.id) in released:
            released.remove((item.source, item.id))
            freed.append((item.publisher, standing.counter))
    freed += [(each.publisher, "rejected") for each in sifted.refusals if each.held]
    for moved, was_held in ((came, False), (freed, True)):
        for (publisher, counter), count in Counter(moved).items():
            sifted.counts.setdefault(publisher, Counts()).add(counter, count, released=was_held)


def _refused_after_all(batch: Batch, sifted: Sifted) -> list[Refusal]:
    """Conflicts, and what was given up with them, are kept like any refusal."""
    if len(sifted.accepted) == len(sifted.standings):
        return []
    items: tuple[Draft | Hold, ...] = batch.drafts + batch.holds
    refusals = []
    for item, (standing, _) in zip(items, sifted.standings, strict=True):
        if standing is Standing.CONFLICTING:
            refusals.append(_refusal(item, "conflict", "/id", "the content first sent under this source and id, or a new id"))
        elif standing is Standing.FOREIGN:
            refusals.append(_refusal(item, OTHER_STUDENT, "/sourcekey", "a key of no other student's record"))
        elif standing is Standing.ABANDONED and batch.atomic:
            refusals.append(_refusal(item, "abandoned", "", "an atomic batch in which every item is good"))
    return refusals


def _refusal(item: Draft | Hold, code: str, pointer: str, expected: str) -> Refusal:
    return Refusal(item.publisher, item.source, item.id, code, pointer, expected, item.payload)
