"""A student's place in the district: enrolment and programmes. Dates are local; they take effect at a tick."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, ClassVar

from pydantic import Field

from contracts.envelope import Data
from contracts.ids import Code

Classes = Annotated[tuple[Code, ...], Field(max_length=40)]


class StudentEnrolled(Data):
    """A student's enrolment at a school, whole. Example: enrolled at school 28 in grade K, in two classes, from 3 September.

    Stated again when her grade, cohort or classes change: the last statement in force counts.
    """

    TYPE: ClassVar[str] = "cairn.student.enrolled.v1"

    school: Code
    grade: Code
    cohort: Code | None = None
    classes: Classes = ()
    effective: dt.date


class StudentTransferred(Data):
    """A student moved between schools. Example: from school 28 to school 41, grade 2, on 12 January."""

    TYPE: ClassVar[str] = "cairn.student.transferred.v1"

    from_school: Code
    school: Code
    grade: Code
    cohort: Code | None = None
    classes: Classes = ()
    effective: dt.date


class StudentWithdrawn(Data):
    """A student left a school, after `effective`. Example: not enrolled anywhere after 20 June."""

    TYPE: ClassVar[str] = "cairn.student.withdrawn.v1"

    school: Code
    reason: Code
    effective: dt.date


class ProgrammeChanged(Data):
    """A programme of a student started, or ended on `until`. Example: language programme ENL, level entering, from 3 September."""

    TYPE: ClassVar[str] = "cairn.programme.changed.v1"

    programme: Code
    level: Code | None = None
    effective: dt.date
    until: dt.date | None = None
