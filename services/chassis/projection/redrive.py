"""Redrive: fold a parked student's queue on from where she stands, position by position, once the cause is mended."""

from __future__ import annotations

import datetime as dt
import heapq
from dataclasses import dataclass
from typing import Any

from contracts.codec import decode
from services.chassis.errors import Rejected
from services.chassis.postgres import Connection, Pool
from services.chassis.projection import cursor as cursors
from services.chassis.projection import history, parking, serving, waiting
from services.chassis.projection.apply import outbox_of
from services.chassis.projection.cursor import Cursor
from services.chassis.projection.digest import Digest
from services.chassis.projection.fold import Folding
from services.chassis.projection.parking import Parked, Queued
from services.chassis.projection.reference import Reference
from services.chassis.projection.serving import schema_of
from services.chassis.projection.view import Entry, View


@dataclass(frozen=True, slots=True)
class Redriven:
    """How a redrive went: how many entries were folded, and where the student stands if she is parked again."""

    subject: str
    folded: int
    stands_before: int | None
    reason: str | None


async def redrive(pool: Pool, view: View[Any], generation: int, subject: str) -> Redriven:
    """Fold a parked student's queue in one transaction, until it is empty or an entry fails again.

    Raises `Rejected` if she is not parked in this generation.
    """
    async with pool.acquire() as connection, connection.transaction():
        await serving.set_path(connection, schema_of(view.name, generation))
        parked = await parking.find(connection, subject)
        if parked is None:
            raise Rejected("not-parked", "a student who is parked in this generation", status=404)
        cursor = await cursors.lock(connection, parked.partition, None)
        served = await serving.share(connection)
        return await _Redrive(connection, view, cursor, muted=served.generation != generation).run(parked)


class _Redrive:
    """One student's redrive, within its transaction."""

    def __init__(self, connection: Connection, view: View[Any], cursor: Cursor, *, muted: bool) -> None:
        self._connection = connection
        self._view = view
        self._cursor = cursor
        self._muted = muted
        self._reference = Reference()

    async def run(self, parked: Parked) -> Redriven:
        subject = parked.subject
        await history.load(self._connection, self._reference)
        states = await self._view.load(self._connection, parked.partition, {subject: ()}, whole=True)
        folding: Folding[Any] = Folding(self._view, parked.partition, states, set())
        done, moved = await self._fold(folding, await parking.queue_of(self._connection, subject))
        moved += await parking.release(self._connection, subject, done)
        stuck = folding.newly_parked[0] if folding.newly_parked else None
        if stuck is None:
            await parking.unpark(self._connection, subject)
        else:
            await parking.stand_before(self._connection, subject, stuck.position, stuck.reason)
        await self._write(folding, moved)
        return Redriven(subject, len(done), stuck.position if stuck else None, stuck.reason if stuck else None)

    async def _fold(self, folding: Folding[Any], queue: list[Queued]) -> tuple[list[Queued], Digest]:
        """Fold in the order in which things take effect. A dated event goes to its own midnight, or on waiting."""
        heap = [(self._place(item), item, item) for item in queue]
        heapq.heapify(heap)
        done: list[Queued] = []
        moved = Digest()
        while heap and not folding.newly_parked:
            _, item, origin = heapq.heappop(heap)
            world = self._reference.at(item.at)
            date = self._date_of(item) if item.trigger is None else None
            if date is not None and date > world.date:
                tick = await self._midnight(item.entry.partition, date)
                if tick is None:
                    moved += await waiting.wait(self._connection, item.entry.partition, [(item.entry, date)])
                    done.append(origin)
                else:
                    later = Queued(item.subject, "event", tick.position, item.entry, tick)
                    heapq.heappush(heap, (self._place(later), later, origin))
                continue
            if item.kind == "refold":
                folding.refold(item.subject, item.entry, world)
            else:
                folding.evolve(item.entry, world, trigger=item.trigger)
            if not folding.newly_parked:
                done.append(origin)
        return done, moved

    def _place(self, item: Queued) -> tuple[int, str, dt.date, int, int]:
        """Where an item takes effect. What one tick brings in comes in order of date and position, as live."""
        date = self._date_of(item) if item.trigger is not None else None
        return item.at, item.kind, date or dt.date.min, item.entry.position, item.entry.input

    def _date_of(self, item: Queued) -> dt.date | None:
        return self._view.effective_on(item.entry) if item.kind == "event" and item.entry.input == 0 else None

    async def _midnight(self, partition: int, date: dt.date) -> Entry | None:
        """The first tick of the log at or past a date that this partition has passed, or None if it is yet to come."""
        row = await self._connection.fetchrow(
            "SELECT position, record FROM midnights WHERE date >= $1 AND position <= $2 ORDER BY position LIMIT 1",
            date,
            self._cursor.positions[0],
        )
        return Entry(0, partition, 0, row["position"], 0, decode(row["record"]), row["record"]) if row else None

    async def _write(self, folding: Folding[Any], moved: Digest) -> None:
        changes = folding.changes()
        if changes:
            moved += await self._view.save(self._connection, self._cursor.partition, changes)
        if folding.emissions and not self._muted and self._view.output is not None:
            await outbox_of(self._view).emit(self._connection, self._cursor.partition, folding.emissions)
        await cursors.move(self._connection, self._cursor.with_digest(moved))
