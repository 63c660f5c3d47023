"""The view that the projection engine folds: evidence, moves and seats, joined a student. Rules are in `domain`, SQL in `store`."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path

from contracts import records
from contracts.events import (
    AssessorReinstated,
    AssessorRevoked,
    FrameworkPublished,
    PlanPublished,
    SeatAssigned,
    SeatReleased,
    StudentMerged,
    StudentUnmerged,
)
from contracts.topics import Topic
from services.chassis.errors import Poison
from services.chassis.postgres import Connection
from services.chassis.projection import stories
from services.chassis.projection.digest import Digest, term
from services.chassis.projection.reference import Version, World
from services.chassis.projection.view import Change, Entry, Scope, Step
from services.reporting import domain
from services.reporting.domain import Block, HeadKey, LevelKey, Student
from services.reporting.store import counts, evidence, published, students

# Raised when golden results change: a generation is folded by its own version only.
FOLD_VERSION = 2


class Reports:
    """Satisfies the engine's `View[Student]`."""

    name = domain.VIEW
    fold_version = FOLD_VERSION
    inputs: tuple[Topic, ...] = domain.INPUTS
    output: Topic | None = None
    tables = (Path(__file__).parent / "generation.sql").read_text(encoding="utf-8") + stories.TABLES

    async def load(
        self, connection: Connection, partition: int, asked: Mapping[str, Sequence[Entry]], *, whole: bool
    ) -> dict[str, Student]:
        """Students as they are kept, each with the seats that her entries touch, and her evidence if they touch what came before.

        Who is merged or comes back has all her seats: they mean nothing while she is nobody.
        """
        blocks = {subject: touched for subject, entries in asked.items() if (touched := _blocks(entries))}
        found = await students.load(connection, asked, blocks)
        linked = await stories.linked(connection, partition, asked)
        retold = [who for who in found if whole or who in linked or any(records.retells(entry.event) for entry in asked[who])]
        if retold:
            found |= await self._stories(connection, partition, {who: found[who] for who in retold})
        turning = [who for who in found if whole or any(map(_turns, asked[who]))]
        seats = await students.all_seats(connection, turning) if turning else {}
        found |= {who: replace(found[who], seats=seats.get(who, {})) for who in turning}
        return {subject: found.get(subject, domain.initial) for subject in asked}

    async def _stories(self, connection: Connection, partition: int, found: Mapping[str, Student]) -> dict[str, Student]:
        told = await evidence.load(connection, partition, found)
        retracted = await stories.retractions(connection, partition, found)
        return {
            who: replace(student, story=told.get(who, ()), retractions=retracted.get(who, ())) for who, student in found.items()
        }

    def evolve(self, state: Student, entry: Entry, world: World) -> Step[Student]:
        """Fold one event of a student."""
        return Step(domain.evolve(state, entry.subject or "", entry.event, entry.position, partial(stories.revoked, world)))

    def refold(self, state: Student, entry: Entry, world: World) -> Step[Student]:
        """An assessor's standing decides which evidence counts. What else is published mastery and scheduling say themselves."""
        judged = domain.rejudged(state.story, partial(stories.revoked, world))
        return Step(domain.recounted(replace(state, story=judged)) if judged != state.story else state)

    async def save(self, connection: Connection, partition: int, changes: Sequence[Change[Student]]) -> Digest:
        """Write students, their evidence, seats and counts."""
        await students.save(connection, partition, {it.subject: it.after for it in changes if _row_moved(it)})
        await evidence.save(connection, partition, changes)
        await _save_seats(connection, partition, changes)
        levels: Counter[LevelKey] = Counter()
        heads: Counter[HeadKey] = Counter()
        pieces: Counter[HeadKey] = Counter()
        for it in changes:
            levels.update(domain.level_counts(it.before, it.after))
            for key, (by, by_pieces) in domain.head_counts(it.before, it.after).items():
                heads[key] += by
                pieces[key] += by_pieces
        await counts.add_levels(connection, partition, levels)
        await counts.add_heads(connection, partition, {key: (by, pieces[key]) for key, by in heads.items()})
        moved = sum((_digest(it.subject, it.after) - _digest(it.subject, it.before) for it in changes), Digest())
        moved += sum((_moved_story(it) for it in changes), Digest())
        return moved + _digest_of_counts(levels.items(), ((key, by, pieces[key]) for key, by in heads.items()))

    def version_of(self, entry: Entry) -> tuple[str, str] | None:
        """Labels, axes, scales, policies, calendars, flex sections. A framework that was cut short is void, as in mastery."""
        data = entry.event.data
        if isinstance(data, FrameworkPublished):
            codes = {competency.competency for competency in data.competencies}
            if not len(codes) == len(data.competencies) == data.count:
                raise Poison("count-differs")
        if isinstance(data, AssessorRevoked | AssessorReinstated):
            return stories.ASSESSOR, data.assessor
        return published.name_of(data)

    def effective_on(self, entry: Entry) -> dt.date | None:
        """The date of an enrolment; everything else holds at once."""
        return domain.effective_on(entry.event.data)

    def moved_by(self, version: Version, before: World, after: World) -> Scope | None:
        """Whom a revoked or reinstated assessor assessed."""
        return stories.moved_by(version)

    def moved_at(self, before: World, after: World) -> Sequence[Scope]:
        """Nobody: see `refold`."""
        return ()

    async def affected(self, connection: Connection, partition: int, scope: Scope, after: str, limit: int) -> Sequence[str]:
        """See `moved_by`."""
        return await stories.assessed(connection, partition, scope, after, limit)

    async def apply_reference(self, connection: Connection, partition: int, entries: Sequence[Entry]) -> None:
        """Keep what was published, and plans."""
        versions = [
            published.Version(*named, entry.position, entry.event.data)
            for entry in entries
            if (named := published.name_of(entry.event.data)) is not None
        ]
        await published.keep(connection, versions)
        for entry in entries:
            if isinstance(entry.event.data, PlanPublished):
                await published.keep_plan(connection, entry.event.data, entry.event.recordedtime)

    async def scan(self, connection: Connection, partition: int) -> Digest:
        """The digest from the rows: students and seats, and the counts, which must be the sums over them."""
        total = Digest()
        async for batch in students.every(connection, partition):
            for subject, student in (await self._stories(connection, partition, batch)).items():
                total += _digest(subject, student) + _story_digest(subject, student)
        levels = [row async for row in counts.kept_levels(connection, partition)]
        heads = [row async for row in counts.kept_heads(connection, partition)]
        return total + _digest_of_counts(levels, heads)


