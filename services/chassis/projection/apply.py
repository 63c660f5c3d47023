"""The one transaction in which a batch of a partition is applied: cursor locked, fold, save, outbox, cursor moved.

Lock order everywhere: cursor, serving, next_out. A crash between two transactions loses nothing and repeats nothing,
because what is next is read from the cursor row, under its lock, and from nowhere else.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from itertools import chain
from typing import Generic, TypeVar

from services.chassis.log.outbox import Outbox
from services.chassis.postgres import Connection, Pool
from services.chassis.projection import cursor as cursors
from services.chassis.projection import history, parking, serving, waiting
from services.chassis.projection.chunk import Chunk, take, tick_of
from services.chassis.projection.cursor import Cursor, Sweep
from services.chassis.projection.digest import Digest
from services.chassis.projection.fold import Folding, subjects_of
from services.chassis.projection.reference import Reference, World
from services.chassis.projection.serving import schema_of
from services.chassis.projection.view import Entry, Scope, View, by_subject, told_of

S = TypeVar("S")

# Entries a transaction. Larger batches save round trips; this many hold the cursor's lock for well under a second.
BATCH = 2000
# Students a transaction of a sweep (design §3). More would make a reader of the cursor row wait.
SWEEP = 500


@dataclass(frozen=True, slots=True)
class Applied:
    """What became of a call: the cursor, and the inputs that stand at a cut, whose later entries were dropped."""

    cursor: Cursor
    held: frozenset[int]


class Applier(Generic[S]):
    """Applies entries to one generation of a view. One instance serves all partitions that a worker has claimed."""

    guard = True  # the cursor's compare; the control of the fault tests overrides it, and must fail

    def __init__(self, pool: Pool, view: View[S], generation: int, *, batch: int = BATCH, sweep: int = SWEEP) -> None:
        self._pool = pool
        self._view = view
        self._batch = batch
        self._sweep = sweep
        self._epochs: dict[int, int] = {}
        self._partitions = 0  # 0: not read yet
        self._brake = parking.Brake()
        self.generation = generation
        self.reference = Reference()
        self.parked = 0  # students parked by this instance

    async def claim(self, partition: int) -> Cursor:
        """Take the partition over from whoever owned it, and know its reference state."""
        async with self._transaction() as connection:
            cursor = await cursors.claim(connection, partition)
            await history.load(connection, self.reference)
        self._epochs[partition] = cursor.owner_epoch
        return cursor

    async def apply(self, partition: int, entries: Sequence[Entry]) -> Applied:
        """Apply what is next of these entries, in as many transactions as their turns and cuts ask for.

        Raises `Gap` when an entry is missing, `Lost` when the partition was claimed by another worker.
        """
        rest: Sequence[Entry] = entries
        held: frozenset[int] = frozenset()
        while True:
            cursor, chunk = await self._apply_next(partition, rest)
            held |= chunk.held
            if cursor.sweep is None:
                rest = chunk.rest
            if not rest:
                return Applied(cursor, held)

    async def _apply_next(self, partition: int, entries: Sequence[Entry]) -> tuple[Cursor, Chunk]:
        async with self._transaction() as connection:
            cursor = await cursors.lock(connection, partition, self._epochs.get(partition))
            self._partitions = self._partitions or await cursors.count(connection)
            served = await serving.share(connection)
            chunk = take(
                cursor,
                entries,
                cut=served.cuts(self.generation),
                limit=self._batch,
                is_turn=self._is_turn,
                guard=self.guard,
            )
            muted = served.generation != self.generation
            if chunk.turn:
                cursor = await self._turn(connection, cursor, chunk.entries[0], muted=muted)
            elif chunk.entries:
                cursor = await self._fold(connection, cursor, chunk.entries, muted=muted)
        return cursor, chunk

    # A chunk of entries that move one student each, or none.

    async def _fold(self, connection: Connection, cursor: Cursor, entries: Sequence[Entry], *, muted: bool) -> Cursor:
        references = [entry for entry in entries if entry.event.subject is None]
        told = [told_of(entry, self._partitions) for entry in entries]
        await self._write_references(connection, cursor.partition, references)
        folding = await self._load(connection, cursor.partition, list(chain.from_iterable(told)), whole=False)
        dated: list[tuple[Entry, dt.date]] = []
        after = cursor
        for entry, turns in zip(entries, told, strict=True):
            world = self._world(after, entry)
            for turn in turns:
                date = self._view.effective_on(turn) if turn.input == 0 else None
                if date is not None and date > world.date and turn.subject not in folding.parked:
                    dated.append((turn, date))
                else:
                    folding.evolve(turn, world)
            after = self._pass(folding, after, entry)
        moved = await waiting.wait(connection, cursor.partition, dated)
        return await self._write(connection, folding, after, moved, muted=muted)

    # An entry that may move many students: applied in steps, the cursor holding how far it has come.

    async def _turn(self, connection: Connection, cursor: Cursor, entry: Entry, *, muted: bool) -> Cursor:
        sweep = cursor.sweep or Sweep(0, "")
        if cursor.sweep is None:
            await self._write_references(connection, cursor.partition, [entry])
        scopes = self._scopes(entry)
        if sweep.step == 0:
            folding, moved, complete = await self._bring_in(connection, cursor.partition, entry)
            after = ""
        else:
            folding, after, complete = await self._refold(connection, cursor.partition, entry, scopes[sweep.step - 1], sweep.after)
            moved = Digest()
        if not complete:
            position = replace(cursor, sweep=Sweep(sweep.step, after))
        elif sweep.step < len(scopes):
            position = replace(cursor, sweep=Sweep(sweep.step + 1, ""))
        else:
            position = self._pass(folding, cursor, entry)
        return await self._write(connection, folding, position, moved, muted=muted)

    async def _bring_in(self, connection: Connection, partition: int, tick: Entry) -> tuple[Folding[S], Digest, bool]:
        """Step 0 of a turn: the dated events that this midnight has reached, in order of date and position."""
        if tick_of(tick) is None:
            return Folding(self._view, partition, {}, set()), Digest(), True
        world = self.reference.at(tick.position)
        due, moved = await waiting.take_due(connection, partition, world.date, self._sweep)
        folding = await self._load(connection, partition, due, whole=False)
        for entry in due:
            folding.evolve(entry, world, trigger=tick)
        return folding, moved, len(due) < self._sweep

    async def _refold(
        self, connection: Connection, partition: int, entry: Entry, scope: Scope, after: str
    ) -> tuple[Folding[S], str, bool]:
        """One batch of a scope's students, in order of pseudonym."""
        subjects = await self._view.affected(connection, partition, scope, after, self._sweep)
        world = self.reference.at(entry.position)
        parked = await parking.among(connection, subjects)
        before = await self._view.load(
            connection, partition, {subject: () for subject in subjects if subject not in parked}, whole=True
        )
        folding = Folding(self._view, partition, before, parked)
        for subject in subjects:
            folding.refold(subject, entry, world)
        return folding, subjects[-1] if subjects else "", len(subjects) < self._sweep

    def _scopes(self, entry: Entry) -> Sequence[Scope]:
        """Whom a turn moves, in a fixed order: computed from the entry and earlier versions alone, so a resumed sweep agrees."""
        before, after = self.reference.at(entry.position - 1), self.reference.at(entry.position)
        if tick_of(entry) is not None:
            return self._view.moved_at(before, after) if before.date != after.date else ()
        version = history.version_of(self._view, entry)
        scope = self._view.moved_by(version, before, after) if version else None
        return (scope,) if scope is not None else ()

    def _is_turn(self, entry: Entry) -> bool:
        """Whether an entry may move many students. Knowing a version before its transaction is harmless: it never changes."""
        if entry.input != 0 or entry.event.subject is not None:
            return False
        tick = tick_of(entry)
        if tick is not None:
            return tick.date != self.reference.at(entry.position - 1).date
        version = history.version_of(self._view, entry)
        if version is not None:
            self.reference.add(version)
        return bool(self._scopes(entry))

    # What every transaction reads and writes.

    async def _load(self, connection: Connection, partition: int, entries: Sequence[Entry], *, whole: bool) -> Folding[S]:
        parked = await parking.among(connection, subjects_of(entries)) if entries else set()
        asked = by_subject(entry for entry in entries if entry.subject not in parked)
        before = await self._view.load(connection, partition, asked, whole=whole) if asked else {}
        return Folding(self._view, partition, before, parked)

    async def _write(self, connection: Connection, folding: Folding[S], cursor: Cursor, moved: Digest, *, muted: bool) -> Cursor:
        changes = folding.changes()
        if changes:
            moved += await self._view.save(connection, cursor.partition, changes)
        if folding.newly_parked:
            self._brake.park(cursor.partition, folding.parked_times)
            await parking.park(connection, folding.newly_parked)
            self.parked += len(folding.newly_parked)
        if folding.queued:
            moved += await parking.enqueue(connection, cursor.partition, folding.queued)
        if folding.emissions and not muted and self._view.output is not None:
            await outbox_of(self._view).emit(connection, cursor.partition, folding.emissions)
        cursor = cursor.with_digest(moved)
        await cursors.move(connection, cursor)
        return cursor

    def _pass(self, folding: Folding[S], cursor: Cursor, entry: Entry) -> Cursor:
        """The cursor past an entry; a tick that is now passed on every input is echoed."""
        passed = cursor.past(entry.input, entry.sequence, entry.position, entry.offset)
        tick = tick_of(entry)
        if tick is None:
            return passed
        passed = passed.ticked(entry.input, tick.time)
        if passed.common_tick is not None and passed.common_tick != cursor.common_tick:
            folding.echo(entry, tick)
        return passed

    def _world(self, cursor: Cursor, entry: Entry) -> World:
        """What a fold may know: at its own position for the log's events, at the log's last applied one for another topic's."""
        return self.reference.at(entry.position if entry.input == 0 else cursor.positions[0])

    async def _write_references(self, connection: Connection, partition: int, entries: Sequence[Entry]) -> None:
        kept: list[Entry] = []
        for entry in entries:
            if entry.input == 0:
                wanted = await history.keep(connection, self.reference, self._view, entry)
            else:
                wanted = tick_of(entry) is None  # another topic's: no version of this log's, but rows that SQL reads
            if wanted:
                kept.append(entry)
        if kept:
            await self._view.apply_reference(connection, partition, kept)

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[Connection]:
        async with self._pool.acquire() as connection, connection.transaction():
            await serving.set_path(connection, schema_of(self._view.name, self.generation))
            yield connection


def outbox_of(view: View[S]) -> Outbox:
    """The outbox of a view that has an output topic. Its events' source is the service: `cairn:mastery`."""
    assert view.output is not None, "only a view with an output topic says anything"
    return Outbox(view.output.name, f"cairn:{view.name}")


async def scan(connection: Connection, view: View[S], partition: int) -> Digest:
    """A partition's digest computed from all its rows, the view's and the engine's: what the cursor's must equal."""
    mine = await view.scan(connection, partition)
    return mine + await parking.scan(connection, partition) + await waiting.scan(connection, partition)
