"""Plans: decisions, outside generations. A plan is written once, in the transaction that says so in the outbox."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import replace

import asyncpg

from contracts.topics import SCHEDULE_CHANGES
from services.chassis.log.outbox import Emission, Outbox
from services.chassis.postgres import Connection
from services.scheduling.domain import Header
from services.scheduling.seating import Plan, Seat, Unseated

HEADER = "plan, school, week, revision, input, entries, digest, seats, unseated, time"
SEAT = "date, period, student, class, framework, competency, reason"
UNSEATED = "date, period, student, reason"

OUTBOX = Outbox(SCHEDULE_CHANGES.name, "cairn:scheduling")


async def lock(connection: Connection, school: str, week: dt.date) -> None:
    """Let nobody else publish a plan of this school's week until the transaction ends. Taken before any `next_out` row."""
    await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", f"{school} {week}")


async def current(connection: Connection, school: str, week: dt.date) -> Header | None:
    """The plan in force."""
    row = await connection.fetchrow(
        f"SELECT {HEADER} FROM public.plans WHERE school = $1 AND week = $2 ORDER BY revision DESC LIMIT 1", school, week
    )
    return Header(**dict(row)) if row else None


async def read(connection: Connection, plan: str) -> Plan:
    """Who sits where in a plan in force, in order of time, and who does not."""
    seats = await connection.fetch(f"SELECT {SEAT} FROM public.seats WHERE plan = $1 ORDER BY date, period, student", plan)
    unseated = await connection.fetch(
        f"SELECT {UNSEATED} FROM public.unseated WHERE plan = $1 ORDER BY date, period, student", plan
    )
    return Plan(tuple(map(_seat, seats)), tuple(Unseated(**dict(row)) for row in unseated))


async def of_student(connection: Connection, student: str, week: dt.date | None) -> Plan:
    """A student's seats in the plans in force and the blocks where she has none: of one week, or of all."""
    where = "student = $1 AND plan IN (SELECT plan FROM public.plans WHERE $2::date IS NULL OR week = $2) ORDER BY date, period"
    seats = await connection.fetch(f"SELECT {SEAT} FROM public.seats WHERE {where}", student, week)
    unseated = await connection.fetch(f"SELECT {UNSEATED} FROM public.unseated WHERE {where}", student, week)
    return Plan(tuple(map(_seat, seats)), tuple(Unseated(**dict(row)) for row in unseated))


async def write(connection: Connection, header: Header, plan: Plan, before: Header | None) -> None:
    """Write a plan, and take away the seats of the one it replaces (its header stays, what it said is in the outbox)."""
    if before is not None:
        for table in ("seats", "unseated"):
            await connection.execute(f"DELETE FROM public.{table} WHERE plan = $1", before.plan)
    await connection.execute(
        f"INSERT INTO public.plans ({HEADER}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        *(getattr(header, name) for name in HEADER.split(", ")),
    )
    await _copy(connection, "seats", f"plan, {SEAT}", [_seat_row(header.plan, seat) for seat in plan.seats])
    await _copy(
        connection, "unseated", f"plan, {UNSEATED}", [(header.plan, e.date, e.period, e.student, e.reason) for e in plan.unseated]
    )


async def emit(connection: Connection, partition: int, emissions: Sequence[Emission]) -> None:
    """Say it in one partition. The time of recording never runs backwards there: ticks newer than the plan's may be out already."""
    await OUTBOX.emit(connection, partition, ())  # takes the partition's lock, so that the last row stays the last
    last: dt.datetime | None = await connection.fetchval(
        "SELECT recordedtime FROM public.outbox WHERE log = $1 AND partition = $2 ORDER BY sequence DESC LIMIT 1",
        OUTBOX.log,
        partition,
    )
    await OUTBOX.emit(connection, partition, [_not_before(last, emission) for emission in emissions])


def _not_before(last: dt.datetime | None, emission: Emission) -> Emission:
    return emission if last is None or last <= emission.recordedtime else replace(emission, recordedtime=last)


async def _copy(connection: Connection, table: str, columns: str, rows: Iterable[tuple[object, ...]]) -> None:
    await connection.copy_records_to_table(table, schema_name="public", columns=columns.split(", "), records=list(rows))


def _seat(row: asyncpg.Record) -> Seat:
    fields = dict(row)
    return Seat(class_=fields.pop("class"), **fields)


def _seat_row(plan: str, seat: Seat) -> tuple[object, ...]:
    return plan, seat.date, seat.period, seat.student, seat.class_, seat.framework, seat.competency, seat.reason
