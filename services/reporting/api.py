"""The pages as JSON: the same models, so the same numbers. No name of a person is in any of them.

Each address is its page's with `.json`; the page's own address answers the same to `Accept: application/json`.
"""

from __future__ import annotations

from fastapi import APIRouter, Request

from services.chassis.web import PROBLEMS
from services.reporting import figures, profile, progress, weeks
from services.reporting.pages import district, level, operations, school, student
from services.reporting.pages.render import code_of
from services.reporting.pages.site import Framework, PageNumber, SchoolSlug, Search, Slug, StudentPath, Week, desk_of

router = APIRouter(responses=PROBLEMS)


@router.get("/district.json")
async def district_json(request: Request, framework: Framework = None, q: Search = "", page: PageNumber = 1) -> figures.District:
    """The district: totals, and its schools with the levels their students hold in a framework."""
    async with desk_of(request).snapshot() as at:
        return await district.read(at, framework=framework, search=q.strip(), page=page)


@router.get("/schools/{school}/students.json")
async def roll_json(request: Request, school_: SchoolSlug, page: PageNumber = 1) -> figures.Roll:
    """Everyone enrolled at a school, in order of pseudonym (the page itself is in order of name)."""
    async with desk_of(request).snapshot() as at:
        enrolment = await school.read_enrolment(at, code_of(school_))
    return school.roll_of(enrolment, page, {})


@router.get("/schools/{school}/week.json")
async def week_json(request: Request, school_: SchoolSlug, week: Week = None) -> weeks.WeekPlan:
    """A school's flex blocks of a week: sections, seats taken, what for."""
    async with desk_of(request).snapshot() as at:
        return await school.read_week(at, code_of(school_), week)


@router.get("/schools/{school}.json")
async def school_json(request: Request, school_: SchoolSlug) -> figures.School:
    """A school: enrolment, and its students by competency and level."""
    async with desk_of(request).snapshot() as at:
        return await school.read(at, code_of(school_))


@router.get("/students/{student}/competencies/{framework}/{competency}.json")
async def level_json(request: Request, student_: StudentPath, framework: Slug, competency: Slug) -> level.LevelPage:
    """One level of a student, with mastery's explanation of what it rests on."""
    desk = desk_of(request)
    async with desk.snapshot() as at:
        its, standing = await student.read_level(at, student_, code_of(framework), code_of(competency))
    return await level.explain(desk.peers, its, standing)


@router.get("/students/{student}.json")
async def student_json(request: Request, student_: StudentPath, week: Week = None) -> profile.Student:
    """A student: levels on axes, next steps, the seats of a week."""
    async with desk_of(request).snapshot() as at:
        return await student.read(at, student_, week)


@router.get("/operations.json")
async def operations_json(request: Request) -> progress.Operations:
    """How far each projection and relay is, a partition at a time, what is parked, and the publishers' counters."""
    desk = desk_of(request)
    async with desk.snapshot() as at:
        own = await operations.standing(at)
    return await operations.read(desk.peers, own)


@router.get("/v1/standing")
async def standing(request: Request) -> operations.StandingAnswer:
    """How far this view has come, a partition at a time."""
    async with desk_of(request).snapshot() as at:
        return await operations.standing(at)
