"""Project STAR as a roster and as evidence.

Owns: what a row of the data becomes. A value that the data lacks is left out, never filled in.
"""

from __future__ import annotations

import csv
import gzip
import io
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from contracts.ids import derived_id
from deploy.seed.names import name_of
from deploy.seed.oneroster import Folder

DATA = Path(__file__).with_name("star.csv.gz")

# Facts about the data set, not settings: another count means another file.
STUDENT_YEARS, PUPILS, SCHOOLS = 26_796, 11_598, 80
POSSIBLE, PUBLISHED, ABSENT = 53_592, 48_875, 4_717

GRADES = ("K", "1", "2", "3")
FIRST_DAY = {"K": "1985-09-03", "1": "1986-09-02", "2": "1987-09-01", "3": "1988-09-06"}
LAST_DAY = {"K": "1986-05-30", "1": "1987-05-29", "2": "1988-05-27", "3": "1989-05-26"}
SPRING = {"K": 1986, "1": 1987, "2": 1988, "3": 1989}
SUBJECTS = {"read": "READ", "math": "MATH"}
# The data has no date of testing: both tests of a year are dated 15 April, reading first (UTC).
_TEST_TIME = {"read": "14:00:00Z", "math": "15:00:00Z"}
_RACE = {"A": "asian", "B": "blackOrAfricanAmerican", "I": "americanIndianOrAlaskaNative", "W": "white"}


class StudentYear(NamedTuple):
    """A row: one pupil's year in one school. `None` where the data has no value."""

    pupil: str
    school: str
    grade: str
    teacher: str | None
    class_size: str
    school_kind: str
    read: int | None
    math: int | None
    lunch: str | None
    sex: str | None
    ethnicity: str | None

    def score(self, subject: str) -> int | None:
        return self.read if subject == "read" else self.math


def student_years() -> tuple[StudentYear, ...]:
    """All rows, in order of grade and then of the file. Raises ValueError when the file is not the one this code knows."""
    with gzip.open(DATA, "rb") as packed:
        rows = [_student_year(row) for row in csv.DictReader(io.TextIOWrapper(packed, encoding="utf-8"))]
    rows.sort(key=lambda row: GRADES.index(row.grade))
    counted = (len(rows), len({row.pupil for row in rows}), len({row.school for row in rows}))
    if counted != (STUDENT_YEARS, PUPILS, SCHOOLS):
        raise ValueError(f"{DATA.name} holds {counted} student-years, pupils and schools, not {(STUDENT_YEARS, PUPILS, SCHOOLS)}")
    return tuple(rows)


def _student_year(row: dict[str, str]) -> StudentYear:
    known = {column: None if value == "NA" else value for column, value in row.items()}
    return StudentYear(
        pupil=row["id"],
        school=row["sch"],
        grade=row["gr"],
        teacher=known["tch"],
        class_size=row["cltype"],
        school_kind=row["schtype"],
        read=int(row["read"]) if known["read"] else None,
        math=int(row["math"]) if known["math"] else None,
        lunch=known["ses"],
        sex=known["sx"],
        ethnicity=known["eth"],
    )


def evidence(rows: tuple[StudentYear, ...]) -> Iterator[dict[str, Any]]:
    """The scores that exist, as submissions of the publisher `star`, oldest year first. An absent score is no evidence."""
    for row in rows:
        for subject in SUBJECTS:
            if (score := row.score(subject)) is not None:
                yield _submission(row, subject, score)


def _submission(row: StudentYear, subject: str, score: int) -> dict[str, Any]:
    data: dict[str, Any] = {
        "student": {"scheme": "sis", "value": pupil_id(row.pupil)},
        "framework": "star",
        "competency": SUBJECTS[subject],
        "score": score,
        "scale": scale_of(subject, row.grade),
        "kind": "assessment",
        "context": "stanford-achievement-test",
    }
    if row.teacher is not None:
        data["assessor"] = {"scheme": "sis", "value": teacher_id(row.teacher)}
    return {
        "specversion": "1.0",
        "id": derived_id("star", row.pupil, row.grade, subject),  # an id enters the log: it never holds a pupil's number
        "source": "star",
        "type": "cairn.evidence.submitted.v1",
        "time": f"{SPRING[row.grade]}-04-15T{_TEST_TIME[subject]}",
        "data": data,
    }


def scale_of(subject: str, grade: str) -> str:
    return f"star-{subject}-{grade}"


def pupil_id(pupil: str) -> str:
    return f"star-p{pupil}"


def teacher_id(teacher: str) -> str:
    return f"star-t{teacher}"


def school_id(school: str) -> str:
    return f"star-{school}"


def class_id(row: StudentYear) -> str:
    """A class is a teacher's year; pupils whose teacher is not known share one a school and grade."""
    return f"star-c{row.teacher}" if row.teacher is not None else f"star-c{row.school}-{row.grade}"


def write_roster(rows: tuple[StudentYear, ...], path: Path) -> None:
    """The OneRoster folder of the whole study."""
    with Folder(path) as folder:
        _write_years(folder)
        _write_schools(folder, rows)
        _write_classes(folder, rows)
        _write_pupils(folder, rows)


