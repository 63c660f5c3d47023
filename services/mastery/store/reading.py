"""What is asked of the view: one student, a school's counts, a competency's counts, the versions that name things."""

from __future__ import annotations

from dataclasses import dataclass, replace

from contracts.codec import decode
from services.chassis.postgres import Connection
from services.chassis.projection.reference import Reference, Version
from services.mastery.domain import Student
from services.mastery.store import loading


@dataclass(frozen=True, slots=True)
class Count:
    """Students enrolled in a school who are at a level of a competency; `level` None: evidence, but no level."""

    school: str
    framework: str
    competency: str
    level: int | None
    students: int


async def student(connection: Connection, partition: int, subject: str) -> Student | None:
    """A student with all her standings, without her evidence."""
    return (await loading.whole(connection, partition, [subject], evidence=False)).get(subject)


async def story(connection: Connection, partition: int, subject: str) -> Student | None:
    """A student with all that she ever was: her evidence and its corrections, and her chapters."""
    found = (await loading.whole(connection, partition, [subject])).get(subject)
    if found is None:
        return None
    return replace(found, chapters=(await loading.chapters(connection, partition, [subject])).get(subject, ()))


async def enrolled(connection: Connection, school: str) -> int:
    """How many students are enrolled in a school."""
    return int(
        await connection.fetchval(
            "SELECT count(*) FROM cursor AS c JOIN students AS s ON s.partition = c.partition AND s.school = $1 AND s.enrolled",
            school,
        )
    )


async def counts_of_school(connection: Connection, school: str) -> list[Count]:
    """A school's counts by competency and level."""
    return await _counts(connection, "school = $1", school)


async def counts_of_competency(connection: Connection, framework: str, competency: str) -> list[Count]:
    """A competency's counts by school and level."""
    return await _counts(connection, "framework = $1 AND competency = $2", framework, competency)


async def _counts(connection: Connection, condition: str, *values: str) -> list[Count]:
    rows = await connection.fetch(
        f"""
        SELECT school, framework, competency, nullif(level, -1) AS level, sum(students)::int AS students
        FROM school_levels WHERE {condition}
        GROUP BY school, framework, competency, level HAVING sum(students) <> 0
        ORDER BY school, framework, competency, level NULLS FIRST
        """,
        *values,
    )
    return [Count(**dict(row)) for row in rows]


class Versions:
    """The reference versions of the serving generation, kept between requests: they never change, only later ones come.

    Every partition has every reference event in the same order, so versions become visible in order of position.
    """

    def __init__(self) -> None:
        self._generation = 0
        self._reference = Reference()
        self._last = (-1, -1)

    async def known(self, connection: Connection, generation: int) -> Reference:
        """All versions and dates that this transaction's snapshot has, and perhaps later ones: ask it at a position."""
        if generation != self._generation:
            self._generation, self._reference, self._last = generation, Reference(), (-1, -1)
        reference, (last, midnight) = self._reference, self._last
        rows = await connection.fetch("SELECT kind, id, position, record FROM versions WHERE position > $1", last)
        dates = await connection.fetch("SELECT position, date FROM midnights WHERE position > $1", midnight)
        for row in rows:
            reference.add(Version(row["kind"], row["id"], row["position"], decode(row["record"]).data))
        for row in dates:
            reference.add_date(row["position"], row["date"])
        if reference is self._reference:
            self._last = (
                max([self._last[0], *(row["position"] for row in rows)]),
                max([self._last[1], *(row["position"] for row in dates)]),
            )
        return reference
