"""The shapes of what scheduling answers, over HTTP and with `--json`, and how they are made from what is known."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Mapping

from pydantic import Field

from services.chassis.projection.answers import Answer, AsKnown, as_known
from services.chassis.projection.serving import Standing
from services.scheduling.domain import Draft, Header
from services.scheduling.needs import NO_EVIDENCE, NO_LEVEL, Key, Need
from services.scheduling.seating import Plan, Seat, Unseated
from services.scheduling.week import week_name


class SeatAnswer(Answer):
    """A seat. `reason` says what it rests on: `level-1-of-4`, `no-level` (in spite of evidence), `no-evidence`."""

    date: dt.date
    period: str
    student: str
    class_: str = Field(alias="class")
    framework: str
    competency: str
    reason: str


class UnseatedAnswer(Answer):
    """A block without a seat, and why: `class-meets`, `no-need`, `no-section` (offers what she needs), `no-capacity`."""

    date: dt.date
    period: str
    student: str
    reason: str


class PlanAnswer(Answer):
    """A school's plan for a week. `plan` and `revision` are null for one that was only tried; `input`: the position it read to."""

    school: str
    week: str
    monday: dt.date
    plan: str | None
    revision: int | None
    input: int
    digest: str
    seats: tuple[SeatAnswer, ...]
    unseated: tuple[UnseatedAnswer, ...]
    as_known: AsKnown


class StudentSeatsAnswer(Answer):
    """A student's seats in the plans in force, and the blocks without one, in order of time."""

    student: str
    seats: tuple[SeatAnswer, ...]
    unseated: tuple[UnseatedAnswer, ...]
    as_known: AsKnown


class NeedAnswer(Answer):
    """What a student needs: `weight` is what a seat for it is worth, `reason` what it rests on."""

    framework: str
    competency: str
    weight: int
    reason: str


class CompetencyAnswer(Answer):
    """How many students of a school need a competency, how many of them are without level or evidence, and their weights' sum."""

    framework: str
    competency: str
    students: int
    no_level: int
    no_evidence: int
    weight: int


class StudentNeedsAnswer(Answer):
    """A student's strongest needs."""

    student: str
    needs: tuple[NeedAnswer, ...]


class NeedsAnswer(Answer):
    """What a school needs, the greatest weight first, and each student's strongest needs."""

    school: str
    competencies: tuple[CompetencyAnswer, ...]
    students: tuple[StudentNeedsAnswer, ...]
    as_known: AsKnown


def plan_in_force(header: Header, plan: Plan, standing: Standing) -> PlanAnswer:
    return _plan(header, plan, standing, header.plan, header.revision)


def plan_tried(draft: Draft, standing: Standing) -> PlanAnswer:
    return _plan(draft, draft.plan, standing, None, None)


def _plan(about: Header | Draft, plan: Plan, standing: Standing, id: str | None, revision: int | None) -> PlanAnswer:
    return PlanAnswer(
        school=about.school,
        week=week_name(about.week),
        monday=about.week,
        plan=id,
        revision=revision,
        input=about.input,
        digest=about.digest,
        seats=tuple(map(_seat, plan.seats)),
        unseated=tuple(map(_unseated, plan.unseated)),
        as_known=as_known(standing),
    )


def student_seats(student: str, plan: Plan, standing: Standing) -> StudentSeatsAnswer:
    return StudentSeatsAnswer(
        student=student,
        seats=tuple(map(_seat, plan.seats)),
        unseated=tuple(map(_unseated, plan.unseated)),
        as_known=as_known(standing),
    )


def needs(school: str, by_student: Mapping[str, tuple[Need, ...]], limit: int, standing: Standing) -> NeedsAnswer:
    by_competency: dict[Key, list[Need]] = defaultdict(list)
    for wanted in by_student.values():
        for need in wanted:
            by_competency[need.key].append(need)
    competencies = [_competency(key, wanted) for key, wanted in by_competency.items()]
    return NeedsAnswer(
        school=school,
        competencies=tuple(sorted(competencies, key=lambda each: (-each.weight, each.framework, each.competency))),
        students=tuple(
            StudentNeedsAnswer(student=student, needs=tuple(_need(need) for need in wanted[:limit]))
            for student, wanted in by_student.items()
        ),
        as_known=as_known(standing),
    )


def _competency(key: Key, wanted: list[Need]) -> CompetencyAnswer:
    return CompetencyAnswer(
        framework=key[0],
        competency=key[1],
        students=len(wanted),
        no_level=sum(need.reason == NO_LEVEL for need in wanted),
        no_evidence=sum(need.reason == NO_EVIDENCE for need in wanted),
        weight=sum(need.weight for need in wanted),
    )


def _need(need: Need) -> NeedAnswer:
    return NeedAnswer(framework=need.framework, competency=need.competency, weight=need.weight, reason=need.reason)


def _seat(seat: Seat) -> SeatAnswer:
    return SeatAnswer(
        date=seat.date,
        period=seat.period,
        student=seat.student,
        class_=seat.class_,
        framework=seat.framework,
        competency=seat.competency,
        reason=seat.reason,
    )


def _unseated(unseated: Unseated) -> UnseatedAnswer:
    return UnseatedAnswer(date=unseated.date, period=unseated.period, student=unseated.student, reason=unseated.reason)
