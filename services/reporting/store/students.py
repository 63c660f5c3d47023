"""Students and their seats: loaded and saved by the fold, read by the pages."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import NamedTuple

import asyncpg

from services.chassis.postgres import Connection
from services.reporting.domain import Block, Competency, Seat, Standing, Student

# Rows a fetch of a whole partition: bounds memory, and nothing else.
ROWS = 1000

_COLUMNS = """
    student, school, grade, cohort, pieces, last_evidence, frameworks, competencies, piece_counts, levels,
    values_thousandths, policies, policy_versions, reasons, causes, merged_into
"""
_SEAT_COLUMNS = "student, date, period, plan, school, class, framework, competency, reason"

_SAVE = f"""
    INSERT INTO students (partition, {_COLUMNS})
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
    ON CONFLICT (student) DO UPDATE SET
        school = excluded.school, grade = excluded.grade, cohort = excluded.cohort,
        pieces = excluded.pieces, last_evidence = excluded.last_evidence,
        frameworks = excluded.frameworks, competencies = excluded.competencies,
        piece_counts = excluded.piece_counts, levels = excluded.levels,
        values_thousandths = excluded.values_thousandths, policies = excluded.policies,
        policy_versions = excluded.policy_versions, reasons = excluded.reasons, causes = excluded.causes,
        merged_into = excluded.merged_into
