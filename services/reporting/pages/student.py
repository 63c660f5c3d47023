"""The pages of a student: her levels, and what one of them rests on."""

from __future__ import annotations

import datetime as dt

from contracts.events import CalendarPublished
from contracts.events.schools import Period
from services.chassis.errors import Rejected
from services.reporting import domain
from services.reporting.domain import Block, Seat, Standing
from services.reporting.ladders import Ladder, Policies
from services.reporting.pages.desk import Snapshot
from services.reporting.pages.school import labels
from services.reporting.profile import (
    LadderOf,
    NextStep,
    SeatRow,
    Student,
    StudentFramework,
    StudentLevel,
    framework_of,
    next_steps,
)
from services.reporting.store import published, students
from services.reporting.weeks import bells_of, shown_week, sunday


async def read(snapshot: Snapshot, subject: str, asked: dt.date | None) -> Student:
    """A student's levels, next steps and seats of a week (that asked for, else this one, else her last with seats)."""
    week = shown_week(asked, await students.seat_dates(snapshot.connection, subject), snapshot.today)
    student = await _find(snapshot, subject, week)
    school = await published.school(snapshot.connection, student.school) if student.school else None
    frameworks, steps = await _frameworks(snapshot, student)
    return Student(
        as_known=snapshot.as_known,
        student=subject,
        merged_into=student.into,
        school=student.school,
        school_label=school.label if school else student.school,
        grade=student.grade,
        cohort=student.cohort,
        pieces=student.pieces,
        last_evidence=student.last_evidence,
        frameworks=frameworks,
        next_steps=steps,
        week=week,
        seats=await _seats(snapshot, student),
    )


async def read_level(snapshot: Snapshot, subject: str, framework: str, competency: str) -> tuple[Student, StudentLevel]:
    """A student, and where she stands in one competency; 404 for one that is neither known nor hers."""
    student = await read(snapshot, subject, None)
    rows = (row for it in student.frameworks for axis in it.axes for row in axis.rows)
    found = next((row for row in rows if (row.framework, row.competency) == (framework, competency)), None)
    if found is None:
        raise Rejected("unknown-competency", "a competency of a framework that the student has evidence in", status=404)
    return student, found


async def _find(snapshot: Snapshot, subject: str, week: dt.date) -> domain.Student:
    student = await students.find(snapshot.connection, subject, (week, sunday(week)))
    if student is None:
        raise Rejected("unknown-student", "the pseudonym of a student in the log", status=404)
    # What mastery and scheduling last said of who is nobody now may not be taken back yet, or not at all.
    return student if student.into is None else domain.Student(into=student.into)


async def _frameworks(snapshot: Snapshot, student: domain.Student) -> tuple[tuple[StudentFramework, ...], tuple[NextStep, ...]]:
    policies = await snapshot.policies()
    codes = sorted({framework for framework, _ in student.standings})
    frameworks: list[StudentFramework] = []
    steps: list[NextStep] = []
    for code in codes:
        standings = {competency: it for (framework, competency), it in student.standings.items() if framework == code}
        ladder_of = _ladders(policies, code, student.school, snapshot.today)
        frameworks.append(framework_of(code, await snapshot.framework(code), standings, ladder_of))
        steps.extend(next_steps(frameworks[-1], standings, ladder_of))
    return tuple(frameworks), tuple(steps)


def _ladders(policies: Policies, framework: str, school: str | None, today: dt.date) -> LadderOf:
    """Mastery named the policy that made a level; for what she has no level in, it is the one in force."""

    def ladder_of(competency: str, standing: Standing) -> Ladder:
        if standing.policy is not None:
            return policies.ladder_named(standing.policy, standing.policy_version)
        return policies.ladder(framework, competency, school, today)

    return ladder_of


async def _seats(snapshot: Snapshot, student: domain.Student) -> tuple[SeatRow, ...]:
    if not student.seats:
        return ()
    names = await labels(snapshot)
    schools = sorted({seat.school for seat in student.seats.values()})
    bells = {school: bells_of(await published.last(snapshot.connection, CalendarPublished, school)) for school in schools}
    rows = (
        _seat(block, seat, bells[seat.school].get(block[1]), names.get((seat.framework, seat.competency), seat.competency))
        for block, seat in student.seats.items()
    )
    return tuple(sorted(rows, key=lambda row: (row.date, row.starts or "", row.period)))


def _seat(block: Block, seat: Seat, bell: Period | None, label: str) -> SeatRow:
    date, period = block
    return SeatRow(
        date=date,
        period=period,
        starts=bell.starts if bell else None,
        ends=bell.ends if bell else None,
        section=seat.class_,
        framework=seat.framework,
        competency=seat.competency,
        label=label,
        reason=seat.reason,
    )
