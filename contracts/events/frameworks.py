"""What counts as mastery: frameworks of competencies, scales, policies. Reference events; versions never change."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from contracts.envelope import Data
from contracts.events.evidence import Thousandths
from contracts.events.schools import Label, Part
from contracts.ids import Code

Version = Annotated[int, Field(ge=1, le=1_000_000)]
Axis = Literal["content", "skill", "language", "habit"]


class Competency(Part):
    """What a student can come to do. `axis` keeps language growth apart from content."""

    competency: Code
    label: Label
    axis: Axis
    subject: Code | None = None


class FrameworkPublished(Data):
    """A version of a framework, whole. Example: 49 competencies on four axes; the count is stated, so a cut file is noticed."""

    TYPE: ClassVar[str] = "cairn.framework.published.v1"
    REFERENCE: ClassVar[bool] = True

    framework: Code
    version: Version
    label: Label
    count: Annotated[int, Field(ge=1, le=2000)]
    competencies: Annotated[tuple[Competency, ...], Field(min_length=1, max_length=2000)]


class Level(Part):
    """A level of a scale: reached at `at_thousandths`, and worth `worth_thousandths` on the scale that this one converts to."""

    level: Annotated[int, Field(ge=0, le=100)]
    label: Label
    at_thousandths: Thousandths
    worth_thousandths: Thousandths | None = None


class ScalePublished(Data):
    """A version of a scale: the cut score of each level, ascending. Example: STAR reading in grade K cut at its quartiles.

    A score on a scale that `converts_to` another is read there as the `worth_thousandths` of the level it reaches,
    so thirty kinds of points fold into one scale of levels without being added up.
    """

    TYPE: ClassVar[str] = "cairn.scale.published.v1"
    REFERENCE: ClassVar[bool] = True

    scale: Code
    version: Version
    label: Label
    levels: Annotated[tuple[Level, ...], Field(min_length=1, max_length=100)]
    converts_to: Code | None = None


class Method(Part):
    """How evidence becomes a value (see `services/mastery/policies.py` for the formulas).

    `weight` in per cent: weighted 1..99, decaying 50..99. `results` is the n of n-mastery, `mastery_thousandths` its threshold.
    """

    name: Literal["latest", "highest", "average", "weighted", "decaying", "n_mastery"]
    weight: Annotated[int, Field(ge=1, le=99)] | None = None
    results: Annotated[int, Field(ge=1, le=10)] | None = None
    mastery_thousandths: Thousandths | None = None


class PolicyPublished(Data):
    """How a framework's evidence becomes levels, in force from a time. Example: decaying at 65 % from midnight on 1 October.

    `effective` None: in force from its own position. Otherwise from the first tick whose local date has reached it.
    `school` None is the district's default; a school's own policy goes before it. `competencies` empty means all;
    a policy that names the competency goes before one that does not.
    """

    TYPE: ClassVar[str] = "cairn.policy.published.v1"
    REFERENCE: ClassVar[bool] = True

    policy: Code
    version: Version
    framework: Code
    competencies: Annotated[tuple[Code, ...], Field(max_length=2000)] = ()
    school: Code | None = None
    method: Method
    order: Literal["occurred", "recorded"]
    scale: Code
    decimals: Annotated[int, Field(ge=0, le=3)] = 2
    effective: dt.date | None = None
