"""What an event must say to make sense, decided from itself alone. Pure: a companion of `domain.py`.

A publisher learns of it at the door, with the field. Readers still decide for themselves whether they can apply an event
(design §3: one that can't be is void, the same way everywhere).
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import NamedTuple

from pydantic import BaseModel

from contracts.events import CalendarPublished, FrameworkPublished, PolicyPublished, ProgrammeChanged, ScalePublished
from contracts.submissions import EvidenceRetractedData, EvidenceSupersededData, Target


class Rule(NamedTuple):
    """A rule that an event breaks, and the field (a JSON pointer within `data`) that breaks it."""

    pointer: str
    expected: str


def broken_rule(data: BaseModel) -> Rule | None:  # noqa: PLR0911 - one an event
    """The first rule that the event breaks; None for most, which have none beyond their fields."""
    match data:
        case EvidenceRetractedData() | EvidenceSupersededData():
            return _target(data.target)
        case FrameworkPublished():
            return _framework(data)
        case ScalePublished():
            return _scale(data)
        case PolicyPublished():
            return _policy(data)
        case CalendarPublished():
            return _calendar(data)
        case ProgrammeChanged():
            return _programme(data)
    return None


def _target(target: Target) -> Rule | None:
    if (target.id is None) == (target.sourcekey is None):
        return Rule("/target", "either an id or a sourcekey")
    return None


def _framework(data: FrameworkPublished) -> Rule | None:
    if data.count != len(data.competencies):
        return Rule("/count", "the number of competencies")
    return _unique("/competencies", (each.competency for each in data.competencies))


def _scale(data: ScalePublished) -> Rule | None:
    if any(low.level >= high.level or low.at_thousandths >= high.at_thousandths for low, high in pairwise(data.levels)):
        return Rule("/levels", "levels ascending, by their number and by their cut score")
    if data.converts_to is not None and any(level.worth_thousandths is None for level in data.levels):
        return Rule("/levels", "worth_thousandths on every level, since the scale converts to another")
    return None


def _policy(data: PolicyPublished) -> Rule | None:
    method = data.method
    if method.name == "decaying" and method.weight is not None and method.weight < 50:
        return Rule("/method/weight", "from 50 to 99 for a decaying average")
    if method.name == "n_mastery" and method.mastery_thousandths is None:
        return Rule("/method/mastery_thousandths", "the threshold of mastery, which n_mastery needs")
    return None


def _calendar(data: CalendarPublished) -> Rule | None:
    if any(term.starts > term.ends for term in data.terms):
        return Rule("/terms", "terms that start before they end")
    if any(period.starts >= period.ends for period in data.periods):
        return Rule("/periods", "periods that start before they end")
    return _unique("/periods", (each.period for each in data.periods))


def _programme(data: ProgrammeChanged) -> Rule | None:
    if data.until is not None and data.until < data.effective:
        return Rule("/until", "a date at or after effective")
    return None


def _unique(pointer: str, keys: Iterable[object]) -> Rule | None:
    seen = list(keys)
    return Rule(pointer, "each code once") if len(set(seen)) != len(seen) else None
