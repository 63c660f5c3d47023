"""Merging two pseudonyms into one person, and unmerging them: one transaction under the head's lock.

The merge counter is raised, the vault's identifiers lead elsewhere, evidence is copied and one event tells it: all or nothing.
An append that was prepared before resolves its identifiers again. Must not: name a person, or look into a view.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import orjson

from contracts.codec import decode, prepare
from contracts.envelope import Data
from contracts.events import StudentMerged, StudentUnmerged
from contracts.events.identities import MergeReason, UnmergeReason
from contracts.ids import derived_id
from services.chassis.errors import Rejected
from services.chassis.postgres import Connection
from services.evidence.admit import hashed, keyed
from services.evidence.deduplication import Counts
from services.evidence.domain import Draft
from services.evidence.grants import DISTRICT
from services.evidence.ledger import Ledger
from services.evidence.sequencing import Head, Row, crosses, number, number_tick
from services.evidence.store import ledger as store
from services.evidence.store import merges, records, roster, vault
from services.evidence.stories import Story, Told, copy_for, given, story_of

# Pseudonyms of one person. An event of hers names all who hold it, and a person with more is a mistake.
MOST_MERGED = 16


@dataclass(frozen=True, slots=True)
class Done:
    """The position of the event that tells it, and how many copies stand before that. `duplicate`: it was so already."""

    position: int
    copies: int = 0
    duplicate: bool = False


class Merging:
    """Merges and unmerges students. `key` is the vault's key of submission hashes."""

    def __init__(self, ledger: Ledger, key: bytes) -> None:
        self._ledger = ledger
        self._sameness = keyed(key)

    async def merge(self, other: str, survivor: str, actor: str, reason: MergeReason) -> Done:
        """From now on whoever is called `other` is `survivor`. Raises `Rejected` if one of them is merged into somebody else."""

        async def work(connection: Connection, head: Head, now: datetime) -> tuple[Done, Head]:
            if (known := await merges.of(connection, other)) is not None and known.survivor == survivor:
                return Done(known.position, duplicate=True), head
            await _check_merge(connection, other, survivor, known)
            copies = given(await _story(connection, other, head), await _story(connection, survivor, head))
            event = StudentMerged(other=other, copies=len(copies), reason=reason)
            writing = _Writing(connection, head, now, survivor, copies)
            told = self._event(event, survivor, other, actor, writing)
            after = await writing.write(told)
            await merges.merge(connection, other, survivor, writing.position)
            await roster.end(connection, other)
            await vault.lead(connection, other, survivor)
            return Done(writing.position, len(copies)), after

        return await self._ledger.under_lock(work)

    async def unmerge(self, other: str, actor: str, reason: UnmergeReason) -> Done:
        """`other` is somebody again. Raises `Rejected` if she was never merged, or if the survivor is merged herself by now."""

        async def work(connection: Connection, head: Head, now: datetime) -> tuple[Done, Head]:
            if (known := await merges.of(connection, other)) is None:
                return Done(await _last_unmerge(connection, other, head), duplicate=True), head
            survivor = known.survivor
            if await merges.of(connection, survivor) is not None:
                raise Rejected("survivor-merged", "a survivor who is merged into nobody since: unmerge her first")
            returned = tuple(await merges.within(connection, other))
            copies = given(await _story(connection, survivor, head), await _story(connection, other, head), returned)
            event = StudentUnmerged(other=other, returned=returned, copies=len(copies), reason=reason)
            writing = _Writing(connection, head, now, other, copies)
            told = self._event(event, survivor, other, actor, writing)
            after = await writing.write(told)
            await merges.unmerge(connection, other)
            await vault.give_back(connection, survivor, other, returned)
            return Done(writing.position, len(copies)), after

        return await self._ledger.under_lock(work)

    def _event(self, data: Data, survivor: str, other: str, actor: str, writing: _Writing) -> Draft:
        """The one event that tells it, to both. Its id is derived from what it follows on: the same decision is the same event."""
        source = DISTRICT.name
        id = derived_id(data.TYPE, survivor, other, writing.head.merges)
        meaning = {"id": id, "subject": survivor, "actor": actor, "data": data.model_dump(mode="json")}
        sameness = hashed(self._sameness, orjson.dumps(meaning, option=orjson.OPT_SORT_KEYS))
        envelope = {"subject": survivor, "sharedwith": other, "actor": actor, "submissionhash": sameness.hex()}
        prepared = prepare(data, id=id, source=source, time=writing.now, **envelope)
        day = writing.now.date()
        return Draft(source, source, id, day, survivor, data.TYPE, sameness, prepared, merges=0, sharedwith=(other,))


class _Writing:
    """What one merge or unmerge writes to the log: copies for their receiver, then the event that brings them to life."""

    def __init__(self, connection: Connection, head: Head, now: datetime, receiver: str, copies: Sequence[Told]) -> None:
        self._connection = connection
        self._receiver = receiver
        self._copies = copies
        self.head = head
        self.now = now
        ticks, ticked = number_tick(head, now) if crosses(head, now) else ([], head)
        self._ticks: list[Row] = ticks
        self._ticked = ticked
        self.position = ticked.position + len(copies)  # of the event

    async def write(self, event: Draft) -> Head:
        """Append all of it, count the event and not the copies; the head after it."""
        copies = [copy_for(self._receiver, told) for told in self._copies]
        rows, after = number(self._ticked, [*copies, event], self.now)
        after = replace(after, merges=self.head.merges + 1)
        await store.append(self._connection, self._ticks + rows)
        await store.remember(self._connection, [event], self.position)
        await records.remember(self._connection, [event], self.position)
        await merges.keep_copies(self._connection, self._receiver, [told.place for told in self._copies], rows[0][0])
        await store.move_head_and_count(self._connection, after, {DISTRICT.name: Counts(received=1, accepted=1)})
        return after


async def _check_merge(connection: Connection, other: str, survivor: str, known: merges.Merge | None) -> None:
    if other == survivor:
        raise Rejected("same-student", "two pseudonyms")
    if known is not None:
        raise Rejected("merged-already", "a student who is merged into nobody: unmerge her first")
    if await merges.of(connection, survivor) is not None:
        raise Rejected("survivor-merged", "a survivor who is merged into nobody: name the one she is merged into")
    together = len(await merges.within(connection, other)) + len(await merges.within(connection, survivor))
    if together > MOST_MERGED:
        raise Rejected("too-many-merged", f"at most {MOST_MERGED} pseudonyms of one person")


async def _story(connection: Connection, student: str, head: Head) -> Story:
    return story_of(student, map(decode, await merges.story(connection, student, head.position)))


async def _last_unmerge(connection: Connection, other: str, head: Head) -> int:
    """The position at which she was unmerged last."""
    events = map(decode, await merges.story(connection, other, head.position))
    found = [int(event.position) for event in events if isinstance(event.data, StudentUnmerged) and event.data.other == other]
    if not found:
        raise Rejected("not-merged", "a student who is merged into another")
    return found[-1]
