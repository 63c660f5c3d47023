"""What can be asked: the plan in force, a student's seats, a school's needs, how far the view has come. Nothing is written."""

from __future__ import annotations

import asyncio

from services.chassis.errors import Rejected
from services.chassis.postgres import Pool
from services.chassis.projection import parking
from services.chassis.projection.serving import Standing, reading
from services.scheduling.domain import Header, needs_at
from services.scheduling.needs import Need
from services.scheduling.planning import VIEW, school_at
from services.scheduling.seating import Plan
from services.scheduling.store import plans, students
from services.scheduling.week import monday_of


async def in_force(pool: Pool, school: str, week: str) -> tuple[Header, Plan, Standing]:
    """The plan in force for a school's week. Raises `Rejected` where there is none."""
    monday = monday_of(week)
    async with reading(pool, VIEW) as (connection, standing):
        header = await plans.current(connection, school, monday)
        if header is None:
            raise Rejected("no-plan", "a school and week for which a plan was published", status=404)
        return header, await plans.read(connection, header.plan), standing


async def seats(pool: Pool, student: str, week: str | None) -> tuple[Plan, Standing]:
    """A student's part of the plans in force: of one week, or of all. Raises `Rejected` for a student nobody knows."""
    monday = monday_of(week) if week else None
    async with reading(pool, VIEW) as (connection, standing):
        found = await students.load(connection, [student])
        if student not in found:
            raise Rejected("unknown-student", "the pseudonym of a student who was ever enrolled", status=404)
        if found[student].merged:  # the plan that seated her is still in force, but she is nobody
            return Plan((), ()), standing
        return await plans.of_student(connection, student, monday), standing


async def needs(pool: Pool, school: str) -> tuple[dict[str, tuple[Need, ...]], Standing]:
    """What each student of a school needs now, strongest first. Raises like `plan`."""
    async with reading(pool, VIEW) as (connection, standing):
        facts = await school_at(connection, school, standing)
    return await asyncio.to_thread(needs_at, facts), standing


async def standing(pool: Pool) -> tuple[Standing, int]:
    """How far the view has come, and how many students are parked."""
    async with reading(pool, VIEW) as (connection, found):
        return found, len(await parking.every(connection))
