"""The pages of a school: its levels, its roll, its week of flex blocks."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from contracts.events import CalendarPublished, ClassRegistered, FrameworkPublished
from services.chassis.errors import Rejected
from services.reporting.domain import ALL
from services.reporting.figures import (
    AsKnown,
    GradeCount,
    Matrix,
    Roll,
    School,
    StudentRow,
    distribution,
    in_order,
    matrix,
    paginate,
)
from services.reporting.ladders import Ladder, merged
from services.reporting.pages.desk import Snapshot
from services.reporting.pages.district import ladder_of
from services.reporting.store import counts, plans, published, students
from services.reporting.weeks import WeekPlan, bells_of, blocks_of, neighbours, shown_week, sunday

STUDENTS_A_PAGE = 50


async def read(snapshot: Snapshot, code: str) -> School:
    """A school's counts, and its matrix in each framework."""
    school = await find(snapshot, code)
    heads = {it.grade: it for it in await counts.heads(snapshot.connection, code)}
    whole = heads.pop(ALL, counts.Heads(code, ALL, 0, 0))
    return School(
        as_known=snapshot.as_known,
        school=code,
        label=school.label,
        kind=school.kind,
        grades=tuple(GradeCount(grade, heads[grade].students) for grade in in_order(heads)),
        students=whole.students,
        pieces=whole.pieces,
        last_evidence=(await counts.last_evidence(snapshot.connection, [code])).get(code),
        frameworks=await _matrices(snapshot, code, whole.students),
    )


async def find(snapshot: Snapshot, code: str) -> published.School:
    """A school, or 404."""
    school = await published.school(snapshot.connection, code)
    if school is None:
        raise Rejected("unknown-school", "the code of a school that is registered", status=404)
    return school


async def _matrices(snapshot: Snapshot, code: str, enrolled: int) -> tuple[Matrix, ...]:
    by_framework: dict[str, dict[tuple[str, int], int]] = {}
    for row in await counts.levels_of_school(snapshot.connection, code):
        by_framework.setdefault(row.framework, {})[(row.competency, row.level)] = row.students
    return tuple(
        [
            matrix(
                await snapshot.framework(framework),
                framework,
                held,
                enrolled,
                await ladder_of(snapshot, framework, code, {level for _, level in held}),
            )
            for framework, held in sorted(by_framework.items(), key=lambda item: (-sum(item[1].values()), item[0]))
        ]
    )


@dataclass(frozen=True, slots=True)
class Enrolment:
    """Everyone enrolled at a school, before they are put in order."""

    as_known: AsKnown
    school: published.School
    students: Sequence[students.Enrolled]
    ladder: Ladder


async def read_enrolment(snapshot: Snapshot, code: str) -> Enrolment:
    """Everyone enrolled at a school."""
    school = await find(snapshot, code)
    enrolled = await students.enrolled(snapshot.connection, code)
    return Enrolment(snapshot.as_known, school, enrolled, await _ladder_of_all(snapshot, code, enrolled))


def roll_of(enrolment: Enrolment, page: int, names: Mapping[str, str]) -> Roll:
    """A page of the roll, in order of name where there are names (as the vault writes them for sorting), else of pseudonym."""
    ordered = sorted(enrolment.students, key=lambda it: (names.get(it.student, "\uffff").casefold(), it.student))
    start = (page - 1) * STUDENTS_A_PAGE
    return Roll(
        as_known=enrolment.as_known,
        school=enrolment.school.school,
        label=enrolment.school.label,
        pagination=paginate(len(ordered), page, STUDENTS_A_PAGE),
        rows=tuple(_row(it, enrolment.ladder) for it in ordered[start : start + STUDENTS_A_PAGE]),
    )


async def _ladder_of_all(snapshot: Snapshot, code: str, enrolled: Sequence[students.Enrolled]) -> Ladder:
    frameworks = sorted({framework for it in enrolled for framework in it.frameworks})
    held = {level for it in enrolled for level in it.levels if level is not None}
    return merged([await ladder_of(snapshot, framework, code, set()) for framework in frameworks], held)


def _row(it: students.Enrolled, ladder: Ladder) -> StudentRow:
    held = Counter(level for level in it.levels if level is not None)
    return StudentRow(it.student, it.grade, it.cohort, it.pieces, it.last_evidence, distribution(ladder, held))


async def read_week(snapshot: Snapshot, code: str, asked: dt.date | None) -> WeekPlan:
    """A school's plan of a week: that which is asked for, else this week's, else the last one planned."""
    school = await find(snapshot, code)
    planned = await plans.weeks(snapshot.connection, code)
    week = shown_week(asked, planned, snapshot.today)
    previous, following = neighbours(week, planned)
    plan = await plans.of_week(snapshot.connection, code, week)
    taken = await plans.sections(snapshot.connection, code, week, sunday(week))
    classes = await published.every(snapshot.connection, ClassRegistered, school=code)
    calendar = await published.last(snapshot.connection, CalendarPublished, code)
    return WeekPlan(
        as_known=snapshot.as_known,
        school=code,
        school_label=school.label,
        week=week,
        previous=previous,
        next=following,
        plan=plan.plan if plan else None,
        input=plan.input if plan else None,
        planned=plan.planned if plan else None,
        seats=plan.seats if plan else 0,
        unseated=plan.unseated if plan else 0,
        blocks=blocks_of(taken, {it.class_: it for it in classes}, bells_of(calendar), await labels(snapshot)),
    )


async def labels(snapshot: Snapshot) -> dict[tuple[str, str], str]:
    """What competencies are called, by framework and code."""
    frameworks = await published.every(snapshot.connection, FrameworkPublished)
    return {(it.framework, member.competency): member.label for it in frameworks for member in it.competencies}
