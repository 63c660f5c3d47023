"""The view: what the engine calls to fold the log into levels. Rules are in `domain.py`, SQL in `store/`.

What of a student is loaded is decided here, from the events to come: appending a piece must read no old one.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from contracts import records
from contracts.events import (
    AssessorReinstated,
    AssessorRevoked,
    EvidenceSubmitted,
    FrameworkPublished,
    PolicyPublished,
    ScalePublished,
    SchoolRegistered,
    StudentEnrolled,
    StudentTransferred,
    StudentWithdrawn,
)
from contracts.topics import EVIDENCE_LOG, MASTERY_CHANGES, Topic
from services.chassis.errors import Poison
from services.chassis.postgres import Connection
from services.chassis.projection import stories
from services.chassis.projection.digest import Digest
from services.chassis.projection.reference import Version, World
from services.chassis.projection.view import Change, Entry, Scope, Step
from services.mastery import domain
from services.mastery.domain import Student
from services.mastery.rules import fault_of
from services.mastery.standings import Key
from services.mastery.store import digests, loading, names, saving, sweeps
from services.mastery.worlds import law_at, moved_at, moved_by


class MasteryView:
    """Satisfies `services.chassis.projection.view.View[Student]`."""

    name = "mastery"
    fold_version = 2
    inputs: tuple[Topic, ...] = (EVIDENCE_LOG,)
    output: Topic | None = MASTERY_CHANGES
    tables = Path(__file__).with_name("generation.sql").read_text(encoding="utf-8") + stories.TABLES

    async def load(
        self, connection: Connection, partition: int, asked: Mapping[str, Sequence[Entry]], *, whole: bool
    ) -> dict[str, Student]:
        """States by student: the competencies that her evidence is about, or the whole of who moves or has late pieces."""
        if whole:
            found = await loading.whole(connection, partition, asked)
            return {who: found.get(who, domain.initial) for who in asked}
        found = await loading.persons(connection, partition, asked)
        wanted = {who: wanted_by(asked[who]) for who in found}
        many = [who for who, keys in wanted.items() if len(keys) >= saving.MANY]
        few = [(who, key) for who, keys in wanted.items() if len(keys) < saving.MANY for key in keys]
        found |= await loading.narrow(connection, partition, found, few)
        found |= await loading.whole(connection, partition, many, evidence=False) if many else {}
        linked = await stories.linked(connection, partition, asked)
        needed = [who for who in found if who in linked or _needs_all(found[who], asked[who])]
        found |= await loading.whole(connection, partition, needed) if needed else {}
        return {who: found.get(who, domain.initial) for who in asked}

    def evolve(self, state: Student, entry: Entry, world: World) -> Step[Student]:
        student, moves = domain.evolve(state, entry.subject or "", entry.event, entry.position, law_at(world))
        return Step(student, domain.changes(student, entry.position, moves))

    def refold(self, state: Student, entry: Entry, world: World) -> Step[Student]:
        student, moves = domain.refold(state, entry.event, entry.position, law_at(world))
        return Step(student, domain.changes(student, entry.position, moves))

    async def save(self, connection: Connection, partition: int, changes: Sequence[Change[Student]]) -> Digest:
        mentioned = saving.mentioned(changes)
        keys = await names.keys(connection, partition, mentioned) if mentioned else {}
        await saving.students(connection, partition, changes, keys)
        await saving.pieces(connection, partition, changes, keys)
        await saving.counts(connection, partition, changes)
        return digests.moved_by(changes)

    def version_of(self, entry: Entry) -> tuple[str, str] | None:
        data = entry.event.data
        match data:
            case FrameworkPublished(framework=id):
                kind = "framework"
            case ScalePublished(scale=id):
                kind = "scale"
            case PolicyPublished(policy=id):
                kind = "policy"
            case SchoolRegistered(school=id):
                return "school", id
            case AssessorRevoked(assessor=id) | AssessorReinstated(assessor=id):
                return stories.ASSESSOR, id
            case _:
                return None
        if fault := fault_of(data):
            raise Poison(fault)
        return kind, id

    def effective_on(self, entry: Entry) -> dt.date | None:
        return domain.effective_on(entry.event.data)

    def moved_by(self, version: Version, before: World, after: World) -> Scope | None:
        return moved_by(version, before, after)

    def moved_at(self, before: World, after: World) -> Sequence[Scope]:
        return moved_at(before, after)

    async def affected(self, connection: Connection, partition: int, scope: Scope, after: str, limit: int) -> Sequence[str]:
        if stories.ASSESSOR in scope:
            return await stories.assessed(connection, partition, scope, after, limit)
        return await sweeps.affected(connection, partition, scope["frameworks"], scope["school"], after, limit)

    async def apply_reference(self, connection: Connection, partition: int, entries: Sequence[Entry]) -> None:
        policies = ((entry.position, data) for entry in entries if isinstance(data := entry.event.data, PolicyPublished))
        await names.add_policies(connection, ((position, data.policy, data.version) for position, data in policies))

    async def scan(self, connection: Connection, partition: int) -> Digest:
        return await digests.scan(connection, partition)


view = MasteryView()


# What is loaded.


def wanted_by(entries: Iterable[Entry]) -> list[Key]:
    """The competencies that a student's evidence is about, each once."""
    evidence = (data for entry in entries if isinstance(data := entry.event.data, EvidenceSubmitted))
    return list(dict.fromkeys((data.framework, data.competency) for data in evidence))


def _needs_all(student: Student, entries: Sequence[Entry]) -> bool:
    """Whether folding these entries looks at more of her than what they are about."""
    return any(records.retells(entry.event) for entry in entries) or _may_move(student, entries) or _has_late(student, entries)


def _may_move(student: Student, entries: Iterable[Entry]) -> bool:
    """Whether another school may count her afterwards, or none: then all her levels are counted anew."""
    for entry in entries:
        match entry.event.data:
            case EvidenceSubmitted():
                continue
            case StudentWithdrawn():
                return True
            case StudentEnrolled(school=school) | StudentTransferred(school=school) if school != student.counted_at:
                return True
    return False


def _has_late(student: Student, entries: Iterable[Entry]) -> bool:
    """Whether a piece that may count happened no later than one before it, so that the order of occurrence needs them all."""
    last = {key: standing.last for key, standing in student.standings.items()}
    for entry in entries:
        data, time = entry.event.data, entry.event.time
        if not isinstance(data, EvidenceSubmitted) or data.kind == "practice":
            continue
        key = (data.framework, data.competency)
        latest = last.get(key)
        if latest is not None and time <= latest:
            return True
        last[key] = time
    return False
