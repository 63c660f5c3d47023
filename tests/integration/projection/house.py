"""A database with the tally view in it, and what a test asks of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from contracts.codec import decode
from contracts.events import MasteryChanged
from services.chassis.postgres import Pool
from services.chassis.projection import serving
from services.chassis.projection.apply import Applier, scan
from services.chassis.projection.cursor import Cursor
from services.chassis.projection.digest import Digest
from services.chassis.projection.serving import create_generation, schema_of, set_path
from tests.integration.projection.tally import Tally, TallyView
from tests.story import Story

PARTITIONS = 2


@dataclass
class House:
    """The pool and the view; generations are made as a test needs them, and the first one serves."""

    pool: Pool
    view: TallyView

    async def generation(self) -> Applier[Tally]:
        number = await create_generation(self.pool, self.view, PARTITIONS, actor="test", reason="test")
        return await self.applier(number)

    async def applier(self, generation: int, kind: type[Applier[Any]] = Applier, sweep: int = 500) -> Applier[Tally]:
        applier = kind(self.pool, self.view, generation, sweep=sweep)
        for partition in range(PARTITIONS):
            await applier.claim(partition)
        return applier

    async def totals(self, generation: int) -> dict[str, int]:
        async with self.pool.acquire() as connection:
            rows = await connection.fetch(f"SELECT student, points * factor AS total FROM {schema_of('tally', generation)}.tallies")
        return {row["student"]: row["total"] for row in rows}

    async def cursors(self, generation: int) -> list[Cursor]:
        async with self.pool.acquire() as connection:
            return await serving.cursors_of(connection, "tally", generation)

    async def digest(self, generation: int) -> Digest:
        return sum((cursor.digest for cursor in await self.cursors(generation)), Digest())

    async def scanned(self, generation: int) -> Digest:
        async with self.pool.acquire() as connection, connection.transaction():
            await set_path(connection, schema_of("tally", generation))
            return sum([await scan(connection, self.view, p) for p in range(PARTITIONS)], Digest())

    async def said(self) -> dict[str, int]:
        """The state that folding the outbox gives: each student's last total."""
        totals: dict[str, int] = {}
        async with self.pool.acquire() as connection:
            for row in await connection.fetch("SELECT record FROM outbox ORDER BY partition, sequence"):
                event = decode(row["record"])
                if isinstance(event.data, MasteryChanged) and event.subject:
                    totals[event.subject] = event.data.moves[0].value_thousandths or 0
        return totals


async def apply_in(applier: Applier[Any], story: Story, size: int) -> None:
    """Apply a whole story in batches of `size`, a partition at a time."""
    for partition in range(PARTITIONS):
        entries = story.entries(partition)
        for start in range(0, len(entries), size):
            await applier.apply(partition, entries[start : start + size])
