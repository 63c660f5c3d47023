"""What mastery says when a student moves."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from contracts.envelope import Data
from contracts.events.evidence import Thousandths
from contracts.events.schools import Part
from contracts.ids import Code, Position


class Move(Part):
    """A student's standing in one competency, before and after. `level` None: none, for a `reason` (`no-evidence`, `too-few`).

    What is None is left out of the record, so every field that may be None has None as its default.
    """

    framework: Code
    competency: Code
    level: Annotated[int, Field(ge=0, le=100)] | None = None
    value_thousandths: Thousandths | None = None
    previous_level: Annotated[int, Field(ge=0, le=100)] | None = None
    pieces: Annotated[int, Field(ge=0)]
    policy: Code | None = None
    policy_version: Annotated[int, Field(ge=1)] | None = None
    reason: Code | None = None


class MasteryChanged(Data):
    """Every move of one student that one event caused. Example: a new score lifts MA.1 from level 2 to level 3.

    `cause` is the position of that event in `evidence.log`. `school` is where she was enrolled then.
    """

    TYPE: ClassVar[str] = "cairn.mastery.changed.v1"

    cause: Position
    school: Code | None = None
    moves: Annotated[tuple[Move, ...], Field(min_length=1)]
