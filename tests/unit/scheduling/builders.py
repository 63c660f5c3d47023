"""What tests of scheduling are told in: a school, its bells, classes, policies and students, with readable defaults."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from contracts.events import CalendarPublished, ClassRegistered, FrameworkPublished, PolicyPublished, ScalePublished
from contracts.events.frameworks import Competency, Method
from contracts.events.frameworks import Level as Rung
from contracts.events.schools import Meeting, Period, Term
from services.scheduling.domain import Level, School, Student
from services.scheduling.needs import Adopted, Key, Need

MONDAY = dt.date(2026, 10, 5)
TUESDAY = dt.date(2026, 10, 6)
WEEK = ("MON", "TUE", "WED", "THU", "FRI")
FRAMEWORK = "hs"


def a_student(number: int) -> str:
    """A pseudonym that is easy to tell apart."""
    return f"s-{number:026d}"


def a_calendar(
    *, flex: Sequence[str] = ("FLEX",), closed: Iterable[dt.date] = (), extra: Iterable[Period] = (), school: str = "HS1"
) -> CalendarPublished:
    """One term from September to January; P1 at nine, then the flex periods, one each hour from ten."""
    periods = [Period(period="P1", starts="09:00", ends="09:50")]
    periods += [Period(period=code, starts=f"{hour}:00", ends=f"{hour}:50", flex=True) for hour, code in enumerate(flex, start=10)]
    term = Term(term="T1", starts=dt.date(2026, 9, 8), ends=dt.date(2027, 1, 29))
    return CalendarPublished(school=school, terms=(term,), periods=(*periods, *extra), closed=tuple(closed))


def in_class(code: str) -> dict[str, Any]:
    """The field `class`, whose name Python keeps for itself."""
    return {"class": code}


def a_class(
    code: str,
    *meetings: str,
    duty: Literal["taught", "flex"] = "taught",
    capacity: int | None = None,
    competencies: Iterable[str] = (),
    term: str = "T1",
    school: str = "HS1",
    active: bool = True,
) -> ClassRegistered:
    """A class that meets at times such as `MON-FLEX`."""
    return ClassRegistered(
        **in_class(code),
        school=school,
        course="course",
        term=term,
        duty=duty,
        meetings=tuple(Meeting.model_validate(dict(zip(("day", "period"), each.split("-", 1), strict=True))) for each in meetings),
        capacity=capacity,
        competencies=tuple(competencies),
        active=active,
    )


def a_section(code: str, *meetings: str, capacity: int | None = 10, competencies: Iterable[str] = ()) -> ClassRegistered:
    """A flex duty; every weekday in FLEX unless told otherwise."""
    times = meetings or tuple(f"{day}-FLEX" for day in WEEK)
    return a_class(code, *times, duty="flex", capacity=capacity, competencies=competencies)


def a_framework(*competencies: str, framework: str = FRAMEWORK) -> FrameworkPublished:
    parts = tuple(Competency(competency=code, label=code, axis="content") for code in competencies)
    return FrameworkPublished(framework=framework, version=1, label="A framework", count=len(parts), competencies=parts)


def a_scale(scale: str = "d4", levels: int = 4) -> ScalePublished:
    """Levels 1 to `levels`, each a thousand thousandths above the last."""
    rungs = tuple(Rung(level=number, label=f"Level {number}", at_thousandths=number * 1000) for number in range(1, levels + 1))
    return ScalePublished(scale=scale, version=1, label="A scale", levels=rungs)


def a_policy(
    position: int = 1,
    *,
    scale: str = "d4",
    school: str | None = None,
    competencies: Iterable[str] = (),
    effective: dt.date | None = None,
    published: dt.date = dt.date(2026, 9, 1),
    framework: str = FRAMEWORK,
) -> Adopted:
    policy = PolicyPublished(
        policy=f"policy-{position}",
        version=1,
        framework=framework,
        competencies=tuple(competencies),
        school=school,
        method=Method(name="latest"),
        order="occurred",
        scale=scale,
        effective=effective,
    )
    return Adopted(position, published, policy)


def enrolled(levels: Mapping[str, int | None], *classes: str, school: str = "HS1") -> Student:
    """A student of a school with levels by competency of the usual framework."""
    keyed: dict[Key, Level] = {(FRAMEWORK, code): Level(level, cause=7) for code, level in levels.items()}
    return Student(school, "9", classes, keyed)


def a_school(
    students: Mapping[str, Student],
    classes: Iterable[ClassRegistered],
    *,
    competencies: Sequence[str] = ("A", "B"),
    calendar: CalendarPublished | None = None,
) -> School:
    return School(
        school="HS1",
        date=MONDAY,
        calendar=calendar or a_calendar(),
        classes=tuple(classes),
        frameworks=(a_framework(*competencies),),
        policies=(a_policy(),),
        scales={"d4": a_scale()},
        students=students,
    )


def a_need(weight: int = 10, competency: str = "A") -> Need:
    return Need(weight, FRAMEWORK, competency, "level-1-of-4")
