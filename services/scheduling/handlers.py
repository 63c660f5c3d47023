"""The view: what the engine calls to fold the log and mastery's changes into what plans are made from.

Reference events move nobody here: a level comes from mastery, which has folded them already, and a plan reads their versions.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from pathlib import Path

from contracts.events import ClassRegistered, FrameworkPublished
from contracts.topics import EVIDENCE_LOG, MASTERY_CHANGES, SCHEDULE_CHANGES, Topic
from services.chassis.errors import Poison
from services.chassis.postgres import Connection
from services.chassis.projection.digest import Digest
from services.chassis.projection.reference import Version, World
from services.chassis.projection.view import Change, Entry, Scope, Step
from services.scheduling import domain
from services.scheduling.domain import Student
from services.scheduling.store import schools, students


class SchedulingView:
    """Satisfies `services.chassis.projection.view.View[Student]`."""

    name = "scheduling"
    fold_version = 2
    inputs: tuple[Topic, ...] = (EVIDENCE_LOG, MASTERY_CHANGES)
    output: Topic | None = SCHEDULE_CHANGES
    tables = Path(__file__).with_name("generation.sql").read_text(encoding="utf-8")

    async def load(
        self, connection: Connection, partition: int, asked: Mapping[str, Sequence[Entry]], *, whole: bool
    ) -> dict[str, Student]:
        """States by student. One who only has entries that move nobody (evidence) is not read: they give her back as she is."""
        wanted = [who for who, entries in asked.items() if whole or any(domain.concerns(entry.event.data) for entry in entries)]
        found = await students.load(connection, wanted) if wanted else {}
        return {who: found.get(who, domain.initial) for who in asked}

    def evolve(self, state: Student, entry: Entry, world: World) -> Step[Student]:
        return Step(domain.evolve(state, entry.event.data, entry.subject or ""))

    def refold(self, state: Student, entry: Entry, world: World) -> Step[Student]:
        return Step(state)

    async def save(self, connection: Connection, partition: int, changes: Sequence[Change[Student]]) -> Digest:
        return await students.save(connection, partition, changes)

    def version_of(self, entry: Entry) -> tuple[str, str] | None:
        data = entry.event.data
        if isinstance(data, FrameworkPublished) and data.count != len(data.competencies):
            raise Poison("count-differs")
        return schools.name_of(data)

    def effective_on(self, entry: Entry) -> dt.date | None:
        return domain.effective_on(entry.event.data)

    def moved_by(self, version: Version, before: World, after: World) -> Scope | None:
        return None

    def moved_at(self, before: World, after: World) -> Sequence[Scope]:
        return ()

    async def affected(self, connection: Connection, partition: int, scope: Scope, after: str, limit: int) -> Sequence[str]:
        return ()

    async def apply_reference(self, connection: Connection, partition: int, entries: Sequence[Entry]) -> None:
        registered = [entry.event.data for entry in entries if isinstance(entry.event.data, ClassRegistered)]
        await schools.add_classes(connection, registered)

    async def scan(self, connection: Connection, partition: int) -> Digest:
        return await students.scan(connection, partition)


view = SchedulingView()
