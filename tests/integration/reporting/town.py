"""A small town told on all three topics: two schools, a framework on four axes, a term of evidence, a week of flex blocks.

The story says what mastery and scheduling would say; it does not ask them. `Town.levels` keeps what was said last, so that
tests can count by themselves.
"""

from __future__ import annotations

import datetime as dt
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from contracts.codec import decode, finish, prepare, timestamp
from contracts.envelope import Data
from contracts.events import (
    CalendarPublished,
    ClassRegistered,
    FrameworkPublished,
    LogTicked,
    MasteryChanged,
    PlanPublished,
    PolicyPublished,
    ScalePublished,
    SchoolRegistered,
    SeatAssigned,
    SeatReleased,
    StudentEnrolled,
    StudentTransferred,
)
from contracts.events.frameworks import Axis, Competency, Level, Method
from contracts.events.mastery import Move
from contracts.events.schools import Meeting, Period, Term
from contracts.ids import partition_of
from services.chassis.projection.view import Entry
from tests.story import Story, a_student

PARTITIONS = 2
TEACHER = "p-" + "t" * 26
WEEK = dt.date(2026, 9, 7)
LEVELS = ("Beginning", "Developing", "Proficient", "Mastered")
AXES: dict[Axis, tuple[str, ...]] = {
    "content": ("Linear functions", "Cells and energy", "Causes of revolutions", "Ratios and rates"),
    "skill": ("Argue from evidence", "Design an investigation", "Model with mathematics"),
    "language": ("Explain in writing", "Academic conversation"),
    "habit": ("Persist and revise", "Work with others"),
}
CODES = tuple(f"{axis[0].upper()}.{number}" for axis, labels in AXES.items() for number in range(1, len(labels) + 1))


class Topics(Story):
    """A story whose entries come on three inputs; a partition's are in the order in which they were told."""

    def __init__(self) -> None:
        self.others: list[list[tuple[int, Entry]]] = [[] for _ in range(PARTITIONS)]
        super().__init__(PARTITIONS)

    def said(self, input: int, data: Data, student: str | None = None) -> None:
        """Something that mastery (1) or scheduling (2) says."""
        self.now += dt.timedelta(milliseconds=1)
        placed: Sequence[int] = range(PARTITIONS) if student is None else [partition_of(student, PARTITIONS)]
        for partition in placed:
            mine = [entry for _, entry in self.others[partition] if entry.input == input]
            prepared = prepare(data, id=f"{input}-{partition}-{len(mine)}", source="cairn", time=self.now, subject=student)
            record = finish(prepared, len(mine), timestamp(self.now))
            entry = Entry(input, partition, len(mine), len(mine), len(mine), decode(record), record)
            self.others[partition].append((self.position, entry))

    def midnight(self, days: int = 1) -> None:
        """A tick of the log that mastery and scheduling echo."""
        date = self.tick(days=days)
        for input in (1, 2):
            self.said(input, LogTicked(time=self.now.replace(microsecond=0), date=date))

    def all_entries(self, partition: int) -> list[Entry]:
        """Everything that a partition of the three topics holds, in the order of telling."""
        own = [(entry.position, 0, entry) for entry in self.entries(partition)]
        others = [(position - 0.5, 1, entry) for position, entry in self.others[partition]]
        return [entry for *_, entry in sorted(own + others, key=lambda item: item[:2])]


@dataclass
class Town:
    """The told town, and what it comes to."""

    topics: Topics = field(default_factory=Topics)
    schools: dict[str, str] = field(default_factory=dict)
    pieces: Counter[str] = field(default_factory=Counter)
    levels: dict[str, dict[str, int | None]] = field(default_factory=dict)

    def enrol(self, student: str, school: str, *, grade: str = "9", effective: dt.date = dt.date(2026, 9, 1)) -> None:
        self.topics.tell(StudentEnrolled(school=school, grade=grade, cohort="2030", effective=effective), student=student)
        self.schools[student] = school

    def transfer(self, student: str, school: str) -> None:
        today = self.topics.now.date()
        moved = StudentTransferred(from_school=self.schools[student], school=school, grade="10", effective=today)
        self.topics.tell(moved, student=student)
        self.schools[student] = school

    def piece(self, student: str, competency: str, level: int | None, value: int | None = None) -> None:
        """A piece of evidence, and the move that mastery makes of it."""
        self.topics.evidence(student, value or 0, competency)
        self.pieces[student] += 1
        self.move(student, competency, level, value)

    def move(self, student: str, competency: str, level: int | None, value: int | None = None) -> None:
        held = self.levels.setdefault(student, {})
        moved = Move(
            framework="hs",
            competency=competency,
            level=level,
            value_thousandths=value if level else None,
            previous_level=held.get(competency),
            pieces=1,
            policy="district",
            policy_version=1,
            reason=None if level else "too-few",
        )
        changed = MasteryChanged(cause=str(self.topics.position - 1), school=self.schools.get(student), moves=(moved,))
        self.topics.said(1, changed, student)
        held[competency] = level

    def seat(self, student: str, plan: str, day: int, section: str, competency: str) -> None:
        assigned = SeatAssigned.model_validate(
            {"plan": plan, "school": self.schools[student], "date": WEEK + dt.timedelta(days=day), "period": "FLEX"}
            | {"class": section, "framework": "hs", "competency": competency, "reason": "level-1-of-4"}
        )
        self.topics.said(2, assigned, student)

    def release(self, student: str, plan: str, day: int, section: str) -> None:
        released = SeatReleased.model_validate(
            {"plan": plan, "school": self.schools[student], "date": WEEK + dt.timedelta(days=day), "period": "FLEX"}
            | {"class": section, "reason": "replanned"}
        )
        self.topics.said(2, released, student)

    def counts(self, school: str) -> dict[tuple[str, int], int]:
        """How many of a school's students hold each (competency, level), counted from what was told."""
        held = (
            (competency, level)
            for student, levels in self.levels.items()
            if self.schools.get(student) == school
            for competency, level in levels.items()
            if level is not None
        )
        return dict(Counter(held))