"""
_SAVE_SEAT = f"""
    INSERT INTO seats (partition, {_SEAT_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
    ON CONFLICT (student, date, period) DO UPDATE SET
        plan = excluded.plan, school = excluded.school, class = excluded.class,
        framework = excluded.framework, competency = excluded.competency, reason = excluded.reason
"""


async def load(connection: Connection, subjects: Iterable[str], blocks: Mapping[str, Sequence[Block]]) -> dict[str, Student]:
    """The students asked for that have a row, each with her seats in the blocks named for her and no others."""
    rows = await connection.fetch(f"SELECT {_COLUMNS} FROM students WHERE student = ANY($1::text[])", list(subjects))
    seats = await _seats_in(connection, blocks) if blocks else {}
    return {row["student"]: _student(row, seats.get(row["student"], {})) for row in rows}


async def _seats_in(connection: Connection, blocks: Mapping[str, Sequence[Block]]) -> dict[str, dict[Block, Seat]]:
    wanted = [(subject, *block) for subject, its in blocks.items() for block in its]
    rows = await connection.fetch(
        f"""
        SELECT {_SEAT_COLUMNS} FROM seats
        WHERE (student, date, period) IN (SELECT * FROM unnest($1::text[], $2::date[], $3::text[]))
        """,
        *(list(column) for column in zip(*wanted, strict=True)),
    )
    return _by_student(rows)


async def save(connection: Connection, partition: int, students: Mapping[str, Student]) -> None:
    """Write the rows of students whole; their seats have a function of their own."""
    await connection.executemany(_SAVE, [_row(partition, subject, student) for subject, student in students.items()])


async def save_seats(
    connection: Connection, partition: int, given: Iterable[tuple[str, Block, Seat]], taken: Iterable[tuple[str, Block]]
) -> None:
    """Write the seats given, and delete those taken away."""
    await connection.executemany(
        "DELETE FROM seats WHERE student = $1 AND date = $2 AND period = $3", [(subject, *block) for subject, block in taken]
    )
    await connection.executemany(
        _SAVE_SEAT,
        [
            (partition, subject, *block, seat.plan, seat.school, seat.class_, seat.framework, seat.competency, seat.reason)
            for subject, block, seat in given
        ],
    )


async def every(connection: Connection, partition: int) -> AsyncIterator[dict[str, Student]]:
    """Every student of a partition with all her seats, in order of pseudonym, so many at a time."""
    after = ""
    while True:
        rows = await connection.fetch(
            f"SELECT {_COLUMNS} FROM students WHERE partition = $1 AND student > $2 ORDER BY student LIMIT $3",
            partition,
            after,
            ROWS,
        )
        seats = await all_seats(connection, [row["student"] for row in rows])
        yield {row["student"]: _student(row, seats.get(row["student"], {})) for row in rows}
        if len(rows) < ROWS:
            return
        after = rows[-1]["student"]


async def all_seats(connection: Connection, subjects: Sequence[str]) -> dict[str, dict[Block, Seat]]:
    return _by_student(await connection.fetch(f"SELECT {_SEAT_COLUMNS} FROM seats WHERE student = ANY($1::text[])", list(subjects)))


async def find(connection: Connection, subject: str, week: tuple[dt.date, dt.date]) -> Student | None:
    """A student with her seats in a week (both dates included), or None if nothing was ever folded for her."""
    row = await connection.fetchrow(f"SELECT {_COLUMNS} FROM students WHERE student = $1", subject)
    if row is None:
        return None
    seats = await connection.fetch(
        f"SELECT {_SEAT_COLUMNS} FROM seats WHERE student = $1 AND date BETWEEN $2 AND $3", subject, *week
    )
    return _student(row, _by_student(seats).get(subject, {}))


async def seat_dates(connection: Connection, subject: str) -> list[dt.date]:
    """The dates on which a student has or had a seat, in order: five a week at most."""
    rows = await connection.fetch("SELECT DISTINCT date FROM seats WHERE student = $1 ORDER BY date", subject)
    return [row["date"] for row in rows]


class Enrolled(NamedTuple):
    """A student on her school's list. `levels` are those she holds, one a competency."""

    student: str
    grade: str | None
    cohort: str | None
    pieces: int
    last_evidence: dt.datetime | None
    frameworks: Sequence[str]
    levels: Sequence[int | None]


async def enrolled(connection: Connection, school: str) -> list[Enrolled]:
    """Everyone enrolled at a school now, in order of pseudonym."""
    rows = await connection.fetch(
        """
        SELECT student, grade, cohort, pieces, last_evidence, frameworks, levels FROM students
        WHERE school = $1 ORDER BY student
        """,
        school,
    )
    return [Enrolled(**dict(row)) for row in rows]


def _row(partition: int, subject: str, student: Student) -> tuple[object, ...]:
    standings = sorted(student.standings.items())
    return (
        partition,
        subject,
        student.school,
        student.grade,
        student.cohort,
        student.pieces,
        student.last_evidence,
        [framework for (framework, _), _ in standings],
        [competency for (_, competency), _ in standings],
        [standing.pieces for _, standing in standings],
        [standing.level for _, standing in standings],
        [standing.value_thousandths for _, standing in standings],
        [standing.policy for _, standing in standings],
        [standing.policy_version for _, standing in standings],
        [standing.reason for _, standing in standings],
        [standing.cause for _, standing in standings],
        student.into,
    )


def _student(row: asyncpg.Record, seats: Mapping[Block, Seat]) -> Student:
    columns = ("piece_counts", "levels", "values_thousandths", "policies", "policy_versions", "reasons", "causes")
    standings: dict[Competency, Standing] = {
        key: Standing(*fields)
        for key, fields in zip(
            zip(row["frameworks"], row["competencies"], strict=True),
            zip(*(row[column] for column in columns), strict=True),
            strict=True,
        )
    }
    return Student(
        school=row["school"],
        grade=row["grade"],
        cohort=row["cohort"],
        pieces=row["pieces"],
        last_evidence=row["last_evidence"],
        standings=standings,
        seats=seats,
        into=row["merged_into"],
    )


def _by_student(rows: Iterable[asyncpg.Record]) -> dict[str, dict[Block, Seat]]:
    seats: dict[str, dict[Block, Seat]] = {}
    for row in rows:
        seat = Seat(row["plan"], row["school"], row["class"], row["framework"], row["competency"], row["reason"])
        seats.setdefault(row["student"], {})[(row["date"], row["period"])] = seat
    return seats
