"""A plan is a decision: published once, whole or not at all, and folding what was said of it gives what is kept."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections import Counter
from collections.abc import AsyncIterator

import pytest

from contracts.events import PlanPublished, SeatAssigned, SeatReleased
from contracts.ids import partition_of
from services.chassis.errors import Conflict, Rejected, Unavailable
from services.scheduling import planning, queries
from services.scheduling.store import plans
from tests.integration.scheduling.highschool import PARTITIONS, SCHOOL, WEEK, House, Topics, a_house, a_term, catch_up
from tests.stack import Stack
from tests.story import a_student
from tests.unit.scheduling.builders import MONDAY, a_calendar, a_class

pytestmark = pytest.mark.stack


@pytest.fixture
async def house(stack: Stack) -> AsyncIterator[House]:
    async with a_house(stack) as house:
        yield house


async def test_a_plan_is_said_in_every_partition_and_a_seat_in_the_students(house: House) -> None:
    await house.fold(a_term())
    made, _ = await planning.plan(house.pool, SCHOOL, WEEK)
    assert made.new
    assert made.header.seats == len(made.plan.seats) == 25  # five blocks of five seats, and enough students who need them
    for partition in range(PARTITIONS):
        said = await house.said(partition)
        assert [type(event.data) for event in said[:1]] == [PlanPublished]
        assert {type(event.data) for event in said[1:]} == {SeatAssigned}
        assert {partition_of(event.subject or "", PARTITIONS) for event in said[1:]} == {partition}
        assert {event.causationid for event in said[1:]} == {said[0].id}
    assert await house.said_by_type() == {PlanPublished.TYPE: PARTITIONS, SeatAssigned.TYPE: 25}


async def test_planning_again_from_the_same_input_publishes_nothing(house: House) -> None:
    told = a_term()
    applier = await house.fold(told)
    first, _ = await planning.plan(house.pool, SCHOOL, WEEK)
    said = await house.said_by_type()
    told.log.evidence(a_student(1), 2000)  # time passes, and things that no plan depends on
    told.tick()
    await catch_up(applier, told)
    again, standing = await planning.plan(house.pool, SCHOOL, "2026-10-08")
    assert not again.new
    assert (again.header, again.plan) == (first.header, first.plan)
    assert standing.position > first.header.input
    assert await house.said_by_type() == said


async def test_two_databases_that_read_the_same_make_the_same_plan(house: House, stack: Stack) -> None:
    await house.fold(a_term())
    made, _ = await planning.plan(house.pool, SCHOOL, WEEK)
    async with a_house(stack) as other:
        applier, told = await other.generation(), a_term()
        for partition in reversed(range(PARTITIONS)):
            for entry in [*told.of_mastery(partition), *told.of_log(partition)]:
                await applier.apply(partition, [entry])
        twin, _ = await planning.plan(other.pool, SCHOOL, WEEK)
        assert (twin.header, twin.plan) == (made.header, made.plan)
        assert await other.seats_said() == await house.seats_said()


def step(told: Topics, number: int) -> None:
    """One of several things that change a week."""
    match number:
        case 0:
            told.move(a_student(0), A=4, B=4)
        case 1:
            told.enrol(a_student(4), "C1")
            told.tell(a_class("C1", "MON-FLEX", "TUE-FLEX"))
        case 2:
            told.tell(a_class("FLEX-A", "MON-FLEX", "WED-FLEX", duty="flex", capacity=1, competencies=["A"]))
        case 3:
            told.enrol(a_student(8), school="HS2")
        case _:
            told.move(a_student(5), A=1, B=1)
    told.tick()


async def test_folding_what_was_said_gives_the_plans_tables_after_every_change(house: House) -> None:
    told = a_term()
    applier = await house.fold(told)
    digests = []
    for number in range(5):
        made, _ = await planning.plan(house.pool, SCHOOL, WEEK)
        digests.append(made.header.digest)
        kept = await house.seats_kept()
        assert await house.seats_said() == kept
        assert len(kept) == made.header.seats > 0
        step(told, number)
        await catch_up(applier, told)
    assert len(set(digests)) == 5


async def test_a_new_plan_releases_what_it_no_longer_gives_and_repeats_nothing(house: House) -> None:
    told = a_term()
    applier = await house.fold(told)
    first, _ = await planning.plan(house.pool, SCHOOL, WEEK)
    held = {seat for seat in first.plan.seats if seat.student == a_student(0)}
    assert held
    told.move(a_student(0), A=4, B=4)
    told.tick()
    await catch_up(applier, told)
    second, _ = await planning.plan(house.pool, SCHOOL, WEEK)
    assert second.header.revision == 2
    assert not [seat for seat in second.plan.seats if seat.student == a_student(0)]
    said = [event for partition in range(PARTITIONS) for event in await house.said(partition)]
    released = [event for event in said if isinstance(event.data, SeatReleased)]
    assert {event.subject for event in released} >= {a_student(0)}
    assert len({event.id for event in said}) == len(said) - 2 * (PARTITIONS - 1)  # a plan's own event is in every partition
    unchanged = set(first.plan.seats) & set(second.plan.seats)
    assert unchanged
    assert Counter(isinstance(event.data, SeatAssigned) for event in said)[True] == 25 + len(second.plan.seats) - len(unchanged)


async def test_many_who_plan_at_once_publish_one_plan(house: House) -> None:
    await house.fold(a_term())
    made = await asyncio.gather(*(planning.plan(house.pool, SCHOOL, WEEK) for _ in range(6)))
    assert sum(each.new for each, _ in made) == 1
    assert len({each.header for each, _ in made}) == 1
    assert (await house.said_by_type())[PlanPublished.TYPE] == PARTITIONS


async def test_a_draft_that_read_less_than_the_plan_in_force_is_refused(house: House) -> None:
    told = a_term()
    applier = await house.fold(told)
    old, _ = await planning.draft(house.pool, SCHOOL, WEEK)
    step(told, 0)
    await catch_up(applier, told)
    newer, _ = await planning.plan(house.pool, SCHOOL, WEEK)
    with pytest.raises(Conflict):
        await planning.publish(house.pool, old, PARTITIONS)
    header, _, _ = await queries.in_force(house.pool, SCHOOL, WEEK)
    assert header == newer.header


async def test_a_plan_that_cannot_be_said_is_not_kept(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    await house.fold(a_term())

    async def fails(*_: object) -> None:
        raise RuntimeError("the disk is full")

    with monkeypatch.context() as broken, pytest.raises(RuntimeError):
        broken.setattr(plans, "emit", fails)
        await planning.plan(house.pool, SCHOOL, WEEK)
    assert await house.seats_kept() == {}
    with pytest.raises(Rejected) as refused:
        await queries.in_force(house.pool, SCHOOL, WEEK)
    assert refused.value.code == "no-plan"


async def test_sequences_are_dense_and_recording_never_runs_backwards_among_the_echoed_ticks(house: House) -> None:
    told = a_term()
    applier = await house.fold(told)
    old, _ = await planning.draft(house.pool, SCHOOL, WEEK)
    told.tick(days=1)
    await catch_up(applier, told)  # the worker echoes a later tick before the plan is published
    await planning.publish(house.pool, old, PARTITIONS)
    step(told, 0)
    await catch_up(applier, told)
    await planning.plan(house.pool, SCHOOL, WEEK)
    for partition in range(PARTITIONS):
        rows = await house.pool.fetch("SELECT sequence, recordedtime FROM outbox WHERE partition = $1 ORDER BY sequence", partition)
        assert [row["sequence"] for row in rows] == list(range(len(rows)))
        times = [row["recordedtime"] for row in rows]
        assert times == sorted(times)


async def test_plans_outlive_the_generation_that_they_were_made_from(house: House) -> None:
    told = a_term()
    await house.fold(told)
    made, _ = await planning.plan(house.pool, SCHOOL, WEEK)
    rebuilt = await house.fold(told)
    async with house.pool.acquire() as connection:
        await connection.execute("UPDATE serving SET generation = $1", rebuilt.generation)
    again, standing = await planning.plan(house.pool, SCHOOL, WEEK)
    assert standing.generation == rebuilt.generation
    assert not again.new
    assert again.header == made.header


async def test_a_students_seats_and_the_blocks_without_one(house: House) -> None:
    await house.fold(a_term())
    made, _ = await planning.plan(house.pool, SCHOOL, WEEK)
    for number in range(12):
        found, _ = await queries.seats(house.pool, a_student(number), None)
        assert list(found.seats) == [seat for seat in made.plan.seats if seat.student == a_student(number)]
        assert len(found.seats) + len(found.unseated) == 5
    other_week, _ = await queries.seats(house.pool, a_student(0), "2026-W42")
    assert (other_week.seats, other_week.unseated) == ((), ())


async def test_what_cannot_be_planned_is_refused_with_what_would_do(house: House) -> None:
    told = Topics()
    applier = await house.fold(told)
    with pytest.raises(Unavailable):
        await planning.plan(house.pool, SCHOOL, WEEK)
    told.tick()
    await catch_up(applier, told)
    with pytest.raises(Rejected) as unknown:
        await planning.plan(house.pool, SCHOOL, WEEK)
    assert (unknown.value.code, unknown.value.status) == ("unknown-school", 404)


async def test_a_week_without_school_is_a_plan_without_seats_that_releases_those_there_were(house: House) -> None:
    told = a_term()
    applier = await house.fold(told)
    first, _ = await planning.plan(house.pool, SCHOOL, WEEK)
    told.tell(a_calendar(closed=[MONDAY + dt.timedelta(days=day) for day in range(5)]))
    told.tick()
    await catch_up(applier, told)
    second, _ = await planning.plan(house.pool, SCHOOL, WEEK)
    assert (second.header.seats, second.header.unseated) == (0, 0)
    assert (await house.said_by_type())[SeatReleased.TYPE] == first.header.seats
    assert await house.seats_said() == {}
