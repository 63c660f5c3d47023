"""The cursor row of a partition: what has been applied. Its lock and its next sequences are what makes a view exactly once."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass, replace
from typing import TypeVar

import asyncpg

from services.chassis.postgres import Connection
from services.chassis.projection.digest import Digest, from_bytes, to_bytes

T = TypeVar("T")


class Lost(Exception):  # noqa: N818
    """Another worker has claimed the partition since."""


class Gap(Exception):  # noqa: N818
    """The next sequence of an input is missing from what was read."""

    def __init__(self, input: int, partition: int, expected: int, found: int) -> None:
        super().__init__(f"input {input}, partition {partition}: expected sequence {expected}, found {found}")
        self.input, self.partition, self.expected, self.found = input, partition, expected, found


@dataclass(frozen=True, slots=True)
class Sweep:
    """How far a sweep has come: the step of the event's list of scopes, and the last student done in it."""

    step: int
    after: str


@dataclass(frozen=True, slots=True)
class Cursor:
    """One partition's cursor. The tuples hold one value for each input of the view."""

    partition: int
    owner_epoch: int
    next: tuple[int, ...]
    offsets: tuple[int, ...]
    positions: tuple[int, ...]
    ticks: tuple[dt.datetime | None, ...]
    sweep: Sweep | None
    digest: Digest

    def past(self, input: int, sequence: int, position: int, offset: int) -> Cursor:
        """The cursor past one entry."""
        return replace(
            self,
            next=_set(self.next, input, sequence + 1),
            offsets=_set(self.offsets, input, offset + 1),
            positions=_set(self.positions, input, position),
            sweep=None,
        )

    def ticked(self, input: int, time: dt.datetime) -> Cursor:
        """The cursor past a tick of an input."""
        return replace(self, ticks=_set(self.ticks, input, time))

    def with_digest(self, moved: Digest) -> Cursor:
        """The cursor with its digest moved."""
        return replace(self, digest=self.digest + moved)

    @property
    def common_tick(self) -> dt.datetime | None:
        """The last tick passed on every input, or None."""
        known = [tick for tick in self.ticks if tick is not None]
        return min(known) if len(known) == len(self.ticks) else None


def _set(values: tuple[T, ...], index: int, value: T) -> tuple[T, ...]:
    return (*values[:index], value, *values[index + 1 :])


async def create(connection: Connection, partitions: int, inputs: int) -> None:
    """A cursor at the beginning for each partition; those that exist stay."""
    await connection.execute(
        """
        INSERT INTO cursor (partition, next, offsets, positions, ticks, exact, meaning)
        SELECT p, array_fill(0::bigint, ARRAY[$2::int]), array_fill(0::bigint, ARRAY[$2::int]),
               array_fill(-1::bigint, ARRAY[$2::int]),
               array_fill(NULL::timestamptz, ARRAY[$2::int]), $3, $3
        FROM generate_series(0, $1::int - 1) AS p
        ON CONFLICT DO NOTHING
        """,
        partitions,
        inputs,
        to_bytes(0),
    )


async def count(connection: Connection) -> int:
    """How many partitions the generation in `search_path` has."""
    return int(await connection.fetchval("SELECT count(*) FROM cursor"))


async def claim(connection: Connection, partition: int) -> Cursor:
    """Raise the owner's epoch and read the cursor, in one statement: from now on the former owner's transactions fail."""
    row = await connection.fetchrow("UPDATE cursor SET owner_epoch = owner_epoch + 1 WHERE partition = $1 RETURNING *", partition)
    assert row is not None, "a generation has a cursor row for every partition of its topics"
    return _cursor(row)


async def lock(connection: Connection, partition: int, owner_epoch: int | None) -> Cursor:
    """The cursor, locked until the transaction ends. Raises `Lost` if another worker has claimed it (None: whoever owns it)."""
    row = await connection.fetchrow("SELECT * FROM cursor WHERE partition = $1 FOR UPDATE", partition)
    assert row is not None, "a generation has a cursor row for every partition of its topics"
    cursor = _cursor(row)
    if owner_epoch is not None and cursor.owner_epoch != owner_epoch:
        raise Lost(f"partition {partition} has been claimed by another worker")
    return cursor


async def move(connection: Connection, cursor: Cursor) -> None:
    """Save the cursor. The row is locked by this transaction already."""
    await connection.execute(
        """
        UPDATE cursor SET next = $2, offsets = $3, positions = $4, ticks = $5, sweep = $6, exact = $7, meaning = $8
        WHERE partition = $1
        """,
        cursor.partition,
        cursor.next,
        cursor.offsets,
        cursor.positions,
        cursor.ticks,
        json.dumps({"step": cursor.sweep.step, "after": cursor.sweep.after}) if cursor.sweep else None,
        to_bytes(cursor.digest.exact),
        to_bytes(cursor.digest.meaning),
    )


async def read_all(connection: Connection, schema: str) -> list[Cursor]:
    """Every partition's cursor of a generation, in order."""
    rows = await connection.fetch(f"SELECT * FROM {schema}.cursor ORDER BY partition")
    return [_cursor(row) for row in rows]


def _cursor(row: asyncpg.Record) -> Cursor:
    return Cursor(
        partition=row["partition"],
        owner_epoch=row["owner_epoch"],
        next=tuple(row["next"]),
        offsets=tuple(row["offsets"]),
        positions=tuple(row["positions"]),
        ticks=tuple(row["ticks"]),
        sweep=Sweep(**json.loads(row["sweep"])) if row["sweep"] else None,
        digest=Digest(from_bytes(row["exact"]), from_bytes(row["meaning"])),
    )
