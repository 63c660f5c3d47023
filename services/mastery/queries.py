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
from services.mastery.domain import Student, as_known, initial
from services.mastery.explain import Explanation, Line, explain, lines_of
from services.mastery.rules import Rule
from services.mastery.standings import NOTHING, Key
from services.mastery.standings import Standing as Level
from services.mastery.store import reading as store
from services.mastery.store.reading import Count, Versions
from services.mastery.worlds import law_at, rules_at

VIEW = "mastery"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What an answer stands for: the generation, the last position and tick applied, and the reference world then."""

    standing: Standing
    position: int
    world: World


@dataclass(frozen=True, slots=True)
class StudentFound:
    """A student as her partition has come to know her. `parked`: she stands just before that event.

    `known_at`: the position that was asked for, as of which all of this is; None: as known now.
    """

    subject: str
    student: Student
    parked: Parked | None
    cursor: Cursor
    snapshot: Snapshot
    known_at: int | None = None


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

    async def student(self, subject: str, known_at: int | None = None) -> StudentFound:
        """A student with all her levels, as known now or at a position. Raises `Rejected` for one that nothing is known of."""
        async with reading(self._pool, VIEW) as (connection, standing):
            if known_at is None:
                return await self._student(connection, standing, subject)
            return await self._as_known(connection, standing, subject, known_at)

    async def competency(self, subject: str, key: Key, known_at: int | None = None) -> CompetencyFound:
        """What one of her levels rests on. Raises `Rejected` if she never had evidence in the competency."""
        async with reading(self._pool, VIEW) as (connection, standing):
            if known_at is None:
                found = await self._student(connection, standing, subject)
                story = await store.story(connection, found.cursor.partition, subject)
            else:
                found = await self._as_known(connection, standing, subject, known_at)
                story = found.student
        lines = lines_of(story, key) if story is not None else []
        if key not in found.student.standings and (not lines or found.student.into is not None):
            raise Rejected("no-evidence", "a competency that the student has evidence in", status=404)
        return _explained(found, key, lines)

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

    async def _as_known(self, connection: Connection, standing: Standing, subject: str, position: int) -> StudentFound:
        """A student recomputed from what was known of her at a position that her partition has passed."""
        cursor = standing.cursors[partition_of(subject, len(standing.cursors))]
        parked = await parking.find(connection, subject)
        last = parked.position - 1 if parked else cursor.positions[0]
        if position > last:
            raise Rejected("not-known-yet", f"a position that is applied: {last} at most", status=404)
        snapshot = await self._snapshot(connection, standing, position)
        story = await store.story(connection, cursor.partition, subject)
        known = as_known(story, position, law_at(snapshot.world)) if story is not None else None
        if known is None:
            raise Rejected("unknown-student", "the pseudonym of a student in the log", status=404)
        return StudentFound(subject, known, None, cursor, snapshot, position)

    async def _snapshot(self, connection: Connection, standing: Standing, position: int) -> Snapshot:
        versions = await self._versions.known(connection, standing.generation)
        return Snapshot(standing, position, versions.at(position))


def _explained(found: StudentFound, key: Key, lines: list[Line]) -> CompetencyFound:
    level = found.student.standings.get(key, NOTHING)
    rule = rules_at(found.snapshot.world)(*key, found.student.school)
    return CompetencyFound(found, key, level, rule, explain(lines, rule, level))
