"""Schools and what they run on: staff, classes, calendars. Reference events; the last version of a key counts."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from contracts.envelope import Data
from contracts.ids import Code, Pseudonym

Label = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]
Weekday = Literal["MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN"]
Clock = Annotated[str, StringConstraints(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]


class Part(BaseModel):
    """A part of an event's data: frozen and closed like the whole."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False)


class Meeting(Part):
    """When a class meets: a weekday and a period of its school's bells."""

    day: Weekday
    period: Code


class Period(Part):
    """A period of the bells, local wall-clock times. A `flex` period is one that scheduling fills."""

    period: Code
    starts: Clock
    ends: Clock
    flex: bool = False


class Term(Part):
    """A term, both dates included."""

    term: Code
    starts: dt.date
    ends: dt.date


class SchoolRegistered(Data):
    """A school, as it is now. Example: school 28, an inner-city elementary school with grades K to 3."""

    TYPE: ClassVar[str] = "cairn.school.registered.v1"
    REFERENCE: ClassVar[bool] = True

    school: Code
    label: Label
    kind: Code | None = None
    grades: Annotated[tuple[Code, ...], Field(max_length=20)] = ()
    active: bool = True


class StaffRegistered(Data):
    """A member of staff, by pseudonym (the name is in the vault). Example: a teacher at two schools."""

    TYPE: ClassVar[str] = "cairn.staff.registered.v1"
    REFERENCE: ClassVar[bool] = True

    staff: Pseudonym
    role: Code
    schools: Annotated[tuple[Code, ...], Field(max_length=100)]
    active: bool = True


class ClassRegistered(Data):
    """A class or a flex duty, with its teachers and meetings. Example: one teacher's flex duty, Tuesdays in period FLEX, 24 seats.

    `duty` is `flex` for a section that scheduling may seat students in; `competencies` is what it offers (empty: any).
    """

    TYPE: ClassVar[str] = "cairn.class.registered.v1"
    REFERENCE: ClassVar[bool] = True

    class_: Annotated[Code, Field(alias="class")]
    school: Code
    course: Code
    term: Code
    duty: Literal["taught", "flex"] = "taught"
    teachers: Annotated[tuple[Pseudonym, ...], Field(max_length=10)] = ()
    meetings: Annotated[tuple[Meeting, ...], Field(max_length=60)] = ()
    capacity: Annotated[int, Field(ge=0, le=1000)] | None = None
    competencies: Annotated[tuple[Code, ...], Field(max_length=100)] = ()
    active: bool = True


class CalendarPublished(Data):
    """A school's calendar: terms, bells, days without school. Example: two terms, eight periods of which one is flex."""

    TYPE: ClassVar[str] = "cairn.calendar.published.v1"
    REFERENCE: ClassVar[bool] = True

    school: Code
    terms: Annotated[tuple[Term, ...], Field(min_length=1, max_length=20)]
    periods: Annotated[tuple[Period, ...], Field(max_length=30)] = ()
    closed: Annotated[tuple[dt.date, ...], Field(max_length=250)] = ()
