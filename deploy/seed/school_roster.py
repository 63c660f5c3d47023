"""A synthetic school as rows of a OneRoster folder. Several schools go into one folder, one after another."""

from __future__ import annotations

from collections.abc import Mapping

from deploy.seed.chance import Chance
from deploy.seed.highschool import GRADES, SUBJECTS, School, Section, Student
from deploy.seed.names import name_of
from deploy.seed.oneroster import Folder
from deploy.seed.school_year import SchoolYear, bells

_RACES = ("asian", "blackOrAfricanAmerican", "white", "americanIndianOrAlaskaNative", "demographicRaceTwoOrMoreRaces")


def write_district(folder: Folder, district: str, label: str, year: SchoolYear) -> None:
    """What all schools of a district share: the district itself, the year with its two terms, the courses."""
    folder.row("orgs", {"sourcedId": district, "name": label, "type": "district"})
    whole = year_id(district, year)
    dates = {"startDate": year.starts, "endDate": year.ends, "schoolYear": year.ends.year}
    folder.row(
        "academicSessions", {"sourcedId": whole, "title": f"{year.starts.year}-{year.ends.year}", "type": "schoolYear"} | dates
    )
    autumn_ends = max(day for day in year.school_days() if day < year.spring)
    for name, starts, ends in (("autumn", year.starts, autumn_ends), ("spring", year.spring, year.ends)):
        session: dict[str, object] = {
            "sourcedId": f"{whole}-{name}",
            "title": f"{name} {starts.year}",
            "type": "term",
            "parentSourcedId": whole,
        }
        folder.row("academicSessions", session | {"startDate": starts, "endDate": ends, "schoolYear": year.ends.year})
    for subject, title in SUBJECTS.items():
        for grade in GRADES:
            _write_course(
                folder, district, whole, {"title": f"{title} {grade}", "courseCode": f"{subject}-{grade}", "grades": grade}
            )
    for code, title in (("ADV", "Advisory"), ("ENL", "English as a new language"), ("FLEX", "Flex")):
        _write_course(folder, district, whole, {"title": title, "courseCode": code})


def year_id(district: str, year: SchoolYear) -> str:
    return f"{district}-{year.ends.year}"


def _write_course(folder: Folder, district: str, year: str, course: dict[str, object]) -> None:
    whose = {"sourcedId": f"{district}-{course['courseCode']}", "schoolYearSourcedId": year, "orgSourcedId": district}
    folder.row("courses", whose | course)


def write_school(folder: Folder, district: str, school: School) -> None:
    """One school: its bells, teachers, classes, students."""
    org = {"sourcedId": school.id, "name": school.label, "type": "school", "identifier": school.id}
    folder.row("orgs", org | {"parentSourcedId": district, "metadata.cairn.kind": "mastery"})
    folder.calendar(school.id, bells(), [day.isoformat() for day in school.year.closed])
    for teacher in school.teachers:
        _write_user(folder, school, teacher.id, "teacher", {})
    for section in school.sections.values():
        _write_class(folder, district, school, section)
    for student in school.students:
        _write_student(folder, school, student)


def _write_user(folder: Folder, school: School, id_: str, role: str, more: dict[str, object]) -> None:
    name = name_of(school.seed, id_)
    user = {"sourcedId": id_, "enabledUser": "true", "orgSourcedIds": school.id, "role": role, "username": id_}
    folder.row("users", user | {"givenName": name.given, "familyName": name.family, "identifier": id_} | more)


def _write_class(folder: Folder, district: str, school: School, section: Section) -> None:
    class_: dict[str, object] = {"sourcedId": section.id, "title": section.title, "grades": section.grade or ""}
    class_ |= {"courseSourcedId": f"{district}-{section.course}", "classCode": section.id, "schoolSourcedId": school.id}
    class_ |= {
        "classType": "homeroom" if section.course == "ADV" else "scheduled",
        "termSourcedIds": year_id(district, school.year),
    }
    class_["periods"] = ",".join(f"{day}-{period}" for day, period in section.meetings)
    if section.flex_duty:
        class_ |= {"metadata.cairn.duty": "flex", "metadata.cairn.capacity": section.capacity}
        class_["metadata.cairn.competencies"] = ",".join(section.offers)
    folder.row("classes", class_)
    _write_enrolment(
        folder, school, section, section.teacher.id, {"role": "teacher", "primary": "true", "beginDate": school.year.starts}
    )


def _write_student(folder: Folder, school: School, student: Student) -> None:
    _write_user(folder, school, student.id, "student", {"grades": student.grade, "metadata.cairn.cohort": student.cohort})
    enrolment = {"role": "student", "primary": "false", "beginDate": str(student.enters), "endDate": str(student.leaves or "")}
    for section in school.sections_of(student):
        _write_enrolment(folder, school, section, student.id, enrolment)
    folder.row("demographics", {"sourcedId": student.id} | _demographics(school, student))


def _write_enrolment(folder: Folder, school: School, section: Section, user: str, more: Mapping[str, object]) -> None:
    enrolment: dict[str, object] = {"sourcedId": f"{section.id}.{user.removeprefix(school.id + '-')}", "classSourcedId": section.id}
    folder.row("enrollments", {**enrolment, "schoolSourcedId": school.id, "userSourcedId": user, **more})


def _demographics(school: School, student: Student) -> dict[str, object]:
    chance = Chance(school.seed, student.id, "demographics")
    birth = f"{school.year.starts.year - 14 - GRADES.index(student.grade)}-{chance.integer(1, 12):02d}-{chance.integer(1, 28):02d}"
    cells: dict[str, object] = {"birthDate": birth, "sex": chance.one_of(("female", "male")), chance.one_of(_RACES): "true"}
    cells["hispanicOrLatinoEthnicity"] = "true" if chance.happens(0.4) else "false"
    cells["metadata.lunch"] = "F" if chance.happens(0.65) else "N"
    programmes = [name for name, on in (("IEP", student.iep), (f"ENL={student.enl}", student.enl is not None)) if on]
    return cells | {"metadata.cairn.programmes": ";".join(programmes)}
