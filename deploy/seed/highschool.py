"""A synthetic mastery school: who is there, who teaches what when, who has which programme.

Owns: the school as it stands on the first day, a pure function of its seed. What its students then show is in `learning.py`.

The timetable cannot clash by construction. Each grade has six groups and six subjects: group g has subject (g + p) mod 6 in
period p, so every (grade, subject) has one section in each period. A lead teaches five of those six and, a subject, one
colleague the sixth of each grade, in a different period for each.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import NamedTuple

from deploy.seed.chance import Chance
from deploy.seed.school_year import ADVISORY, DAYS, FLEX, TAUGHT, SchoolYear

GRADES = ("9", "10", "11", "12")
SUBJECTS = {
    "MA": "Mathematics",
    "EL": "English",
    "SC": "Science",
    "SO": "Social studies",
    "LA": "Languages",
    "AR": "Arts and wellbeing",
}
TEACHERS = len(SUBJECTS) * (len(GRADES) + 1)
# What a teacher's flex duty offers, by subject: the codes of `highschool.json` begin with these.
_OFFERS = {"MA": ("MA",), "EL": ("EL", "SK"), "SC": ("SC",), "SO": ("SO",), "LA": ("LA",), "AR": ("HA", "SK")}
_ENL_LEVELS = ("entering", "emerging", "transitioning", "expanding", "commanding")
_ENL_CLASS_DAYS = ("TUE", "THU")  # entering and emerging have a class in FLEX on these days: scheduling must leave them in it
_FREE_DAY = 1  # days a week on which a teacher has no flex duty


class Teacher(NamedTuple):
    id: str
    subject: str
    number: int


class Student(NamedTuple):
    """A student on the first day. `leaves`: her last day, if she does. `language`: her home language, if she learns English."""

    id: str
    number: int
    grade: str
    cohort: str
    group: int
    advisory: int
    enters: date
    leaves: date | None
    iep: bool
    enl: str | None
    language: str | None


class Section(NamedTuple):
    """A class, an advisory or a flex duty. `meetings`: (day, period)."""

    id: str
    title: str
    course: str
    grade: str | None
    teacher: Teacher
    meetings: tuple[tuple[str, str], ...]
    capacity: int | None = None
    offers: tuple[str, ...] = ()

    @property
    def flex_duty(self) -> bool:
        return self.capacity is not None


@dataclass(frozen=True)
class School:
    """A school with its people and its timetable."""

    id: str
    label: str
    seed: int
    year: SchoolYear
    teachers: tuple[Teacher, ...]
    students: tuple[Student, ...]
    sections: dict[str, Section]

    def sections_of(self, student: Student) -> list[Section]:
        """Her six subjects, her advisory and, for a beginner in English, the class that goes with it."""
        ids = [_taught(self.id, student.grade, _subject(student.group, period), period) for period in TAUGHT]
        ids.append(_advisory(self.id, student.advisory))
        if student.enl in _ENL_LEVELS[:2]:
            ids.append(_enl(self.id))
        return [self.sections[id_] for id_ in ids]


def school(id_: str, label: str, *, students: int, year: SchoolYear, competencies: tuple[str, ...], seed: int) -> School:
    """The school of `students` students that `seed` gives. `competencies`: codes of the framework, for flex duties to offer."""
    teachers = tuple(Teacher(f"{id_}-t{n:02d}", list(SUBJECTS)[n % len(SUBJECTS)], n) for n in range(TEACHERS))
    people = _students(id_, students, year, seed)
    sections = (*_taught_sections(id_, teachers), *_advisories(id_, teachers), _enl_section(id_, teachers))
    duties = _flex_duties(id_, teachers, students, competencies)
    return School(id_, label, seed, year, teachers, people, {section.id: section for section in (*sections, *duties)})


def _students(school_id: str, count: int, year: SchoolYear, seed: int) -> tuple[Student, ...]:
    order = Chance(seed, school_id, "groups").shuffled(range(count))
    return tuple(_student(school_id, number, place, year, seed) for number, place in enumerate(order))


def _student(school_id: str, number: int, place: int, year: SchoolYear, seed: int) -> Student:
    """`place` is her place in a shuffled line of all students, dealt out over grades, groups and advisories."""
    chance = Chance(seed, school_id, "student", number)
    grade = place % len(GRADES)
    learner = chance.happens(0.15)
    enters = year.starts + timedelta(days=chance.integer(7, 40)) if chance.happens(0.03) else year.starts
    return Student(
        id=f"{school_id}-{number:04d}",
        number=number,
        grade=GRADES[grade],
        cohort=str(year.ends.year + len(GRADES) - 1 - grade),
        group=place // len(GRADES) % len(SUBJECTS),
        advisory=place % TEACHERS,
        enters=enters,
        leaves=enters + timedelta(days=chance.integer(20, 60)) if chance.happens(0.01) else None,
        iep=chance.happens(0.18),
        enl=chance.one_of(_ENL_LEVELS) if learner else None,
        language=chance.one_of(("es", "zh", "ar", "bn", "ht", "fr")) if learner else None,
    )


def _subject(group: int, period: str) -> str:
    return list(SUBJECTS)[(group + TAUGHT.index(period)) % len(SUBJECTS)]


def _taught(school_id: str, grade: str, subject: str, period: str) -> str:
    return f"{school_id}-{subject}{grade}-{period}"


def _advisory(school_id: str, number: int) -> str:
    return f"{school_id}-ADV-{number:02d}"


def _enl(school_id: str) -> str:
    return f"{school_id}-ENL"


def _taught_sections(school_id: str, teachers: tuple[Teacher, ...]) -> Iterator[Section]:
    for g, grade in enumerate(GRADES):
        for s, subject in enumerate(SUBJECTS):
            lead, colleague = teachers[g * len(SUBJECTS) + s], teachers[len(GRADES) * len(SUBJECTS) + s]
            for p, period in enumerate(TAUGHT):
                title = f"{SUBJECTS[subject]} {grade}, {period}"
                meetings = tuple((day, period) for day in DAYS)
                teacher = colleague if p == g else lead
                yield Section(_taught(school_id, grade, subject, period), title, f"{subject}-{grade}", grade, teacher, meetings)


def _advisories(school_id: str, teachers: tuple[Teacher, ...]) -> Iterator[Section]:
    meetings = tuple((day, ADVISORY) for day in DAYS)
    for teacher in teachers:
        yield Section(_advisory(school_id, teacher.number), f"Advisory {teacher.number + 1}", "ADV", None, teacher, meetings)


def _enl_section(school_id: str, teachers: tuple[Teacher, ...]) -> Section:
    meetings = tuple((day, FLEX) for day in _ENL_CLASS_DAYS)
    return Section(_enl(school_id), "English as a new language", "ENL", None, _enl_teacher(teachers), meetings)


def _enl_teacher(teachers: tuple[Teacher, ...]) -> Teacher:
    return next(teacher for teacher in reversed(teachers) if teacher.subject == "LA")


def _flex_duties(school_id: str, teachers: tuple[Teacher, ...], students: int, competencies: tuple[str, ...]) -> Iterator[Section]:
    """Each teacher is on duty four days of five. A duty's seats: an average school day's need, and a few more."""
    on_duty = len(teachers) * (len(DAYS) - _FREE_DAY) // len(DAYS) - 1  # the ENL teacher may have a class
    for teacher in teachers:
        busy = {DAYS[teacher.number % len(DAYS)]} if teacher != _enl_teacher(teachers) else set(_ENL_CLASS_DAYS)
        meetings = tuple((day, FLEX) for day in DAYS if day not in busy)
        offers = tuple(code for code in competencies if code.split(".")[0] in _OFFERS[teacher.subject])
        title = f"Flex, {SUBJECTS[teacher.subject]} {teacher.number + 1}"
        seats = -(-students // on_duty)
        yield Section(f"{school_id}-FLEX-{teacher.number:02d}", title, "FLEX", None, teacher, meetings, seats, offers)
