"""A database with reporting's view in it, folded from a told town, and the pages over it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from services.chassis import postgres
from services.chassis.postgres import Pool
from services.chassis.projection import serving
from services.chassis.projection.apply import Applier, scan
from services.chassis.projection.digest import Digest
from services.chassis.projection.serving import create_generation, schema_of, set_path
from services.chassis.projection.view import Entry
from services.reporting.domain import Student
from services.reporting.handlers import Reports
from tests.integration.reporting.town import PARTITIONS, Town
from tests.stack import Stack


@dataclass
class House:
    """The pool and the view. The first generation made is the one that serves."""

    dsn: str
    pool: Pool
    view: Reports

    async def generation(self) -> Applier[Student]:
        number = await create_generation(self.pool, self.view, PARTITIONS, actor="test", reason="test")
        applier = Applier(self.pool, self.view, number)
        for partition in range(PARTITIONS):
            await applier.claim(partition)
        return applier

    async def fold(self, town: Town, size: int = 1000) -> Applier[Student]:
        """A generation folded from a whole town in batches of `size`."""
        applier = await self.generation()
        for partition in range(PARTITIONS):
            await apply_in(applier, partition, town.topics.all_entries(partition), size)
        return applier

    async def kept(self, generation: int) -> Digest:
        async with self.pool.acquire() as connection:
            cursors = await serving.cursors_of(connection, self.view.name, generation)
        return sum((cursor.digest for cursor in cursors), Digest())

    async def scanned(self, generation: int) -> Digest:
        async with self.pool.acquire() as connection, connection.transaction():
            await set_path(connection, schema_of(self.view.name, generation))
            return sum([await scan(connection, self.view, partition) for partition in range(PARTITIONS)], Digest())


async def apply_in(applier: Applier[Student], partition: int, entries: Sequence[Entry], size: int) -> None:
    for start in range(0, len(entries), size):
        await applier.apply(partition, entries[start : start + size])


@asynccontextmanager
async def a_house(stack: Stack) -> AsyncIterator[House]:
    """A fresh database of reporting's own."""
    dsn = stack.fresh_database("reporting")
    async with await postgres.create_pool(dsn, application="test", size=4) as pool:
        yield House(dsn, pool, Reports())
