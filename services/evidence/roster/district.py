"""The whole roster in memory: schools, calendars, classes, people and their enrolments, each row checked against the others.

Owns: what refers to what. A row that refers to nothing is reported with its line and left out; the others are taken.
About 1 kB a student with eight classes.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date
from sys import intern
from typing import Any

from pydantic import ValidationError

from contracts.events import CalendarPublished, ClassRegistered, SchoolRegistered
from contracts.events.schools import Period, Term
from services.chassis.errors import Rejected
from services.chassis.validation import fault
from services.evidence.roster import rows
from services.evidence.roster.folder import BadCell, BadRow, RosterFolder, Row
from services.evidence.roster.history import FOREVER, Enrolment

CALENDARS = "cairn_calendars.json"
MOST_TEACHERS = 10


@dataclass(slots=True)
class District:
    """A roster as read. Keys are OneRoster's sourcedIds; `bad` are the rows that were not taken."""

    schools: dict[str, SchoolRegistered] = field(default_factory=dict)
    sessions: dict[str, rows.Session] = field(default_factory=dict)
    calendars: dict[str, CalendarPublished] = field(default_factory=dict)
    classes: dict[str, ClassRegistered] = field(default_factory=dict)
    class_grades: dict[str, str] = field(default_factory=dict)
    teachers: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    users: dict[str, rows.User] = field(default_factory=dict)
    enrolments: dict[str, list[Enrolment]] = field(default_factory=lambda: defaultdict(list))
    roles: dict[str, list[tuple[str, str]]] = field(default_factory=lambda: defaultdict(list))
    bad: list[BadRow] = field(default_factory=list)
    read: dict[str, int] = field(default_factory=dict)


def read_district(folder: RosterFolder, advance: Callable[[int], None] = lambda _: None) -> District:
    """Read all files. `advance` is told how many rows were read. Raises `Rejected` for files that cannot be read at all."""
    district = District()
    reading: tuple[tuple[str, Callable[[District, Row], None]], ...] = (
        ("orgs", _org),
        ("academicSessions", _session),
        ("classes", _class),
        ("roles", _role),
        ("users", _user),
        ("enrollments", _enrolment),
        ("demographics", _demographics),
    )
    for file, take in reading:
        _read(district, folder, file, take, advance)
    _grades_of_schools(district)
    _calendars(district, folder)
    return district


def _read(
    district: District,
    folder: RosterFolder,
    file: str,
    take: Callable[[District, Row], None],
    advance: Callable[[int], None],
) -> None:
    count = 0
    for count, row in enumerate(folder.rows(file), 1):
        try:
            take(district, row)
        except BadCell as error:
            district.bad.append(BadRow(f"{file}.csv", row.line, str(error)))
        except ValidationError as error:
            district.bad.append(BadRow(f"{file}.csv", row.line, f"expected {fault(error).expected}"))
        if count % 1000 == 0:
            advance(1000)
    advance(count % 1000)
    if count:
        district.read[file] = count


def _org(district: District, row: Row) -> None:
    if (school := rows.school_of(row)) is not None:
        district.schools[school.school] = school


def _session(district: District, row: Row) -> None:
    session = rows.session_of(row)
    district.sessions[session.code] = session


def _class(district: District, row: Row) -> None:
    class_ = rows.class_of(row, district.sessions)
    if class_.school not in district.schools:
        raise BadCell("expected a school of orgs.csv in schoolSourcedId")
    district.classes[class_.class_] = class_
    grades = row.list("grades")
    if len(grades) == 1:
        district.class_grades[class_.class_] = rows.code(grades[0], "grades")


def _role(district: District, row: Row) -> None:
    place = len(district.roles[row.need("userSourcedId")]) if row.get("roleType").lower() != "primary" else 0
    district.roles[row.need("userSourcedId")].insert(place, (row.need("role"), row.get("orgSourcedId")))


def _user(district: District, row: Row) -> None:
    user = rows.user_of(row, district.roles)
    if user is not None:
        user.schools = tuple(school for school in user.schools if school in district.schools)
        district.users[user.sourced_id] = user


