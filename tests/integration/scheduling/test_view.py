"""Scheduling's view on real Postgres: the same however it is read, and only what concerns a plan is touched."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator

import pytest

from contracts.events import StudentWithdrawn
from services.chassis.projection.digest import Digest
from services.chassis.projection.serving import reading
from services.chassis.projection.view import Entry
from services.scheduling.domain import Level, Student
from services.scheduling.store import schools, students
from tests.integration.scheduling.highschool import PARTITIONS, SCHOOL, House, Topics, a_house, a_term, catch_up
from tests.stack import Stack
from tests.story import a_student
from tests.unit.scheduling.builders import FRAMEWORK, a_class, a_framework, a_policy

pytestmark = pytest.mark.stack


@pytest.fixture
async def house(stack: Stack) -> AsyncIterator[House]:
    async with a_house(stack) as house:
        yield house


async def enrolled(house: House, school: str = SCHOOL) -> dict[str, Student]:
    async with reading(house.pool, "scheduling") as (connection, _):
        return await students.enrolled(connection, school)


def interleaved(told: Topics, partition: int, chance: random.Random) -> list[Entry]:
    """Both topics' entries, each in its own order, mixed as two consumers would bring them."""
    left, right, mixed = told.of_log(partition), told.of_mastery(partition), []
    while left or right:
        source = left if left and (not right or chance.random() < 0.5) else right
        mixed.append(source.pop(0))
    return mixed


@pytest.mark.parametrize("size", [1, 5, 64])
async def test_any_batching_and_interleaving_gives_the_same_digest_and_a_scan_agrees(house: House, size: int) -> None:
    told = a_term(20)
    whole, parts = await house.fold(told), await house.generation()
    for partition in range(PARTITIONS):
        entries = interleaved(told, partition, random.Random(size))
        for start in range(0, len(entries), size):
            await parts.apply(partition, entries[start : start + size])
    assert await house.kept(parts.generation) == await house.kept(whole.generation) != [Digest()] * PARTITIONS
    assert await house.scanned(whole.generation) == await house.kept(whole.generation)
    assert await house.scanned(parts.generation) == await house.kept(parts.generation)


@pytest.mark.parametrize(
    "harm",
    [
        "UPDATE students SET school = 'HS2' WHERE student = $1",
        "UPDATE students SET classes = '{C1}' WHERE student = $1",
        "UPDATE students SET levels[1] = 4 WHERE student = $1",
        "UPDATE students SET levels[1] = NULL WHERE student = $1",
        "UPDATE students SET causes[1] = causes[1] + 1 WHERE student = $1",
        "DELETE FROM students WHERE student = $1",
    ],
)
async def test_a_scan_sees_a_row_that_was_tampered_with(house: House, harm: str) -> None:
    generation = (await house.fold(a_term())).generation
    async with house.pool.acquire() as connection, connection.transaction():
        await connection.execute(f"SET LOCAL search_path TO scheduling_g{generation}")
        assert await connection.execute(harm, a_student(0)) in ("UPDATE 1", "DELETE 1")
    assert await house.scanned(generation) != await house.kept(generation)


async def test_a_student_has_her_school_her_classes_and_her_levels(house: House) -> None:
    told = a_term(2)
    told.enrol(a_student(0), "C1", "C2")
    told.move(a_student(0), A=None)
    told.tick()
    await house.fold(told)
    student = (await enrolled(house))[a_student(0)]
    assert (student.school, student.grade, student.classes) == (SCHOOL, "9", ("C1", "C2"))
    assert {key: level.level for key, level in student.levels.items()} == {(FRAMEWORK, "A"): None, (FRAMEWORK, "B"): 1}


async def test_a_withdrawal_takes_effect_on_the_day_after(house: House) -> None:
    told = a_term(2)
    told.tell(StudentWithdrawn(school=SCHOOL, reason="moved", effective=told.log.now.date()), student=a_student(0))
    told.tick()
    applier = await house.fold(told)
    assert a_student(0) in await enrolled(house)
    told.tick(days=1)
    await catch_up(applier, told)
    assert list(await enrolled(house)) == [a_student(1)]


async def test_evidence_passes_by_and_touches_no_row(house: House) -> None:
    told = a_term(3)
    applier = await house.fold(told)
    before = await house.kept(applier.generation)
    rows = await versions_of_rows(house, applier.generation)
    for number in range(3):
        told.log.evidence(a_student(number), 2000)
    told.log.evidence(a_student(99), 2000)
    await catch_up(applier, told)
    assert await versions_of_rows(house, applier.generation) == rows
    assert await house.kept(applier.generation) == before


async def versions_of_rows(house: House, generation: int) -> list[tuple[str, str]]:
    """Each student with Postgres's own mark of the transaction that last wrote her row."""
    rows = await house.pool.fetch(f"SELECT student, xmin::text FROM scheduling_g{generation}.students ORDER BY student")
    return [(row["student"], row["xmin"]) for row in rows]


async def test_evidence_and_a_move_of_one_student_in_one_batch_are_both_folded(house: House) -> None:
    told = a_term(1)
    told.log.evidence(a_student(0), 2000)
    told.move(a_student(0), B=4)
    applier = await house.fold(told)
    levels = (await enrolled(house))[a_student(0)].levels
    assert {key[1]: level.level for key, level in levels.items()} == {"A": 1, "B": 4}
    assert all(isinstance(level, Level) and level.cause > 0 for level in levels.values())
    assert await house.scanned(applier.generation) == await house.kept(applier.generation)


async def test_a_school_is_read_as_it_was_at_a_position(house: House) -> None:
    told = a_term(1)
    told.enrol(a_student(0), "ELSEWHERE")
    told.tell(a_class("ELSEWHERE", "MON-FLEX", school="HS2"))
    told.tell(a_class("NOT-HERS", "MON-FLEX", school="HS2"))
    before = told.log.position - 1
    told.tell(a_class("FLEX-A", "MON-FLEX", duty="flex", capacity=99))
    told.tell(a_policy(2, scale="d5").policy)
    told.tick()
    await house.fold(told)
    async with reading(house.pool, "scheduling") as (connection, standing):
        then, now = [await schools.read(connection, SCHOOL, position) for position in (before, standing.position)]
    assert then and now
    assert {each.class_: each.capacity for each in then.classes} == {"ELSEWHERE": None, "FLEX-A": 3, "FLEX-B": 2}
    assert {each.class_: each.capacity for each in now.classes} == {"ELSEWHERE": None, "FLEX-A": 99, "FLEX-B": 2}
    assert [len(then.policies), len(now.policies)] == [1, 2]
    assert now.date == told.log.now.date()


async def test_a_framework_whose_count_is_wrong_is_void_and_the_one_before_stays(house: House) -> None:
    told = a_term(1)
    told.tell(a_framework("A", "B", "C").model_copy(update={"count": 4, "version": 2}))
    told.tick()
    applier = await house.fold(told)
    async with reading(house.pool, "scheduling") as (connection, standing):
        found = await schools.read(connection, SCHOOL, standing.position)
    assert found and [len(each.competencies) for each in found.frameworks] == [2]
    void = await house.pool.fetch(f"SELECT reason FROM scheduling_g{applier.generation}.void")
    assert [row["reason"] for row in void] == ["count-differs"]
