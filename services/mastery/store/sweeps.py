"""Whom a policy or a scale may move."""

from __future__ import annotations

from collections.abc import Sequence

from services.chassis.postgres import Connection

_AFFECTED = """
SELECT student FROM students
WHERE partition = $1 AND student > $4 AND ($3::text IS NULL OR school = $3)
  AND keys && (SELECT array_agg(key) FROM competencies WHERE partition = $1 AND framework = ANY($2::text[]))
ORDER BY student LIMIT $5
"""


async def affected(
    connection: Connection, partition: int, frameworks: Sequence[str], school: str | None, after: str, limit: int
) -> list[str]:
    """The next students above `after` who stand in any of the frameworks, those under one school's policies or all."""
    rows = await connection.fetch(_AFFECTED, partition, list(frameworks), school, after, limit)
    return [row["student"] for row in rows]