def a_town(students: int = 24, seed: int = 7) -> Town:
    """The town after its first weeks: everybody enrolled, evidence for most, one transfer, a plan that replaced another."""
    town, chance = Town(), random.Random(seed)
    _publish(town)
    for number in range(students):
        town.enrol(a_student(number), "HS1" if number % 3 else "HS2", grade=("9", "10", "11")[number % 4 % 3])
    town.topics.midnight()
    for number in range(students):
        for competency in CODES:
            _learn(town, chance, a_student(number), competency)
    town.topics.midnight(3)
    town.transfer(a_student(1), "HS2")
    town.topics.midnight()
    _plan(town, students)
    town.topics.midnight()
    return town


def _learn(town: Town, chance: random.Random, student: str, competency: str) -> None:
    pieces = chance.choice((0, 1, 2, 3, 3, 4))
    for piece in range(pieces):
        value = min(4000, 1000 + 500 * piece + chance.randrange(0, 1500))
        town.piece(student, competency, None if piece == 0 and chance.random() < 0.3 else value // 1000, value)


def _plan(town: Town, students: int) -> None:
    for plan, sections in (("HS1-1", ("FLEX-1", "FLEX-2")), ("HS1-2", ("FLEX-2", "FLEX-3"))):
        town.topics.said(2, _published_plan(town, plan))
        for number in range(students):
            student = a_student(number)
            if town.schools[student] == "HS1":
                section = sections[number % 2]
                if plan == "HS1-2" and number % 2 == 0:
                    town.release(student, plan, number % 5, "FLEX-1")
                town.seat(student, plan, number % 5, section, CODES[number % len(CODES)])


def _published_plan(town: Town, plan: str) -> PlanPublished:
    read_to = str(town.topics.position - 1)
    return PlanPublished(plan=plan, school="HS1", week=WEEK, input=read_to, digest="0" * 64, seats=15, unseated=2)


def _publish(town: Town) -> None:
    tell = town.topics.tell
    tell(SchoolRegistered(school="HS1", label="Harbor High School", kind="mastery", grades=("9", "10", "11")))
    tell(SchoolRegistered(school="HS2", label="Hill/Top Academy", kind="rural"))
    for number in range(1, 4):
        tell(_flex(number))
    tell(
        CalendarPublished(
            school="HS1",
            terms=(Term(term="T1", starts=dt.date(2026, 9, 1), ends=dt.date(2027, 1, 29)),),
            periods=(
                Period(period="P1", starts="08:30", ends="09:20"),
                Period(period="FLEX", starts="10:15", ends="11:05", flex=True),
            ),
        )
    )
    tell(a_framework())
    tell(a_scale())
    tell(a_policy())


def _flex(number: int) -> ClassRegistered:
    days = ("MON", "TUE", "WED", "THU", "FRI")
    return ClassRegistered.model_validate(
        {"class": f"FLEX-{number}", "school": "HS1", "course": "FLEX", "term": "T1", "duty": "flex", "teachers": (TEACHER,)}
        | {"meetings": tuple(Meeting(day=day, period="FLEX") for day in days), "capacity": 8}  # type: ignore[arg-type]
    )


def a_framework() -> FrameworkPublished:
    labels = [(axis, label) for axis, its in AXES.items() for label in its]
    competencies = tuple(
        Competency(competency=code, label=label, axis=axis) for code, (axis, label) in zip(CODES, labels, strict=True)
    )
    return FrameworkPublished(
        framework="hs", version=1, label="Portrait of a graduate", count=len(competencies), competencies=competencies
    )


def a_scale() -> ScalePublished:
    levels = tuple(Level(level=rank, label=label, at_thousandths=rank * 1000) for rank, label in enumerate(LEVELS, 1))
    return ScalePublished(scale="d4", version=1, label="Four levels", levels=levels)


def a_policy() -> PolicyPublished:
    return PolicyPublished(
        policy="district", version=1, framework="hs", method=Method(name="latest"), order="occurred", scale="d4", decimals=3
    )