def _enrolment(district: District, row: Row) -> None:
    class_ = district.classes.get(row.need("classSourcedId"))
    if class_ is None:
        raise BadCell("expected a class of classes.csv in classSourcedId")
    user = district.users.get(row.need("userSourcedId"))
    if user is None:
        raise BadCell("expected a student or member of staff of users.csv in userSourcedId")
    role = row.need("role").lower()
    if role != rows.STUDENT:
        _teacher(district, class_, user, primary=row.get("primary").lower() == "true")
        return
    if not user.is_student:
        raise BadCell("expected a user whose role is student in userSourcedId")
    session = district.sessions[class_.term]
    begin = rows.day(row.get("beginDate") or session.starts.isoformat(), "beginDate")
    end = rows.day(row.get("endDate"), "endDate") if row.get("endDate") else None
    if end is not None and end < begin:
        raise BadCell("expected an endDate at or after beginDate")
    over = session.ends if session.ends >= begin else FOREVER
    district.enrolments[user.sourced_id].append(Enrolment(intern(class_.school), intern(class_.class_), begin, end, over))


def _teacher(district: District, class_: ClassRegistered, user: rows.User, *, primary: bool) -> None:
    if user.is_student:
        raise BadCell("expected a member of staff in userSourcedId")
    teachers = district.teachers[class_.class_]
    if user.sourced_id not in teachers and len(teachers) < MOST_TEACHERS:
        teachers.insert(0 if primary else len(teachers), user.sourced_id)


def _demographics(district: District, row: Row) -> None:
    user = district.users.get(row.need("sourcedId"))
    if user is None:
        raise BadCell("expected a user of users.csv in sourcedId")
    demographics, programmes = rows.demographics_of(row), rows.programmes_of(row)
    user.lunch = rows.text(row, "metadata.lunch") or None
    user.demographics, user.programmes = demographics, programmes


def _grades_of_schools(district: District) -> None:
    """OneRoster's orgs have no grades: a school's are those of its classes."""
    found: dict[str, set[str]] = defaultdict(set)
    for class_, grade in district.class_grades.items():
        found[district.classes[class_].school].add(grade)
    for school, grades in found.items():
        district.schools[school] = district.schools[school].model_copy(update={"grades": tuple(sorted(grades))[:20]})


def _calendars(district: District, folder: RosterFolder) -> None:
    """Each school's terms, and the years that its classes may be in, with bells and closed days where the folder states them."""
    kinds = {session.kind for session in district.sessions.values()}
    kind = "term" if "term" in kinds else "schoolYear"
    named = {class_.term for class_ in district.classes.values()}  # a class whose term no calendar knows could never meet
    kept = (session for session in district.sessions.values() if session.kind == kind or session.code in named)
    terms = sorted(kept, key=lambda each: (each.starts, each.ends))
    told = _told_calendars(folder)
    for school in district.schools:
        parts = told.get(school, {})
        try:
            district.calendars[school] = CalendarPublished(
                school=school,
                terms=tuple(Term(term=each.code, starts=each.starts, ends=each.ends) for each in terms),
                periods=tuple(Period.model_validate(each) for each in _list(parts, "periods")),
                closed=tuple(_dates(_list(parts, "closed"))),
            )
        except (ValidationError, BadCell) as error:
            reason = str(error) if isinstance(error, BadCell) else f"expected {fault(error).expected}"
            district.bad.append(BadRow(CALENDARS if parts else "academicSessions.csv", 0, f"the calendar of a school: {reason}"))


def _list(parts: dict[str, Any], name: str) -> list[Any]:
    found = parts.get(name, [])
    if not isinstance(found, list):
        raise BadCell(f"expected a list in {name}")
    return found


def _dates(told: list[Any]) -> Iterator[date]:
    for each in told:
        yield rows.day(each if isinstance(each, str) else "", "closed")


def _told_calendars(folder: RosterFolder) -> dict[str, Any]:
    if not folder.has(CALENDARS):
        return {}
    with folder.open(CALENDARS) as file:
        try:
            told = json.load(file)
        except (ValueError, RecursionError):
            raise Rejected("unreadable-roster", f"JSON in {CALENDARS}") from None
    if not isinstance(told, dict) or not all(isinstance(each, dict) for each in told.values()):
        raise Rejected("unreadable-roster", f"an object by school in {CALENDARS}")
    return told
