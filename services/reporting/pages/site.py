"""The pages' addresses. Each reads its model in one snapshot, then asks the vault for names, then renders."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from contracts.ids import Pseudonym
from services.reporting.pages import district, level, operations, school, student
from services.reporting.pages.desk import Desk
from services.reporting.pages.render import code_of, page

router = APIRouter(include_in_schema=False)

# No database takes a NUL in a text, and no code or name has a control character.
TEXT = r"^[^\x00-\x1f\x7f]*$"

PageNumber = Annotated[int, Query(alias="page", ge=1, le=100_000, description="page of the list, from 1")]
Search = Annotated[str, Query(max_length=100, pattern=TEXT, description="part of a school's name or code")]
Framework = Annotated[
    str | None, Query(max_length=64, pattern=TEXT, description="code of a framework; empty: every school, without levels")
]
StudentPath = Annotated[Pseudonym, Path(alias="student", description="the student's pseudonym")]
SchoolSlug = Annotated[
    str, Path(alias="school", max_length=64, pattern=TEXT, description="the school's code; a slash in it is written as `~`")
]
Slug = Annotated[str, Path(max_length=64, pattern=TEXT, description="a code; a slash in it is written as `~`")]
Week = Annotated[dt.date | None, Query(description="a date in the week, YYYY-MM-DD")]


def desk_of(request: Request) -> Desk:
    """The process's desk."""
    desk: Desk = request.app.state.desk
    return desk


@router.get("/")
async def district_page(request: Request, framework: Framework = None, q: Search = "", page_: PageNumber = 1) -> Response:
    """The district."""
    async with desk_of(request).snapshot() as at:
        model = await district.read(at, framework=framework, search=q.strip(), page=page_)
    return page("district.html", model, request=request, as_known=at.as_known, zone=at.zone, names={})


@router.get("/schools/{school}")
async def school_page(request: Request, school_: SchoolSlug) -> Response:
    """A school."""
    async with desk_of(request).snapshot() as at:
        model = await school.read(at, code_of(school_))
    return page("school.html", model, request=request, as_known=at.as_known, zone=at.zone, names={})


@router.get("/schools/{school}/students")
async def roll_page(request: Request, school_: SchoolSlug, page_: PageNumber = 1) -> Response:
    """A school's roll. Its order is by name, so the names of everybody on it are asked for."""
    desk = desk_of(request)
    async with desk.snapshot() as at:
        enrolment = await school.read_enrolment(at, code_of(school_))
    names = await desk.peers.names([it.student for it in enrolment.students])
    model = school.roll_of(enrolment, page_, {pseudonym: name.listed for pseudonym, name in (names or {}).items()})
    return page("roll.html", model, request=request, as_known=at.as_known, zone=at.zone, names=names)


@router.get("/schools/{school}/week")
async def week_page(request: Request, school_: SchoolSlug, week: Week = None) -> Response:
    """A school's flex week."""
    desk = desk_of(request)
    async with desk.snapshot() as at:
        model = await school.read_week(at, code_of(school_), week)
    teachers = {teacher for block in model.blocks for section in block.sections for teacher in section.teachers}
    names = await desk.peers.names(sorted(teachers))
    return page("week.html", model, request=request, as_known=at.as_known, zone=at.zone, names=names)


@router.get("/students/{student}")
async def student_page(request: Request, student_: StudentPath, week: Week = None) -> Response:
    """A student."""
    desk = desk_of(request)
    async with desk.snapshot() as at:
        model = await student.read(at, student_, week)
    names = await desk.peers.names([student_])
    return page("student.html", model, request=request, as_known=at.as_known, zone=at.zone, names=names)


@router.get("/students/{student}/competencies/{framework}/{competency}")
async def level_page(request: Request, student_: StudentPath, framework: Slug, competency: Slug) -> Response:
    """What a level of a student rests on."""
    desk = desk_of(request)
    async with desk.snapshot() as at:
        its, standing = await student.read_level(at, student_, code_of(framework), code_of(competency))
    model = await level.explain(desk.peers, its, standing)
    names = await desk.peers.names([student_, *model.assessors])
    return page("level.html", model, request=request, as_known=at.as_known, zone=at.zone, names=names)


@router.get("/operations")
async def operations_page(request: Request) -> Response:
    """How far everything is."""
    desk = desk_of(request)
    async with desk.snapshot() as at:
        own = await operations.standing(at)
    model = await operations.read(desk.peers, own)
    return page("operations.html", model, request=request, as_known=at.as_known, zone=at.zone, names={})
