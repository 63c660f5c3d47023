"""Builders of a log's events with readable defaults, and a log of one partition that gives them their places."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, field

from contracts.codec import decode, finish, prepare, timestamp
from contracts.envelope import Data
from contracts.events import (
    EvidenceSubmitted,
    FrameworkPublished,
    LogTicked,
    PolicyPublished,
    ScalePublished,
    SchoolRegistered,
    StudentEnrolled,
    StudentTransferred,
    StudentWithdrawn,
)
from contracts.events.frameworks import Competency, Level, Method
from services.chassis.projection.view import Entry

ADA, BEN = "s-" + "a" * 26, "s-" + "b" * 26
TEACHER = "p-" + "t" * 26
DAY = dt.datetime(2026, 10, 1, 9, tzinfo=dt.UTC)
FIRST = dt.date(2026, 9, 3)


def a_student(number: int) -> str:
    """A pseudonym."""
    return f"s-{number:026d}"


def at(day: float = 0, seconds: float = 0) -> dt.datetime:
    """A moment, days and seconds after the first of October."""
    return DAY + dt.timedelta(days=day, seconds=seconds)


def an_evidence_submitted(score: float = 3.0, **changes: object) -> EvidenceSubmitted:
    fields: dict[str, object] = {"framework": "math", "competency": "MA.1", "scale": "d4"} | changes
    return EvidenceSubmitted.model_validate({"score_thousandths": round(score * 1000)} | fields)


def a_scale(
    scale: str = "d4", cuts: Iterable[float] = (1, 2, 3, 4), *, converts_to: str | None = None, version: int = 1
) -> ScalePublished:
    """Levels 1, 2, … at their cuts, each worth its number on the scale it converts to."""
    levels = tuple(
        Level(
            level=number,
            label=f"level {number}",
            at_thousandths=round(cut * 1000),
            worth_thousandths=number * 1000 if converts_to else None,
        )
        for number, cut in enumerate(cuts, start=1)
    )
    return ScalePublished(scale=scale, version=version, label=scale, levels=levels, converts_to=converts_to)


def a_policy(name: str = "decaying", **changes: object) -> PolicyPublished:
    """A policy over framework `math` on scale `d4`, in force at once. `name`, `weight`, `results`, `mastery`: its method."""
    method = {
        "name": name,
        "weight": changes.pop("weight", None),
        "results": changes.pop("results", None),
        "mastery_thousandths": changes.pop("mastery", None),
    }
    fields: dict[str, object] = {
        "policy": "district",
        "version": 1,
        "framework": "math",
        "method": Method.model_validate(method),
        "order": "occurred",
        "scale": "d4",
    }
    return PolicyPublished.model_validate(fields | changes)


def a_framework(
    framework: str = "math", competencies: Iterable[str] = ("MA.1", "MA.2"), *, count: int | None = None
) -> FrameworkPublished:
    parts = tuple(Competency(competency=code, label=f"Can do {code}", axis="content") for code in competencies)
    return FrameworkPublished(framework=framework, version=1, label="Mathematics", count=count or len(parts), competencies=parts)


def a_school(school: str = "HS1") -> SchoolRegistered:
    return SchoolRegistered(school=school, label=f"School {school}")


def enrolled(school: str = "HS1", effective: dt.date = FIRST, **changes: object) -> StudentEnrolled:
    return StudentEnrolled.model_validate({"school": school, "grade": "9", "effective": effective} | changes)


def transferred(school: str, effective: dt.date = FIRST) -> StudentTransferred:
    return StudentTransferred(from_school="HS1", school=school, grade="9", effective=effective)


def withdrawn(school: str = "HS1", effective: dt.date = FIRST) -> StudentWithdrawn:
    return StudentWithdrawn(school=school, reason="moved", effective=effective)


def a_tick(date: dt.date) -> LogTicked:
    """The first tick of a local date."""
    return LogTicked(time=dt.datetime.combine(date, dt.time(4), dt.UTC), date=date)


@dataclass
class PartitionLog:
    """A partition of `evidence.log`: what is added gets the next sequence, and a position after every one before it.

    Positions have gaps, as they have where other partitions take some. Recorded times are whole milliseconds apart.
    """

    partition: int = 0
    stride: int = 3
    entries: list[Entry] = field(default_factory=list)

    def add(
        self,
        data: Data,
        student: str | None = None,
        *,
        time: dt.datetime = DAY,
        id: str | None = None,
        source: str = "app",
        **extensions: int,
    ) -> Entry:
        """Append one event."""
        sequence = len(self.entries)
        position = sequence * self.stride
        prepared = prepare(data, id=id or f"e{sequence}", source=source, time=time, subject=student, **extensions)
        record = finish(prepared, position, timestamp(DAY + dt.timedelta(days=30, milliseconds=sequence)))
        entry = Entry(0, self.partition, sequence, position, sequence, decode(record), record)
        self.entries.append(entry)
        return entry