def _write_years(folder: Folder) -> None:
    for grade in GRADES:
        session = {"sourcedId": f"star-{SPRING[grade]}", "title": f"{SPRING[grade] - 1}-{SPRING[grade]}", "type": "schoolYear"}
        dates = {"startDate": FIRST_DAY[grade], "endDate": LAST_DAY[grade], "schoolYear": SPRING[grade]}
        folder.row("academicSessions", session | dates)


def _write_schools(folder: Folder, rows: tuple[StudentYear, ...]) -> None:
    folder.row("orgs", {"sourcedId": "star", "name": "Project STAR, Tennessee", "type": "district"})
    kinds = {row.school: row.school_kind for row in rows}
    for school, kind in sorted(kinds.items(), key=lambda item: int(item[0])):
        cells = {"sourcedId": school_id(school), "name": f"STAR school {school}", "type": "school", "identifier": school}
        folder.row("orgs", cells | {"parentSourcedId": "star", "metadata.cairn.kind": kind})
    for grade in GRADES:
        course = {"sourcedId": f"star-grade-{grade}", "schoolYearSourcedId": f"star-{SPRING[grade]}", "title": f"Grade {grade}"}
        folder.row("courses", course | {"courseCode": f"GRADE-{grade}", "grades": grade, "orgSourcedId": "star"})


def _write_classes(folder: Folder, rows: tuple[StudentYear, ...]) -> None:
    for row in {class_id(row): row for row in rows}.values():
        class_ = {"sourcedId": class_id(row), "title": f"Grade {row.grade}, {row.class_size}", "grades": row.grade}
        class_ |= {"courseSourcedId": f"star-grade-{row.grade}", "classType": "homeroom", "schoolSourcedId": school_id(row.school)}
        folder.row("classes", class_ | {"termSourcedIds": f"star-{SPRING[row.grade]}"})
        if row.teacher is not None:
            _write_teacher(folder, row, row.teacher)


def _write_teacher(folder: Folder, row: StudentYear, teacher: str) -> None:
    name = name_of("star", "teacher", teacher)
    user = {"sourcedId": teacher_id(teacher), "enabledUser": "true", "orgSourcedIds": school_id(row.school), "role": "teacher"}
    user |= {"username": teacher_id(teacher), "givenName": name.given, "familyName": name.family, "identifier": teacher}
    folder.row("users", user)
    duty = {"sourcedId": f"star-e-t{teacher}", "classSourcedId": class_id(row), "schoolSourcedId": school_id(row.school)}
    duty |= {"userSourcedId": teacher_id(teacher), "role": "teacher", "primary": "true"}
    folder.row("enrollments", duty | {"beginDate": FIRST_DAY[row.grade], "endDate": LAST_DAY[row.grade]})


def _write_pupils(folder: Folder, rows: tuple[StudentYear, ...]) -> None:
    years: dict[str, list[StudentYear]] = defaultdict(list)
    for row in rows:
        years[row.pupil].append(row)
    for pupil, theirs in years.items():
        _write_person(folder, pupil, theirs)
        present = {row.grade for row in theirs}
        for row in theirs:
            _write_enrolment(folder, row, stays=row.grade == GRADES[-1] or _next(row.grade) in present)


def _next(grade: str) -> str:
    return GRADES[GRADES.index(grade) + 1]


def _write_enrolment(folder: Folder, row: StudentYear, *, stays: bool) -> None:
    """No end when she is there in the next year too, or when the study ended first; else the last day of the year."""
    enrolment = {"sourcedId": f"star-e-{row.pupil}-{row.grade}", "classSourcedId": class_id(row)}
    enrolment |= {"schoolSourcedId": school_id(row.school), "userSourcedId": pupil_id(row.pupil), "role": "student"}
    enrolment |= {"primary": "false", "beginDate": FIRST_DAY[row.grade], "endDate": "" if stays else LAST_DAY[row.grade]}
    folder.row("enrollments", enrolment)


def _write_person(folder: Folder, pupil: str, years: list[StudentYear]) -> None:
    name, last = name_of("star", "pupil", pupil), years[-1]
    user = {"sourcedId": pupil_id(pupil), "enabledUser": "true", "orgSourcedIds": school_id(last.school), "role": "student"}
    user |= {"username": pupil_id(pupil), "givenName": name.given, "familyName": name.family, "identifier": pupil}
    folder.row("users", user | {"grades": last.grade})
    folder.row("demographics", {"sourcedId": pupil_id(pupil)} | _demographics(years))


def _demographics(years: list[StudentYear]) -> dict[str, object]:
    """What is known of a pupil: the last year's word where years differ or are silent."""
    ethnicity = _last_known([row.ethnicity for row in years])
    cells: dict[str, object] = {"sex": {"F": "female", "M": "male"}.get(_last_known([row.sex for row in years]), "")}
    cells["metadata.lunch"] = _last_known([row.lunch for row in years])
    if ethnicity in _RACE:
        cells[_RACE[ethnicity]] = "true"
    if ethnicity:
        cells["hispanicOrLatinoEthnicity"] = "true" if ethnicity == "H" else "false"
    return cells


def _last_known(values: list[str | None]) -> str:
    return next((value for value in reversed(values) if value), "")
