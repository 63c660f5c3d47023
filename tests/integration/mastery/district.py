"""A term in a small district with everything in it, and a database that mastery's view folds it into."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Sequence
from dataclasses import dataclass

from contracts.codec import decode
from contracts.events import MasteryChanged
from contracts.events.mastery import Move
from services.chassis.postgres import Pool
from services.chassis.projection import serving
from services.chassis.projection.apply import Applier, scan
from services.chassis.projection.digest import Digest
from services.chassis.projection.serving import create_generation, schema_of, set_path
from services.mastery.domain import Student
from services.mastery.handlers import MasteryView
from tests.story import Story, a_student
from tests.unit.mastery.events import (
    a_framework,
    a_policy,
    a_scale,
    a_school,
    an_evidence_submitted,
    enrolled,
    transferred,
    withdrawn,
)

PARTITIONS = 2
COMPETENCIES = tuple(f"MA.{number}" for number in range(1, 6))


def a_curriculum(story: Story) -> None:
    """Two schools, a framework, a scale with one that converts to it, a district policy and one school's own."""
    for school in ("HS1", "HS2"):
        story.tell(a_school(school))
    story.tell(a_framework(competencies=COMPETENCIES))
    story.tell(a_scale())
    story.tell(a_scale("quiz", (10, 20, 30, 40), converts_to="d4"))
    story.tell(a_policy("decaying", weight=65))
    story.tell(a_policy("n_mastery", policy="own", school="HS2", results=2, mastery=2500))


def a_term(students: int = 24, pieces: int = 400, seed: int = 7) -> Story:
    """Enrolments, late evidence, practice, ties; transfers and withdrawals with dates to come; policies now and at a midnight."""
    chance = random.Random(seed)
    story = Story(PARTITIONS)
    story.tick(days=1)
    a_curriculum(story)
    for number in range(students):
        story.tell(enrolled(chance.choice(["HS1", "HS2"]), story.now.date()), student=a_student(number))
    for number in range(pieces):
        a_piece(story, chance, students)
        if number % 50 == 49:
            happening(story, chance, number // 50, students)
    story.tick(days=1)
    return story


def a_piece(story: Story, chance: random.Random, students: int) -> None:
    """One piece: mostly of now, one in five of some days ago, one in ten at a whole hour that others have too."""
    late = dt.timedelta(hours=chance.randrange(1, 200)) if chance.random() < 0.2 else dt.timedelta()
    time = story.now - late
    if chance.random() < 0.1:
        time = time.replace(minute=0, second=0, microsecond=0)
    quiz = chance.random() < 0.3
    data = an_evidence_submitted(
        chance.randrange(0, 50) if quiz else chance.randrange(0, 9) / 2,
        scale="quiz" if quiz else chance.choice(["d4", "d4", "d4", "percent"]),
        competency=chance.choice(COMPETENCIES),
        kind=chance.choice(["assessment", "performance", "observation", "judgement", "practice"]),
        context=chance.choice([None, "home", "lab"]),
        attempt=chance.choice([None, 1, 2]),
    )
    story.tell(data, student=a_student(chance.randrange(students)), time=time)


def happening(story: Story, chance: random.Random, number: int, students: int) -> None:
    """What a term has besides evidence, one thing after another."""
    tomorrow = story.now.date() + dt.timedelta(days=1)
    someone = a_student(chance.randrange(students))
    match number % 8:
        case 0:
            story.tell(transferred("HS2", story.now.date()), student=someone)
        case 1:
            story.tell(transferred("HS1", tomorrow), student=someone)
        case 2:
            story.tell(a_policy("average", policy="averaged", competencies=("MA.2",), effective=tomorrow))
        case 3:
            story.tell(a_policy("latest", policy="recorded", order="recorded", competencies=("MA.3",)))
        case 4:
            story.tell(withdrawn("HS1", story.now.date()), student=someone)
            story.tell(enrolled("HS1", tomorrow, cohort="2030", classes=("alg-1", "eng-2")), student=a_student(0))
        case 5:
            story.tell(a_scale("quiz", (12, 22, 32, 42), converts_to="d4", version=2))
        case 6:
            story.tell(a_scale("d4", (1, 2, 2.75, 3.5), version=2))
        case 7:
            story.tell(a_policy("highest", policy="own", version=2, school="HS2", effective=tomorrow))
    story.tick(days=number % 2)


@dataclass
class District:
    """The pool and the view; the first generation serves."""

    pool: Pool
    view: MasteryView

    async def generation(self, *, batch: int = 2000, sweep: int = 500) -> Applier[Student]:
        number = await create_generation(self.pool, self.view, PARTITIONS, actor="test", reason="test")
        applier = Applier(self.pool, self.view, number, batch=batch, sweep=sweep)
        for partition in range(PARTITIONS):
            await applier.claim(partition)
        return applier

    async def folded(self, story: Story, *, size: int = 10_000, sweep: int = 500) -> Applier[Student]:
        """A new generation with a whole story in it, applied in batches of `size`."""
        applier = await self.generation(sweep=sweep)
        await apply_all(applier, story, size)
        return applier

    async def digest(self, generation: int) -> Digest:
        async with self.pool.acquire() as connection:
            cursors = await serving.cursors_of(connection, "mastery", generation)
        return sum((cursor.digest for cursor in cursors), Digest())

    async def scanned(self, generation: int) -> Digest:
        async with self.pool.acquire() as connection, connection.transaction():
            await set_path(connection, schema_of("mastery", generation))
            return sum([await scan(connection, self.view, partition) for partition in range(PARTITIONS)], Digest())

    async def students(self, generation: int) -> dict[str, Student]:
        """Everybody, whole, as the store has them."""
        found: dict[str, Student] = {}
        async with self.pool.acquire() as connection, connection.transaction():
            await set_path(connection, schema_of("mastery", generation))
            for row in await connection.fetch("SELECT partition, student FROM students"):
                found |= await self.view.load(connection, row["partition"], {row["student"]: ()}, whole=True)
        return found

    async def told(self) -> dict[tuple[str, str, str], Move]:
        """The last move of each student and competency in the outbox."""
        last: dict[tuple[str, str, str], Move] = {}
        async with self.pool.acquire() as connection:
            for row in await connection.fetch("SELECT record FROM outbox ORDER BY partition, sequence"):
                event = decode(row["record"])
                if isinstance(event.data, MasteryChanged) and event.subject:
                    last |= {(event.subject, move.framework, move.competency): move for move in event.data.moves}
        return last


async def apply_all(applier: Applier[Student], story: Story, size: int, partitions: Sequence[int] = range(PARTITIONS)) -> None:
    """Apply a story in batches of `size`, a partition at a time."""
    for partition in partitions:
        entries = story.entries(partition)
        for start in range(0, len(entries), size):
            await applier.apply(partition, entries[start : start + size])
