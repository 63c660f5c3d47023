"""What can be asked of mastery, each in one snapshot of the serving generation. Nothing is written."""

from __future__ import annotations

from dataclasses import dataclass

from contracts.ids import partition_of
from services.chassis.errors import Rejected
from services.chassis.postgres import Connection, Pool
from services.chassis.projection import parking
from services.chassis.projection.cursor import Cursor
from services.chassis.projection.parking import Parked
from services.chassis.projection.reference import World
from services.chassis.projection.serving import Standing, reading
from services.mastery.domain import Key, Piece, Student, initial
from services.mastery.domain import Standing as Level
from services.mastery.explain import Explanation, explain
from services.mastery.rules import Rule
from services.mastery.store import reading as store
from services.mastery.store.reading import Count, Versions
from services.mastery.worlds import rules_at

VIEW = "mastery"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What an answer stands for: the generation, the last position and tick applied, and the reference world then."""

    standing: Standing
    position: int
    world: World


@dataclass(frozen=True, slots=True)
class StudentFound:
    """A student as her partition has come to know her. `parked`: she stands just before that event."""

    subject: str
    student: Student
    parked: Parked | None
    cursor: Cursor
    snapshot: Snapshot


@dataclass(frozen=True, slots=True)
class CompetencyFound:
    """A student's level in one competency and how it came about. `rule` None: no policy in force."""

    found: StudentFound
    key: Key
    level: Level
    rule: Rule | None
    explanation: Explanation


@dataclass(frozen=True, slots=True)
class CountsFound:
    """Counts of students enrolled now. `students`: all of a school's (None where schools are compared)."""

    counts: list[Count]
    students: int | None
    snapshot: Snapshot


class Queries:
    """The questions, over one pool."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._versions = Versions()

    async def student(self, subject: str) -> StudentFound:
        """A student with all her levels. Raises `Rejected` for one that nothing is known of."""
        async with reading(self._pool, VIEW) as (connection, standing):
            return await self._student(connection, standing, subject)

    async def competency(self, subject: str, key: Key) -> CompetencyFound:
        """What one of her levels rests on. Raises `Rejected` if she has no evidence in the competency."""
        async with reading(self._pool, VIEW) as (connection, standing):
            found = await self._student(connection, standing, subject)
            pieces = await store.evidence(connection, found.cursor.partition, subject, key)
        if key not in found.student.standings:
            raise Rejected("no-evidence", "a competency that the student has evidence in", status=404)
        return _explained(found, key, pieces)

    async def school(self, school: str) -> CountsFound:
        """A school's counts. Raises `Rejected` for a school that nothing is known of."""
        async with reading(self._pool, VIEW) as (connection, standing):
            snapshot = await self._snapshot(connection, standing, standing.position)
            counts = await store.counts_of_school(connection, school)
            students = await store.enrolled(connection, school)
        if not counts and not students and snapshot.world.get("school", school) is None:
            raise Rejected("unknown-school", "the code of a registered school", status=404)
        return CountsFound(counts, students, snapshot)

    async def across_schools(self, key: Key) -> CountsFound:
        """A competency's counts by school. Raises `Rejected` for one of which there is no evidence."""
        async with reading(self._pool, VIEW) as (connection, standing):
            snapshot = await self._snapshot(connection, standing, standing.position)
            counts = await store.counts_of_competency(connection, *key)
        if not counts:
            raise Rejected("unknown-competency", "a competency that enrolled students have evidence in", status=404)
        return CountsFound(counts, None, snapshot)

    async def standing(self) -> tuple[Standing, list[Parked]]:
        """How far each partition has come, and who is parked."""
        async with reading(self._pool, VIEW) as (connection, standing):
            return standing, await parking.every(connection)

    async def _student(self, connection: Connection, standing: Standing, subject: str) -> StudentFound:
        cursor = standing.cursors[partition_of(subject, len(standing.cursors))]
        student = await store.student(connection, cursor.partition, subject)
        parked = await parking.find(connection, subject)
        if student is None and parked is None:
            raise Rejected("unknown-student", "the pseudonym of a student in the log", status=404)
        # In the middle of a sweep she may be past a policy that her partition is not past yet.
        position = max(parked.position - 1 if parked else cursor.positions[0], student.position if student else -1)
        return StudentFound(subject, student or initial, parked, cursor, await self._snapshot(connection, standing, position))

    async def _snapshot(self, connection: Connection, standing: Standing, position: int) -> Snapshot:
        versions = await self._versions.known(connection, standing.generation)
        return Snapshot(standing, position, versions.at(position))


def _explained(found: StudentFound, key: Key, pieces: list[Piece]) -> CompetencyFound:
    level = found.student.standings[key]
    rule = rules_at(found.snapshot.world)(*key, found.student.school)
    return CompetencyFound(found, key, level, rule, explain(pieces, rule, level))
