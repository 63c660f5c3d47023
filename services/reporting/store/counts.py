"""What is asked across students: counts kept a partition, with their roll-ups, and summed on reading."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import NamedTuple

from services.chassis.postgres import Connection
from services.reporting.domain import ALL, HeadKey, LevelKey


async def add_levels(connection: Connection, partition: int, moved: Mapping[LevelKey, int]) -> None:
    """Move counts of students by level."""
    rows = [(*key, by) for key, by in sorted(moved.items()) if by]
    if rows:
        await connection.execute(
            """
            INSERT INTO level_counts (school, framework, competency, level, students, partition)
            SELECT school, framework, competency, level, students, $6
            FROM unnest($1::text[], $2::text[], $3::text[], $4::smallint[], $5::int[])
                AS moved (school, framework, competency, level, students)
            ON CONFLICT (school, framework, competency, level, partition)
            DO UPDATE SET students = level_counts.students + excluded.students
            """,
            *(list(column) for column in zip(*rows, strict=True)),
            partition,
        )


async def add_heads(connection: Connection, partition: int, moved: Mapping[HeadKey, tuple[int, int]]) -> None:
    """Move counts of students and of their pieces of evidence."""
    rows = [(*key, *by) for key, by in sorted(moved.items()) if any(by)]
    if rows:
        await connection.execute(
            """
            INSERT INTO head_counts (school, grade, students, pieces, partition)
            SELECT school, grade, students, pieces, $5
            FROM unnest($1::text[], $2::text[], $3::int[], $4::bigint[]) AS moved (school, grade, students, pieces)
            ON CONFLICT (school, grade, partition) DO UPDATE
            SET students = head_counts.students + excluded.students, pieces = head_counts.pieces + excluded.pieces
            """,
            *(list(column) for column in zip(*rows, strict=True)),
            partition,
        )


async def kept_levels(connection: Connection, partition: int) -> AsyncIterator[tuple[LevelKey, int]]:
    """Every count of students by level that a partition keeps."""
    rows = await connection.fetch(
        "SELECT school, framework, competency, level, students FROM level_counts WHERE partition = $1 AND students <> 0", partition
    )
    for school, framework, competency, level, students in rows:
        yield (school, framework, competency, level), students


async def kept_heads(connection: Connection, partition: int) -> AsyncIterator[tuple[HeadKey, int, int]]:
    """Every count of students and of pieces that a partition keeps."""
    rows = await connection.fetch("SELECT school, grade, students, pieces FROM head_counts WHERE partition = $1", partition)
    for school, grade, students, pieces in rows:
        yield (school, grade), students, pieces


class LevelCount(NamedTuple):
    """How many enrolled students hold a level. `school` or `competency` may be `ALL`."""

    school: str
    framework: str
    competency: str
    level: int
    students: int


async def levels_of_school(connection: Connection, school: str) -> list[LevelCount]:
    """A school's counts by framework, competency and level, without its roll-ups. `ALL`: the whole district's."""
    rows = await connection.fetch(
        """
        SELECT school, framework, competency, level, sum(students)::int AS students FROM level_counts
        WHERE school = $1 AND competency <> $2
        GROUP BY school, framework, competency, level HAVING sum(students) > 0 ORDER BY framework, competency, level
        """,
        school,
        ALL,
    )
    return [LevelCount(**dict(row)) for row in rows]


async def levels_of_schools(connection: Connection, framework: str, schools: Sequence[str]) -> list[LevelCount]:
    """Counts by level of several schools, all competencies of a framework together."""
    rows = await connection.fetch(
        """
        SELECT school, framework, competency, level, sum(students)::int AS students FROM level_counts
        WHERE framework = $1 AND competency = $2 AND school = ANY($3::text[])
        GROUP BY school, framework, competency, level HAVING sum(students) > 0 ORDER BY school, level
        """,
        framework,
        ALL,
        list(schools),
    )
    return [LevelCount(**dict(row)) for row in rows]


async def frameworks(connection: Connection) -> list[str]:
    """The frameworks in which anybody enrolled holds a level, the one with the most levels held first."""
    rows = await connection.fetch(
        """
        SELECT framework FROM level_counts WHERE school = $1 AND competency = $1
        GROUP BY framework HAVING sum(students) > 0 ORDER BY sum(students) DESC, framework
        """,
        ALL,
    )
    return [row["framework"] for row in rows]


class Heads(NamedTuple):
    """Enrolled students, and the pieces of evidence they have. `school` or `grade` may be `ALL`."""

    school: str
    grade: str
    students: int
    pieces: int


async def heads(connection: Connection, school: str) -> list[Heads]:
    """A school's counts, whole (`ALL`) first and then by grade. `ALL`: the district's."""
    rows = await connection.fetch(
        """
        SELECT school, grade, sum(students)::int AS students, sum(pieces)::bigint AS pieces FROM head_counts
        WHERE school = $1 GROUP BY school, grade HAVING sum(students) > 0 ORDER BY grade
        """,
        school,
    )
    return [Heads(**dict(row)) for row in rows]


async def heads_of_schools(connection: Connection, schools: Sequence[str]) -> dict[str, Heads]:
    """The whole counts of several schools, by school."""
    rows = await connection.fetch(
        """
        SELECT school, grade, sum(students)::int AS students, sum(pieces)::bigint AS pieces FROM head_counts
        WHERE school = ANY($1::text[]) AND grade = $2 GROUP BY school, grade
        """,
        list(schools),
        ALL,
    )
    return {row["school"]: Heads(**dict(row)) for row in rows}


async def last_evidence(connection: Connection, schools: Sequence[str]) -> dict[str, dt.datetime]:
    """When the last piece of evidence of anybody enrolled at each school happened."""
    rows = await connection.fetch(
        """
        SELECT school, max(last_evidence) AS last FROM students
        WHERE school = ANY($1::text[]) AND last_evidence IS NOT NULL GROUP BY school
        """,
        list(schools),
    )
    return {row["school"]: row["last"] for row in rows}