def _blocks(entries: Iterable[Entry]) -> list[Block]:
    """The flex blocks that a student's entries give or take seats in."""
    touched = (entry.event.data for entry in entries)
    return [(data.date, data.period) for data in touched if isinstance(data, SeatAssigned | SeatReleased)]


def _turns(entry: Entry) -> bool:
    """Whether a student becomes nobody, or somebody again."""
    return isinstance(entry.event.data, StudentMerged | StudentUnmerged)


def _row_moved(change: Change[Student]) -> bool:
    """Whether more than seats changed."""
    before, after = change.before, change.after
    return before is domain.initial or any(
        getattr(before, name) != getattr(after, name)
        for name in ("school", "grade", "cohort", "pieces", "last_evidence", "standings", "into")
    )


async def _save_seats(connection: Connection, partition: int, changes: Sequence[Change[Student]]) -> None:
    given = [
        (it.subject, block, seat) for it in changes for block, seat in it.after.seats.items() if it.before.seats.get(block) != seat
    ]
    taken = [(it.subject, block) for it in changes for block in it.before.seats.keys() - it.after.seats.keys()]
    if given or taken:
        await students.save_seats(connection, partition, given, taken)


def _digest(subject: str, student: Student) -> Digest:
    pairs = domain.terms(subject, student)
    return sum((Digest(_cached_term(exact), _cached_term(meaning) if meaning else 0) for exact, meaning in pairs), Digest())


def _story_digest(subject: str, student: Student) -> Digest:
    return sum((Digest(exact=term(*parts)) for parts in domain.story_terms(subject, student)), Digest())


def _moved_story(change: Change[Student]) -> Digest:
    """What a student's story moves the digest by. Nearly always there is one piece more, and that is all that was loaded."""
    return _story_digest(change.subject, change.after) - _story_digest(change.subject, change.before)


@lru_cache(maxsize=65_536)  # most terms of a student are the same before and after an event
def _cached_term(parts: domain.Term) -> int:
    return term(*parts)


def _digest_of_counts(levels: Iterable[tuple[LevelKey, int]], heads: Iterable[tuple[HeadKey, int, int]]) -> Digest:
    """Counts as terms taken as often as they count, so that keeping and scanning agree only if the counts do."""
    total = sum(_cached_term(("level-count", *key)) * students for key, students in levels)
    for key, students_, pieces in heads:
        total += _cached_term(("head-count", *key)) * students_ + _cached_term(("piece-count", *key)) * pieces
    return Digest() + Digest(total, total)
