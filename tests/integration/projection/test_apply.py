"""The engine's promises, on real Postgres, told with the smallest view."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from contracts.events import LogTicked, MasteryChanged, StudentEnrolled
from services.chassis import postgres
from services.chassis.errors import Paused
from services.chassis.projection import parking, serving
from services.chassis.projection.apply import Applier
from services.chassis.projection.chunk import Chunk
from services.chassis.projection.cursor import Cursor, Gap, Lost
from services.chassis.projection.digest import Digest
from services.chassis.projection.history import VOID
from services.chassis.projection.redrive import redrive
from services.chassis.projection.serving import schema_of
from services.chassis.projection.view import Entry
from tests.integration.projection.house import PARTITIONS, House, apply_in
from tests.integration.projection.tally import Tally, TallyView, a_policy
from tests.stack import Stack
from tests.story import Story, a_student

pytestmark = pytest.mark.stack


@pytest.fixture
async def house(stack: Stack) -> AsyncIterator[House]:
    async with await postgres.create_pool(stack.chassis_database(), application="test", size=4) as pool:
        yield House(pool, TallyView())


def a_term(students: int = 30, pieces: int = 300, seed: int = 1) -> Story:
    """Evidence of many students, with ticks, a dated enrolment and two policies in between."""
    chance = random.Random(seed)
    story = Story(PARTITIONS)
    for number in range(pieces):
        story.evidence(a_student(chance.randrange(students)), chance.randrange(1, 4000))
        if number % 40 == 0:
            story.tick(days=number % 80 // 40)
        if number == pieces // 3:
            story.tell(a_policy(3))
            story.tell(a_policy(5, effective=story.now.date() + dt.timedelta(days=1)))
            enrolled = StudentEnrolled(school="S1", grade="9", effective=story.now.date() + dt.timedelta(days=1))
            story.tell(enrolled, student=a_student(0))
    story.tick(days=1)
    return story


@pytest.mark.parametrize("size", [1, 7, 1000])
async def test_any_batching_gives_the_same_digest_and_a_scan_agrees(house: House, size: int) -> None:
    story = a_term()
    whole, parts = await house.generation(), await house.generation()
    await apply_in(whole, story, 10_000)
    await apply_in(parts, story, size)
    assert await house.totals(parts.generation) == await house.totals(whole.generation) != {}
    assert await house.digest(parts.generation) == await house.digest(whole.generation) == await house.scanned(whole.generation)


async def test_folding_the_outbox_gives_the_view_and_every_partition_echoes_every_tick(house: House) -> None:
    story = a_term()
    applier = await house.generation()
    await apply_in(applier, story, 50)
    assert await house.said() == await house.totals(applier.generation)
    async with house.pool.acquire() as connection:
        echoed = await connection.fetchval("SELECT count(*) FROM outbox WHERE type = $1", LogTicked.TYPE)
    ticks = sum(isinstance(entry.event.data, LogTicked) for entry in story.entries(0))
    assert echoed == ticks * PARTITIONS


async def test_a_muted_generation_says_nothing(house: House) -> None:
    story = a_term()
    serves, muted = await house.generation(), await house.generation()
    await apply_in(muted, story, 100)
    assert await house.said() == {}
    await apply_in(serves, story, 100)
    assert await house.said() == await house.totals(serves.generation)


def repeated(entries: Sequence[Entry], chance: random.Random) -> list[list[Entry]]:
    """What a consumer that is killed and rebalanced reads: batches that start over from an earlier place, to the end."""
    batches, at = [], 0
    while at < len(entries):
        start = max(0, at - chance.randrange(0, 40))
        at = min(len(entries), at + chance.randrange(1, 60))
        batches.append(list(entries[start:at]))
    return batches


class Unguarded(Applier[Tally]):
    """The control: an applier that believes what it reads."""

    guard = False


@pytest.mark.parametrize(("kind", "holds"), [(Applier, True), (Unguarded, False)])
async def test_redelivery_counts_once_because_of_the_cursor(house: House, kind: type[Applier[Any]], holds: bool) -> None:
    story = Story(PARTITIONS)
    for number in range(200):
        story.evidence(a_student(number % 9), 1000 + number)
    clean, redelivered = await house.generation(), await house.generation()
    await apply_in(clean, story, 100)
    applier = await house.applier(redelivered.generation, kind)
    for partition in range(PARTITIONS):
        for batch in repeated(story.entries(partition), random.Random(7)):
            await applier.apply(partition, batch)
    same = await house.digest(redelivered.generation) == await house.digest(clean.generation)
    assert same is holds


async def test_a_missing_event_is_noticed_and_nothing_after_it_is_applied(house: House) -> None:
    story = a_term()
    applier = await house.generation()
    entries = story.entries(0)
    with pytest.raises(Gap):
        await applier.apply(0, [*entries[:10], *entries[11:20]])
    assert (await house.cursors(applier.generation))[0].next == (10,)


async def test_who_claims_later_wins_and_the_former_owner_stops(house: House) -> None:
    story = a_term()
    former = await house.generation()
    await former.apply(0, story.entries(0)[:10])
    later = await house.applier(former.generation)
    with pytest.raises(Lost):
        await former.apply(0, story.entries(0)[10:20])
    await later.apply(0, story.entries(0)[10:20])
    assert (await house.cursors(former.generation))[0].next == (20,)


async def test_a_poison_event_parks_its_student_and_nobody_else_and_a_redrive_drains_in_order(house: House) -> None:
    story = Story(PARTITIONS)
    story.tick()
    poisoned, other = a_student(1), a_student(2)
    story.evidence(poisoned, 1000)
    story.evidence(poisoned, 500, "BAD")
    story.tell(a_policy(2))
    story.evidence(poisoned, 10)
    tomorrow = story.now.date() + dt.timedelta(days=1)
    story.tell(StudentEnrolled(school="S1", grade="9", effective=tomorrow), student=poisoned)
    story.evidence(other, 7000)
    story.tick(days=1)
    story.tell(a_policy(3))
    applier = await house.generation()
    await apply_in(applier, story, 3)
    assert await house.totals(applier.generation) == {poisoned: 1000, other: 21000}
    assert await house.digest(applier.generation) == await house.scanned(applier.generation)

    house.view.mended = True
    done = await redrive(house.pool, house.view, applier.generation, poisoned)
    assert done.stands_before is None
    clean = await house.generation()
    await apply_in(clean, story, 3)
    assert await house.totals(applier.generation) == {poisoned: 4530, other: 21000} == await house.totals(clean.generation)
    assert await house.digest(applier.generation) == await house.digest(clean.generation) == await house.scanned(clean.generation)
    assert await house.said() == await house.totals(applier.generation)


async def test_a_redrive_that_fails_again_stands_further_on(house: House) -> None:
    story = Story(PARTITIONS)
    student = a_student(1)
    for competency in ("BAD", "MA.1", "BAD"):
        story.evidence(student, 100, competency)
    applier = await house.generation()
    await apply_in(applier, story, 10)
    again = await redrive(house.pool, house.view, applier.generation, student)
    assert (again.folded, again.stands_before, again.reason) == (0, 1, "bad-competency")
    async with serving.reading(house.pool, "tally") as (connection, _):
        assert [parked.subject for parked in await parking.every(connection)] == [student]


async def test_a_reference_event_that_cannot_be_applied_is_void_in_every_partition_and_moves_nobody(house: House) -> None:
    story = Story(PARTITIONS)
    for number in range(8):
        story.evidence(a_student(number), 1000)
    story.tell(a_policy(9, scale="unknown"))
    applier, before = await house.generation(), VOID.labels("tally")._value.get()
    await apply_in(applier, story, 100)
    assert set((await house.totals(applier.generation)).values()) == {1000}
    async with house.pool.acquire() as connection:
        void = await connection.fetch(f"SELECT position, reason FROM {schema_of('tally', applier.generation)}.void")
    assert [tuple(row) for row in void] == [(9, "unknown-scale")]
    assert VOID.labels("tally")._value.get() - before == PARTITIONS


@pytest.mark.parametrize("sweep", [1, 4, 500])
async def test_a_policy_moves_every_student_once_however_often_the_sweep_is_cut_short(house: House, sweep: int) -> None:
    story = Story(PARTITIONS)
    for number in range(20):
        story.evidence(a_student(number), 1000)
    story.tell(a_policy(4))
    story.evidence(a_student(3), 1)
    applier = await house.generation()
    async with house.pool.acquire() as connection:
        for partition in range(PARTITIONS):
            entries = story.entries(partition)
            crashing = await house.applier(applier.generation, CrashesInSweeps, sweep=sweep)
            while True:
                try:
                    await crashing.apply(partition, entries)
                    break
                except RuntimeError:
                    crashing = await house.applier(applier.generation, CrashesInSweeps, sweep=sweep)
        moves = await connection.fetchval("SELECT count(*) FROM outbox WHERE type = $1", MasteryChanged.TYPE)
    assert set((await house.totals(applier.generation)).values()) == {4000, 4004}
    assert moves == 20 + 20 + 1
    assert await house.said() == await house.totals(applier.generation)


class CrashesInSweeps(Applier[Tally]):
    """Dies after each transaction of a turn, as a process that is killed does: what it knew is gone."""

    async def _apply_next(self, partition: int, entries: Sequence[Entry]) -> tuple[Cursor, Chunk]:
        cursor, chunk = await super()._apply_next(partition, entries)
        if chunk.turn and cursor.sweep is not None:
            raise RuntimeError("killed")
        return cursor, chunk


async def test_a_dated_event_waits_for_its_midnight(house: House) -> None:
    story = Story(PARTITIONS)
    story.tick()
    student = a_student(5)
    story.tell(StudentEnrolled(school="S9", grade="9", effective=story.now.date() + dt.timedelta(days=2)), student=student)
    story.tick(days=1)
    applier = await house.generation()
    await apply_in(applier, story, 1)
    assert await house.totals(applier.generation) == {}
    assert await house.digest(applier.generation) == await house.scanned(applier.generation) != Digest()
    story.tick(days=1)
    await apply_in(applier, story, 100)
    assert await house.totals(applier.generation) == {student: 0}
    assert await house.digest(applier.generation) == await house.scanned(applier.generation)


async def test_a_redrive_takes_dated_events_in_the_order_in_which_a_tick_brings_them_in(house: House) -> None:
    story = Story(PARTITIONS)
    story.tick()
    student, today = a_student(1), story.now.date()
    story.evidence(student, 100, "BAD")
    for school, days in (("LATER", 3), ("SOONER", 2)):
        enrolled = StudentEnrolled(school=school, grade="9", effective=today + dt.timedelta(days=days))
        story.tell(enrolled, student=student)
    story.tick(days=3)
    applier = await house.generation()
    await apply_in(applier, story, 10)
    house.view.mended = True
    await redrive(house.pool, house.view, applier.generation, student)
    clean = await house.generation()
    await apply_in(clean, story, 10)
    assert await house.digest(applier.generation) == await house.digest(clean.generation) == await house.scanned(clean.generation)


async def test_a_bad_deploy_stops_before_it_parks_everybody_and_does_not_go_on_by_itself(house: House) -> None:
    story = Story(PARTITIONS)
    for number in range(4 * parking.MOST_A_MINUTE):
        story.evidence(a_student(number), 100, "BAD")
    applier = await house.generation()
    for _ in range(2):
        with pytest.raises(Paused):
            await applier.apply(0, story.entries(0))
    assert (await house.cursors(applier.generation))[0].next == (0,)
    async with serving.reading(house.pool, "tally") as (connection, _):
        assert await parking.every(connection) == []


async def test_a_rebuild_parks_in_minutes_whom_live_has_parked_in_a_year(house: House) -> None:
    story = Story(PARTITIONS)
    students = [a_student(number) for number in range(4 * parking.MOST_A_MINUTE)]
    for student in students:
        story.tick(days=1)
        story.evidence(student, 100, "BAD")
    applier = await house.generation()
    await apply_in(applier, story, 50)
    async with serving.reading(house.pool, "tally") as (connection, _):
        assert {parked.subject for parked in await parking.every(connection)} == set(students)
