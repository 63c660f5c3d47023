"""Mastery over HTTP: levels, what one rests on, counts of a school and a competency. Every answer says what it stands for."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request

from contracts.ids import Code, Pseudonym
from contracts.topics import EVIDENCE_LOG
from services.chassis.projection.answers import StandingAnswer, standing_answer
from services.chassis.web import PROBLEMS
from services.mastery import answers
from services.mastery.queries import VIEW, Queries

router = APIRouter(prefix="/v1", responses=PROBLEMS)

Student = Annotated[Pseudonym, Path(description="the student's pseudonym")]
# Codes may hold slashes: in an address they are written `%2F`, and in the last place of one they may stand as they are.
Framework = Annotated[Code, Path(description="the framework's code")]
Competency = Annotated[Code, Path(description="the competency's code")]
KnownAt = Annotated[int | None, Query(ge=0, description="recompute from what was known at this position of the log; default: now")]


@router.get("/students/{student}")
async def student(student: Student, request: Request, known_at: KnownAt = None) -> answers.StudentAnswer:
    """A student's levels in every competency she has evidence in."""
    return answers.student(await _queries(request).student(student, known_at))


@router.get("/students/{student}/competencies/{framework}/{competency:path}")
async def competency(
    student: Student, framework: Framework, competency: Competency, request: Request, known_at: KnownAt = None
) -> answers.CompetencyAnswer:
    """What a level rests on: the policy in force, every piece of evidence with its arithmetic, what did not count and why."""
    return answers.competency(await _queries(request).competency(student, (framework, competency), known_at))


@router.get("/schools/{school:path}")
async def school(school: Annotated[Code, Path(description="the school's code")], request: Request) -> answers.SchoolAnswer:
    """A school's students by competency and level."""
    return answers.school(school, await _queries(request).school(school))


@router.get("/competencies/{framework}/{competency:path}")
async def across_schools(framework: Framework, competency: Competency, request: Request) -> answers.AcrossSchoolsAnswer:
    """A competency's students by school and level."""
    return answers.across_schools((framework, competency), await _queries(request).across_schools((framework, competency)))


@router.get("/standing")
async def standing(request: Request) -> StandingAnswer:
    """How far the view has come, a partition at a time."""
    found, parked = await _queries(request).standing()
    return standing_answer(VIEW, (EVIDENCE_LOG.name,), len(parked), found)


def _queries(request: Request) -> Queries:
    queries: Queries = request.app.state.queries
    return queries
