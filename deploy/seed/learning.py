"""What students of a synthetic school show, day by day, through three apps.

Owns: learning curves, and how each app reports them. A score is where the student stands on her curve that day, and some luck.

`workbench`  mathematics and science: marks in per cent by a machine; practice too, which never counts.
`portfolio`  performances in english, social studies and skills, marked by a teacher; due dates; now and then a judgement.
`advisory`   habits and language, observed by the advisory teacher.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from contracts.ids import derived_id
from deploy.seed.chance import Chance
from deploy.seed.highschool import School, Student

APPS = ("workbench", "portfolio", "advisory")
FRAMEWORK = "hs49"

# Pieces a student and school day, by app: 1.09 in all, which is 196 a year (four for each of 49 competencies).
_RATES = {"workbench": 0.5, "portfolio": 0.35, "advisory": 0.24}
_AREAS = {"workbench": ("MA", "SC"), "portfolio": ("EL", "SO", "SK"), "advisory": ("HA", "LA")}
_ZONE = ZoneInfo("America/New_York")
_UNIT_DAYS = 13  # school days on one competency before the next of its subject begins
_LATE = 0.06  # of all pieces arrive days after they happened, so that order of arrival is not order of occurrence


class Piece(NamedTuple):
    """A submission, and the moment at which its app sends it. Apps send in order of `sent`."""

    sent: datetime
    submission: dict[str, Any]


def term(school: School, competencies: tuple[str, ...], days: int) -> list[Piece]:
    """The evidence of the first `days` school days, in the order in which it is sent. Pure: the same school, the same list."""
    areas: dict[str, list[str]] = {}
    for code in competencies:
        areas.setdefault(code.split(".")[0], []).append(code)
    calendar = [day for day, _ in zip(school.year.school_days(), range(days), strict=False)]
    pieces = [piece for student in school.students for piece in _Learner(school, student, areas).pieces(calendar)]
    return sorted(pieces, key=lambda piece: (piece.sent, piece.submission["id"]))


class _Learner:
    """One student's term as it is generated: her curves, and the attempts so far."""

    def __init__(self, school: School, student: Student, areas: dict[str, list[str]]) -> None:
        self._school, self._student, self._areas = school, student, areas
        chance = Chance(school.seed, student.id, "ability")
        self._ability, self._pace = chance.normal(0.0, 0.45), max(0.2, chance.normal(1.0, 0.25))
        self._bent: dict[str, float] = {}
        self._attempts: Counter[str] = Counter()
        self._teachers = {section.course.split("-")[0]: section.teacher.id for section in school.sections_of(student)}

    def pieces(self, calendar: list[date]) -> Iterator[Piece]:
        student = self._student
        for number, day in enumerate(calendar):
            if student.enters <= day and (student.leaves is None or day <= student.leaves):
                chance = Chance(self._school.seed, student.id, day)
                for app in APPS:
                    if chance.happens(_RATES[app]):
                        yield self._piece(app, number, day, chance)

    def _piece(self, app: str, number: int, day: date, chance: Chance) -> Piece:
        area = chance.one_of(_AREAS[app])
        competency, begun = self._competency(area, number, chance)
        level = self._level(competency, begun, chance)
        happened = datetime.combine(day, time(8, 40), _ZONE) + timedelta(seconds=chance.integer(0, 6 * 3600))
        late = timedelta(days=chance.integer(1, 10)) if chance.happens(_LATE) else timedelta(seconds=chance.integer(5, 900))
        data = {"student": _sis(self._student.id), "framework": FRAMEWORK, "competency": competency}
        data |= getattr(self, f"_{app}")(area, competency, level, day, chance) | self._support(area, chance)
        return Piece(happened + late, self._submission(app, happened, data))

    def _submission(self, app: str, happened: datetime, data: dict[str, Any]) -> dict[str, Any]:
        """Its id is derived from what it is about, and doesn't show it: an id enters the log, a student's number never does."""
        id_ = derived_id(self._school.seed, self._student.id, app, happened.isoformat())
        source = f"{app}/{self._school.id}"
        head = {"specversion": "1.0", "id": id_, "source": source, "type": "cairn.evidence.submitted.v1"}
        return head | {"time": happened.isoformat(), "data": data}

    def _competency(self, area: str, number: int, chance: Chance) -> tuple[str, int]:
        """What she works on, and for how many school days: its unit, at times an older one; where there are no units, anything."""
        codes = self._areas[area]
        if area in ("SK", "HA", "LA"):
            return chance.one_of(codes), number
        unit = min(number // _UNIT_DAYS, len(codes) - 1)
        if unit and chance.happens(0.2):
            unit = chance.integer(0, unit - 1)
        return codes[unit], number - unit * _UNIT_DAYS

    def _level(self, competency: str, begun: int, chance: Chance) -> float:
        """Where she is on her curve, 1 to 4: fast at first, then flattening, faster for some and further for some."""
        if (bent := self._bent.get(competency)) is None:
            bent = self._bent[competency] = Chance(self._school.seed, self._student.id, "bent", competency).normal(0.0, 0.35)
        curve = 1.3 + 2.3 * (1.0 - math.exp(-0.09 * self._pace * begun)) + self._ability + bent
        return min(4.0, max(1.0, curve + chance.normal(0.0, 0.3)))

    def _workbench(self, _area: str, competency: str, level: float, _day: date, chance: Chance) -> dict[str, Any]:
        self._attempts[competency] += 1
        percent = min(100.0, max(0.0, 20.0 + 20.0 * level + chance.normal(0.0, 4.0)))
        kind = "practice" if chance.happens(0.3) else "assessment"
        exact = {"score": round(percent, 1), "scale": "hs-percent", "kind": kind}
        return exact | {"context": "workbench", "attempt": self._attempts[competency]}

    def _portfolio(self, area: str, _competency: str, level: float, day: date, chance: Chance) -> dict[str, Any]:
        due = datetime.combine(day + timedelta(days=chance.integer(-3, 4)), time(23, 59), _ZONE)
        kind = "judgement" if chance.happens(0.03) else "performance"
        subject = area if area in self._teachers else chance.one_of(("EL", "SO"))
        data = {"score": _half(level), "scale": "hs-4", "kind": kind, "assessor": _sis(self._teachers[subject])}
        return data | {"context": f"{subject}-{self._student.grade}", "due": due.isoformat()}

    def _advisory(self, area: str, _competency: str, level: float, _day: date, _chance: Chance) -> dict[str, Any]:
        data = {"kind": "observation", "assessor": _sis(self._teachers["ADV"]), "context": "advisory"}
        if area == "HA":
            return data | {"score": _half(level), "scale": "hs-4"}
        return data | {"score": min(5, round(level * 1.25)), "scale": "hs-language-5"}

    def _support(self, area: str, chance: Chance) -> dict[str, Any]:
        """How she showed it: in which language, how much of it the task asked for, with which accommodations."""
        support: dict[str, Any] = {}
        if self._student.language is not None and area != "HA":
            support["language"] = self._student.language if area != "LA" and chance.happens(0.4) else "en"
            support["language_demand"] = chance.integer(2, 5) if area in ("EL", "SO", "LA") else chance.integer(1, 3)
        if self._student.iep and chance.happens(0.6):
            support["accommodations"] = [chance.one_of(("extended-time", "read-aloud", "small-group"))]
        return support


def _half(level: float) -> float:
    """Teachers mark in half levels."""
    return math.floor(2.0 * level + 0.5) / 2.0


def _sis(id_: str) -> dict[str, str]:
    return {"scheme": "sis", "value": id_}
