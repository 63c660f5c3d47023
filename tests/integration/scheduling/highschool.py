"""A high school told in two topics, folded into scheduling's view, and what its plans say and leave behind."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from contracts.codec import decode
from contracts.envelope import Data, Event
from contracts.events import (
    ClassRegistered,
    LogTicked,
    MasteryChanged,
    SchoolRegistered,
    SeatAssigned,
    SeatReleased,
    StudentEnrolled,
)
from contracts.events.mastery import Move
from services.chassis import postgres
from services.chassis.postgres import Pool
from services.chassis.projection import serving
from services.chassis.projection.apply import Applier, scan
from services.chassis.projection.digest import Digest
from services.chassis.projection.serving import create_generation, schema_of, set_path
from services.chassis.projection.view import Entry
from services.scheduling.domain import Student
from services.scheduling.handlers import SchedulingView
from tests.stack import Stack
from tests.story import Story, a_student
from tests.unit.scheduling.builders import FRAMEWORK, a_calendar, a_framework, a_policy, a_scale, a_section

PARTITIONS = 2
SCHOOL = "HS1"
WEEK = "2026-W41"


class Topics:
    """`evidence.log` and `mastery.changes`, told side by side. A tick goes into both, as mastery echoes it."""

    def __init__(self) -> None:
        self.log = Story(PARTITIONS)
        self._mastery = Story(PARTITIONS)

    def tell(self, data: Data, *, student: str | None = None) -> None:
        self.log.tell(data, student=student)

    def enrol(self, student: str, *classes: str, school: str = SCHOOL) -> None:
        self.tell(StudentEnrolled(school=school, grade="9", classes=classes, effective=self.log.now.date()), student=student)

    def move(self, student: str, **levels: int | None) -> None:
        """Mastery says that a student came to these levels."""
        moves = tuple(_move(competency, level) for competency, level in levels.items())
        self._mastery.now = self.log.now  # what mastery says was recorded when its cause was
        self._mastery.tell(MasteryChanged(cause=str(self.log.position), school=SCHOOL, moves=moves), student=student)

    def tick(self, *, days: int = 0) -> None:
        self.log.tick(days=days)
        self._mastery.now = self.log.now
        self._mastery.tell(LogTicked(time=self.log.now.replace(microsecond=0), date=self.log.now.date()))

    def of_log(self, partition: int) -> list[Entry]:
        return self.log.entries(partition)

    def of_mastery(self, partition: int) -> list[Entry]:
        """Its entries: a topic of changes begins without the log's opening, and its positions are its sequences."""
        told = self._mastery.entries(partition)[1:]
        return [replace(entry, input=1, sequence=n, offset=n, position=n) for n, entry in enumerate(told)]

    def entries(self, partition: int) -> list[Entry]:
        return [*self.of_log(partition), *self.of_mastery(partition)]


def _move(competency: str, level: int | None) -> Move:
    said = {"framework": FRAMEWORK, "competency": competency, "level": level, "value_thousandths": None}
    return Move.model_validate(said | {"previous_level": None, "pieces": 1, "policy": "policy-1", "policy_version": 1})


def a_term(students: int = 12, *, sections: Sequence[ClassRegistered] = ()) -> Topics:
    """Students at levels 1 to 4 of two competencies, flex duty every weekday, and a tick behind it all."""
    told = Topics()
    told.tick()
    reference = [SchoolRegistered(school=SCHOOL, label="High school 1"), a_calendar(), a_framework("A", "B"), a_scale()]
    for data in [*reference, a_policy().policy, *(sections or default_sections())]:
        told.tell(data)
    for number in range(students):
        told.enrol(a_student(number))
        told.move(a_student(number), A=1 + number % 4, B=1 + number // 4 % 4)
    told.tick()
    return told


def default_sections() -> list[ClassRegistered]:
    return [a_section("FLEX-A", capacity=3, competencies=["A"]), a_section("FLEX-B", capacity=2, competencies=["B"])]


@dataclass
class House:
    """A fresh database with the view. The first generation made is the one that serves."""

    dsn: str
    pool: Pool
    view: SchedulingView

    async def generation(self) -> Applier[Student]:
        number = await create_generation(self.pool, self.view, PARTITIONS, actor="test", reason="test")
        applier = Applier(self.pool, self.view, number)
        for partition in range(PARTITIONS):
            await applier.claim(partition)
        return applier

    async def fold(self, told: Topics) -> Applier[Student]:
        """A generation folded from everything told."""
        applier = await self.generation()
        await catch_up(applier, told)
        return applier

    async def kept(self, generation: int) -> list[Digest]:
        async with self.pool.acquire() as connection:
            return [each.digest for each in await serving.cursors_of(connection, self.view.name, generation)]

    async def scanned(self, generation: int) -> list[Digest]:
        async with self.pool.acquire() as connection, connection.transaction():
            await set_path(connection, schema_of(self.view.name, generation))
            return [await scan(connection, self.view, partition) for partition in range(PARTITIONS)]

    async def said(self, partition: int) -> list[Event[Data]]:
        """What is in the outbox, in order, without the echoes of ticks."""
        query = "SELECT record FROM outbox WHERE partition = $1 ORDER BY sequence"
        events = [decode(row["record"]) for row in await self.pool.fetch(query, partition)]
        return [event for event in events if not isinstance(event.data, LogTicked)]

    async def seats_said(self) -> dict[tuple[str, str, str], tuple[str, str, str]]:
        """Who sits where, folded from the outbox alone: a few plain lines that share nothing with what they check."""
        seats: dict[tuple[str, str, str], tuple[str, str, str]] = {}
        for partition in range(PARTITIONS):
            for event in await self.said(partition):
                match event.data:
                    case SeatReleased() as it:
                        assert seats.pop((event.subject or "", str(it.date), it.period))[0] == it.class_
                    case SeatAssigned() as it:
                        seats[event.subject or "", str(it.date), it.period] = (it.class_, it.competency, it.reason)
        return seats

    async def seats_kept(self) -> dict[tuple[str, str, str], tuple[str, str, str]]:
        """Who sits where, by the plans' tables."""
        rows = await self.pool.fetch("SELECT student, date, period, class, competency, reason FROM seats")
        return {(row["student"], str(row["date"]), row["period"]): (row["class"], row["competency"], row["reason"]) for row in rows}

    async def said_by_type(self) -> dict[str, int]:
        """How many events of each type were said, over all partitions."""
        counts: dict[str, int] = defaultdict(int)
        for partition in range(PARTITIONS):
            for event in await self.said(partition):
                counts[event.type] += 1
        return dict(counts)


async def catch_up(applier: Applier[Student], told: Topics) -> None:
    """Apply whatever is new; what was applied is passed over."""
    for partition in range(PARTITIONS):
        await applier.apply(partition, told.entries(partition))


@asynccontextmanager
async def a_house(stack: Stack) -> AsyncIterator[House]:
    dsn = stack.fresh_database("scheduling")
    async with await postgres.create_pool(dsn, application="test", size=8) as pool:
        yield House(dsn, pool, SchedulingView())
