"""Generations of a view, and the one row that says which is read.

A generation is a schema (`mastery_g8`) with the engine's tables and the view's. Reading is one REPEATABLE READ
transaction that reads the serving row and sets its `search_path`, so a swap blocks nobody and no page mixes generations.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from services.chassis.errors import Rejected, Unavailable
from services.chassis.postgres import XID, Connection, Pool, retry
from services.chassis.projection import cursor as cursors
from services.chassis.projection.cursor import Cursor
from services.chassis.projection.view import View

_ENGINE_TABLES = (Path(__file__).parent / "generation.sql").read_text(encoding="utf-8")
# One creation of generations at a time in a database: an advisory lock of ours (the number is arbitrary, and only used here).
_CREATION = 7203


@dataclass(frozen=True, slots=True)
class Serving:
    """The serving row. `pending`: the generation that a swap has prepared; both stop at the first tick past `after_tick`."""

    generation: int
    pending: int | None
    after_tick: dt.datetime | None
    expired: bool

    def cuts(self, generation: int) -> dt.datetime | None:
        """The tick after which this generation stops at the next one, or None."""
        involved = generation in (self.generation, self.pending)
        return self.after_tick if involved and self.pending is not None and not self.expired else None


@dataclass(frozen=True, slots=True)
class Generation:
    """A generation that exists."""

    generation: int
    fold_version: int
    created: dt.datetime
    actor: str
    reason: str


@dataclass(frozen=True, slots=True)
class Standing:
    """What an answer stands for: the serving generation, the lowest position applied in all partitions, the last common tick."""

    generation: int
    position: int
    time: dt.datetime | None
    cursors: tuple[Cursor, ...]


def schema_of(name: str, generation: int) -> str:
    """The schema of a generation, e.g. `mastery_g8`."""
    return f"{name}_g{generation}"


async def share(connection: Connection) -> Serving:
    """The serving row, held FOR SHARE to the end of the transaction. Lock order: cursor, serving, next_out."""
    return await _serving(connection, "FOR SHARE")


async def lock(connection: Connection) -> Serving:
    """The serving row, locked: no projection transaction of any generation can be under way."""
    return await _serving(connection, "FOR UPDATE")


async def peek(connection: Connection) -> Serving:
    """The serving row as this transaction's snapshot has it."""
    return await _serving(connection, "")


async def _serving(connection: Connection, clause: str) -> Serving:
    row = await connection.fetchrow(
        "SELECT generation, pending, after_tick, coalesce(deadline < clock_timestamp(), false) AS expired"
        f" FROM public.serving {clause}"
    )
    if row is None:
        raise Unavailable("no generation of this view exists yet: start its worker (`cairn <service> work`) once")
    return Serving(**dict(row))


async def generations(connection: Connection) -> list[Generation]:
    """Every generation that exists, oldest first."""
    rows = await connection.fetch(
        "SELECT generation, fold_version, created, actor, reason FROM public.generations ORDER BY generation"
    )
    return [Generation(**dict(row)) for row in rows]


async def create_generation(pool: Pool, view: View[Any], partitions: int, *, actor: str, reason: str) -> int:
    """A new empty generation, its cursors at the beginning; the first one of a database is served at once."""
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1)", _CREATION)
        return await _create(connection, view, partitions, actor, reason)


async def ensure_generation(pool: Pool, view: View[Any], partitions: int) -> None:
    """The first generation, if there is none: for a worker's first start."""
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1)", _CREATION)
        if not await generations(connection):
            await _create(connection, view, partitions, "worker", "first start")


async def _create(connection: Connection, view: View[Any], partitions: int, actor: str, reason: str) -> int:
    number = 1 + int(await connection.fetchval("SELECT coalesce(max(generation), 0) FROM public.generation_history"))
    schema = schema_of(view.name, number)
    await connection.execute(f"CREATE SCHEMA {schema}")
    await set_path(connection, schema)
    await connection.execute(_ENGINE_TABLES)
    await connection.execute(view.tables)
    await cursors.create(connection, partitions, len(view.inputs))
    await connection.execute(
        "INSERT INTO public.generations (generation, fold_version, actor, reason) VALUES ($1, $2, $3, $4)",
        number,
        view.fold_version,
        actor,
        reason,
    )
    await record(connection, "create", number, actor, reason)
    first = await connection.execute("INSERT INTO public.serving (generation) VALUES ($1) ON CONFLICT DO NOTHING", number)
    if first == "INSERT 0 1":
        await record(connection, "swap", number, actor, reason)
    return number


async def drop_generation(pool: Pool, name: str, generation: int, *, actor: str, reason: str) -> None:
    """Drop a generation that is neither served nor about to be."""
    await retry(lambda: _drop(pool, name, generation, actor, reason))


async def _drop(pool: Pool, name: str, generation: int, actor: str, reason: str) -> None:
    async with pool.acquire() as connection, connection.transaction():
        serving = await lock(connection)
        if generation in (serving.generation, serving.pending):
            raise Rejected("generation-in-use", "a generation that is not served and not about to be", status=409)
        deleted = await connection.execute("DELETE FROM public.generations WHERE generation = $1", generation)
        if deleted == "DELETE 0":
            raise Rejected("unknown-generation", "a generation that exists (see `generations`)", status=404)
        await connection.execute(f"DROP SCHEMA {schema_of(name, generation)} CASCADE")
        await record(connection, "drop", generation, actor, reason)


async def cursors_of(connection: Connection, name: str, generation: int) -> list[Cursor]:
    """The cursors of any generation, in order of partition."""
    return await cursors.read_all(connection, schema_of(name, generation))


async def previous(connection: Connection) -> int:
    """The generation that served before the present one, still there. Raises `Rejected` if there is none."""
    found = await connection.fetchval(
        """
        SELECT h.generation FROM public.generation_history h JOIN public.generations g USING (generation)
        WHERE h.action = 'swap' AND h.generation <> (SELECT generation FROM public.serving) ORDER BY h.id DESC LIMIT 1
        """
    )
    if found is None:
        raise Rejected("nothing-to-roll-back-to", "an earlier generation that still exists (see `generations`)", status=409)
    return int(found)


async def record(connection: Connection, action: str, generation: int, actor: str, reason: str) -> str:
    """Write down who did what to a generation, and why; the transaction's id, for `once`."""
    xid: str = await connection.fetchval(
        f"INSERT INTO public.generation_history (actor, action, generation, reason) VALUES ($1, $2, $3, $4) RETURNING {XID}",
        actor,
        action,
        generation,
        reason,
    )
    return xid


async def set_path(connection: Connection, schema: str) -> None:
    """Read and write the tables of one generation, for the rest of the transaction."""
    await connection.execute(f"SET LOCAL search_path TO {schema}, public")


@asynccontextmanager
async def reading(pool: Pool, name: str) -> AsyncIterator[tuple[Connection, Standing]]:
    """One snapshot of the serving generation: a connection whose tables are that generation's, and what it stands for."""
    async with pool.acquire() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
        serving = await peek(connection)
        schema = schema_of(name, serving.generation)
        await set_path(connection, schema)
        rows = await cursors.read_all(connection, schema)
        yield connection, standing_of(serving.generation, rows)


def standing_of(generation: int, rows: list[Cursor]) -> Standing:
    """What a generation's cursors stand for together: only what every partition has reached."""
    ticks = [row.common_tick for row in rows]
    known = [tick for tick in ticks if tick is not None]
    return Standing(
        generation=generation,
        position=min((row.positions[0] for row in rows), default=-1),
        time=min(known) if rows and len(known) == len(ticks) else None,
        cursors=tuple(rows),
    )
