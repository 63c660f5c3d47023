"""Reporting's view on real Postgres: exactly what was told, however it is batched; and every count is the sum of its students."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import AsyncIterator

import pytest

from services.chassis.projection.digest import Digest
from services.chassis.projection.serving import reading
from services.reporting.domain import ALL
from services.reporting.store import counts, plans, students
from tests.integration.reporting.house import House, a_house, apply_in
from tests.integration.reporting.town import PARTITIONS, WEEK, Town, a_town
from tests.stack import Stack
from tests.story import a_student

pytestmark = pytest.mark.stack


@pytest.fixture
async def house(stack: Stack) -> AsyncIterator[House]:
    async with a_house(stack) as house:
        yield house


async def test_counts_of_a_school_are_what_was_told_of_its_students(house: House) -> None:
    town = a_town()
    await house.fold(town)
    async with reading(house.pool, "reporting") as (connection, _):
        for school in ("HS1", "HS2"):
            rows = await counts.levels_of_school(connection, school)
            assert {(row.competency, row.level): row.students for row in rows} == town.counts(school) != {}
            heads = {row.grade: row for row in await counts.heads(connection, school)}
            enrolled = [student for student, at in town.schools.items() if at == school]
            assert heads[ALL].students == len(enrolled) == sum(it.students for grade, it in heads.items() if grade != ALL)
            assert heads[ALL].pieces == sum(town.pieces[student] for student in enrolled)


async def test_the_district_is_the_sum_of_its_schools(house: House) -> None:
    town = a_town()
    await house.fold(town)
    async with reading(house.pool, "reporting") as (connection, _):
        district = await counts.levels_of_school(connection, ALL)
        schools = await counts.levels_of_schools(connection, "hs", ["HS1", "HS2"])
        heads = await counts.heads(connection, ALL)
    both = [town.counts("HS1"), town.counts("HS2")]
    assert {(it.competency, it.level): it.students for it in district} == {
        key: sum(each.get(key, 0) for each in both) for key in both[0].keys() | both[1].keys()
    }
    assert sum(it.students for it in schools) == sum(sum(each.values()) for each in both)
    assert sum(it.students for it in heads) == len(town.schools)


@pytest.mark.parametrize("size", [1, 7, 64])
async def test_any_batching_gives_the_same_digest_and_a_scan_agrees(house: House, size: int) -> None:
    town = a_town(students=10)
    whole, parts = await house.fold(town, 10_000), await house.fold(town, size)
    assert await house.kept(whole.generation) == await house.kept(parts.generation) != Digest()
    assert await house.scanned(whole.generation) == await house.kept(whole.generation)
    assert await house.scanned(parts.generation) == await house.kept(parts.generation)


@pytest.mark.parametrize(
    "harm",
    [
        "UPDATE level_counts SET students = students + 1 WHERE competency <> '' AND students > 0",
        "UPDATE head_counts SET pieces = pieces + 1",
        "UPDATE students SET levels[1] = coalesce(levels[1], 0) + 1",
        "DELETE FROM seats",
    ],
)
async def test_a_scan_sees_a_count_a_level_or_a_seat_that_was_tampered_with(house: House, harm: str) -> None:
    applier = await house.fold(a_town(students=10))
    async with house.pool.acquire() as connection:
        await connection.execute(f"SET search_path TO reporting_g{applier.generation}, public; {harm}; RESET search_path")
    assert await house.scanned(applier.generation) != await house.kept(applier.generation)


async def test_redelivered_batches_change_nothing(house: House) -> None:
    town, chance = a_town(students=10), random.Random(3)
    once, again = await house.fold(town), await house.generation()
    for partition in range(PARTITIONS):
        entries = town.topics.all_entries(partition)
        for start in range(0, len(entries), 40):
            await apply_in(again, partition, entries[max(0, start - chance.randrange(60)) : start + 40], 1000)
    assert await house.kept(again.generation) == await house.kept(once.generation)


async def test_the_topics_may_be_read_in_any_interleaving(house: House) -> None:
    """Evidence, moves and seats never touch the same field, so whoever is ahead makes no difference once all is read."""
    town = a_town(students=10)
    told, log_first = await house.fold(town), await house.generation()
    for partition in range(PARTITIONS):
        entries = sorted(town.topics.all_entries(partition), key=lambda entry: entry.input)
        await apply_in(log_first, partition, entries, 50)
    async with reading(house.pool, "reporting") as (connection, _):
        told_students = [item async for item in students.every(connection, 0)]
        await connection.execute(f"SET LOCAL search_path TO reporting_g{log_first.generation}")
        assert [item async for item in students.every(connection, 0)] == told_students != []
    assert await house.kept(log_first.generation) == await house.kept(told.generation)


async def test_an_enrolment_of_tomorrow_counts_from_tomorrow(house: House) -> None:
    town = Town()
    town.topics.midnight()
    town.enrol(a_student(0), "HS1", effective=town.topics.now.date() + dt.timedelta(days=1))
    await house.fold(town)
    assert await _enrolled(house, "HS1") == []
    town.topics.midnight()
    await house.fold(town)
    async with house.pool.acquire() as connection:
        await connection.execute("UPDATE serving SET generation = 2")
    assert await _enrolled(house, "HS1") == [a_student(0)]


async def test_a_new_plan_takes_the_place_of_the_old_one(house: House) -> None:
    await house.fold(a_town())
    async with reading(house.pool, "reporting") as (connection, _):
        plan = await plans.of_week(connection, "HS1", WEEK)
        sections = await plans.sections(connection, "HS1", WEEK, WEEK + dt.timedelta(days=6))
    assert plan is not None
    assert plan.plan == "HS1-2"
    assert {section.class_ for section in sections} == {"FLEX-2", "FLEX-3"}


async def _enrolled(house: House, school: str) -> list[str]:
    async with reading(house.pool, "reporting") as (connection, _):
        return [it.student for it in await students.enrolled(connection, school)]
