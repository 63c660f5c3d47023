"""Students in the view: loading, saving, and the digest's terms."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import asyncpg

from services.chassis.postgres import Connection
from services.chassis.projection.digest import Digest, term
from services.chassis.projection.view import Change
from services.scheduling.domain import Level, Student

COLUMNS = "student, school, grade, classes, frameworks, competencies, levels, causes, merged"

SAVE = f"""
INSERT INTO students (partition, {COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
ON CONFLICT (student) DO UPDATE SET
    school = excluded.school, grade = excluded.grade, classes = excluded.classes, frameworks = excluded.frameworks,
    competencies = excluded.competencies, levels = excluded.levels, causes = excluded.causes,
    merged = excluded.merged
"""


async def load(connection: Connection, subjects: Collection[str]) -> dict[str, Student]:
    """The students among these that the view has."""
    rows = await connection.fetch(f"SELECT {COLUMNS} FROM students WHERE student = ANY($1::text[])", list(subjects))
    return {row["student"]: student_of(row) for row in rows}


async def enrolled(connection: Connection, school: str) -> dict[str, Student]:
    """The students of a school, in order of pseudonym."""
    rows = await connection.fetch(f"SELECT {COLUMNS} FROM students WHERE school = $1 ORDER BY student", school)
    return {row["student"]: student_of(row) for row in rows}


async def save(connection: Connection, partition: int, changes: Sequence[Change[Student]]) -> Digest:
    """Write the students' rows; what the digests move by."""
    await connection.executemany(SAVE, [_row(partition, change.subject, change.after) for change in changes])
    moved = Digest()
    for change in changes:
        moved += digest_of(change.subject, change.after) - digest_of(change.subject, change.before)
    return moved


async def scan(connection: Connection, partition: int) -> Digest:
    """The digest of a partition, computed from its rows."""
    total = Digest()
    async for row in connection.cursor(f"SELECT {COLUMNS} FROM students WHERE partition = $1", partition):
        total += digest_of(row["student"], student_of(row))
    return total


def digest_of(subject: str, student: Student) -> Digest:
    """A student's terms: one for where she is, one for each level. The exact one knows what caused a level, too."""
    total = Digest()
    if student.school is not None:
        place = term("student", subject, student.school, student.grade, *student.classes)
        total += Digest(place, place)
    if student.merged:
        total += Digest(exact=term("merged", subject))
    for key, level in student.levels.items():
        exact = term("level", subject, *key, level.level, level.cause)
        total += Digest(exact, term("level", subject, *key, level.level))
    return total


def student_of(row: asyncpg.Record) -> Student:
    """A student from her row."""
    columns = zip(row["frameworks"], row["competencies"], row["levels"], row["causes"], strict=True)
    levels = {(framework, competency): Level(level, cause) for framework, competency, level, cause in columns}
    return Student(row["school"], row["grade"], tuple(row["classes"]), levels, row["merged"])


def _row(partition: int, subject: str, student: Student) -> tuple[object, ...]:
    levels = student.levels
    return (
        partition,
        subject,
        student.school,
        student.grade,
        student.classes,
        [framework for framework, _ in levels],
        [competency for _, competency in levels],
        [level.level for level in levels.values()],
        [level.cause for level in levels.values()],
        student.merged,
    )
