"""Scheduling over HTTP: plan a school's week, read plans, seats and needs. Every answer says what it stands for."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from contracts.ids import Code, Pseudonym
from contracts.topics import EVIDENCE_LOG, MASTERY_CHANGES, SCHEDULE_CHANGES
from services.chassis.log import republish
from services.chassis.postgres import Pool
from services.chassis.projection.answers import StandingAnswer, standing_answer
from services.chassis.web import PROBLEMS
from services.scheduling import answers, planning, queries

router = APIRouter(prefix="/v1", responses=PROBLEMS)

INPUTS = (EVIDENCE_LOG.name, MASTERY_CHANGES.name)

School = Annotated[Code, Path(description="the school's code")]
Week = Annotated[str, Path(description="an ISO week such as `2026-W41`, or a date in it", max_length=10)]


class PlanRequest(BaseModel):
    """Which week of which school to plan."""

    model_config = ConfigDict(extra="forbid", strict=True)

    school: Code
    week: Annotated[str, Field(max_length=10, examples=["2026-W41"])]


@router.post("/plans", status_code=201)
async def plan(asked: PlanRequest, request: Request, response: Response) -> answers.PlanAnswer:
    """Plan a school's week and publish the plan (201). 200, and nothing new: the same input had given the plan in force."""
    made, standing = await planning.plan(_pool(request), asked.school, asked.week)
    if not made.new:
        response.status_code = 200
    return answers.plan_in_force(made.header, made.plan, standing)


@router.get("/plans/{school:path}/{week}")
async def plan_of_a_week(school: School, week: Week, request: Request) -> answers.PlanAnswer:
    """The plan in force for a school's week."""
    return answers.plan_in_force(*await queries.in_force(_pool(request), school, week))


@router.get("/students/{student}/seats")
async def seats_of_a_student(
    student: Pseudonym, request: Request, week: Annotated[str | None, Query(max_length=10)] = None
) -> answers.StudentSeatsAnswer:
    """A student's seats and the blocks where she has none: of one week, or of all plans in force."""
    plan, standing = await queries.seats(_pool(request), student, week)
    return answers.student_seats(student, plan, standing)


@router.get("/needs/{school:path}")
async def needs_of_a_school(
    school: School, request: Request, limit: Annotated[int, Query(ge=1, le=2000, description="needs a student")] = 3
) -> answers.NeedsAnswer:
    """Which competencies a school's students need, and each student's strongest needs."""
    wanted, standing = await queries.needs(_pool(request), school)
    return answers.needs(school, wanted, limit, standing)


@router.get("/standing")
async def standing(request: Request) -> StandingAnswer:
    """How far the view has come, a partition at a time."""
    found, parked = await queries.standing(_pool(request))
    return standing_answer(planning.VIEW, INPUTS, parked, found)


def _pool(request: Request) -> Pool:
    pool: Pool = request.app.state.pool
    return pool


republications = republish.routes(SCHEDULE_CHANGES.name, _pool)
