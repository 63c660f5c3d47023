"""What scheduling decided. Plans are decisions: a view folds them, and never solves them again."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, ClassVar

from pydantic import Field

from contracts.envelope import Data
from contracts.ids import Code, Position


class PlanPublished(Data):
    """A school's plan for a week replaced the one before. Example: week of 5 October at school HS1, 1,950 of 2,000 seats filled.

    `input` is the position up to which the log was read, `digest` the SHA-256 of the solver's whole input: same input, same plan.
    """

    TYPE: ClassVar[str] = "cairn.plan.published.v1"
    REFERENCE: ClassVar[bool] = True

    plan: Code
    school: Code
    week: dt.date
    input: Position
    digest: Code
    seats: Annotated[int, Field(ge=0)]
    unseated: Annotated[int, Field(ge=0)]


class SeatAssigned(Data):
    """A student has a seat in a flex block. Example: Tuesday's FLEX period in FLEX-7 for MA.1, her lowest level."""

    TYPE: ClassVar[str] = "cairn.seat.assigned.v1"

    plan: Code
    school: Code
    date: dt.date
    period: Code
    class_: Annotated[Code, Field(alias="class")]
    framework: Code
    competency: Code
    reason: Code


class SeatReleased(Data):
    """A seat given earlier is free again. Example: the new plan of the week seats her elsewhere."""

    TYPE: ClassVar[str] = "cairn.seat.released.v1"

    plan: Code
    school: Code
    date: dt.date
    period: Code
    class_: Annotated[Code, Field(alias="class")]
    reason: Code
