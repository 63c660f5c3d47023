"""One synthetic school, or a district of them: rosters and evidence, a school at a time, so that a million students fit.

A school is a pure function of the seed number and its own number; what is written and sent is so too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.seed import curriculum, highschool, learning, school_roster
from deploy.seed.oneroster import Folder
from deploy.seed.school_year import SchoolYear, school_year

SCHOOL_SIZE = 550  # students in a school of a district, about
ONE_SCHOOL_SIZE = 400
# School days of the one school's term: 400 students, 1.09 pieces a day each, about 20,000 pieces.
ONE_SCHOOL_DAYS = 46
AUTUMN = 2025


@dataclass(frozen=True)
class District:
    """`sizes`: students of each school. `days`: how many school days of evidence."""

    id: str
    label: str
    school_ids: tuple[str, ...]
    sizes: tuple[int, ...]
    days: int
    seed: int
    year: SchoolYear
    competencies: tuple[str, ...]

    def schools(self) -> Iterator[highschool.School]:
        """The schools, each made when it is asked for."""
        for number, (id_, size) in enumerate(zip(self.school_ids, self.sizes, strict=True), start=1):
            label = f"Mastery High School {number}"
            yield highschool.school(id_, label, students=size, year=self.year, competencies=self.competencies, seed=self.seed)

    def write_roster(self, path: Path, after_school: Callable[[], None] = lambda: None) -> None:
        """The OneRoster folder of all schools, written row by row."""
        with Folder(path) as folder:
            school_roster.write_district(folder, self.id, self.label, self.year)
            for school in self.schools():
                school_roster.write_school(folder, self.id, school)
                after_school()

    def evidence(self) -> Iterator[dict[str, Any]]:
        """All submissions, school by school, each school's in the order in which its apps send them."""
        for school in self.schools():
            yield from (piece.submission for piece in learning.term(school, self.competencies, self.days))


def one_school(*, seed: int = 1, students: int = ONE_SCHOOL_SIZE, days: int = ONE_SCHOOL_DAYS) -> District:
    """The high school `hs<seed>`, in a district of its own."""
    return _district(f"hs{seed}-district", (f"hs{seed}",), (students,), days, seed)


def district(students: int, days: int, seed: int) -> District:
    """The district `d<seed>`: as many schools of about 550 as hold `students`."""
    count = -(-students // SCHOOL_SIZE)
    sizes = tuple(students // count + (number < students % count) for number in range(count))
    return _district(f"d{seed}", tuple(f"d{seed}-{number:04d}" for number in range(1, count + 1)), sizes, days, seed)


def _district(id_: str, school_ids: tuple[str, ...], sizes: tuple[int, ...], days: int, seed: int) -> District:
    framework = curriculum.read("highschool")["framework"]
    competencies = tuple(each["competency"] for each in framework["competencies"])
    return District(id_, f"Synthetic district {seed}", school_ids, sizes, days, seed, school_year(AUTUMN), competencies)
