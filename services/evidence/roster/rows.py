"""One row of each OneRoster file, read into what the district needs of it. Pure: `BadCell` for a row that cannot be used."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Literal, cast, get_args

from contracts.events import ClassRegistered, SchoolRegistered
from contracts.events.schools import Meeting, Weekday
from services.evidence.roster.folder import BadCell, Row

_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,63}")
_IDENTIFIER = re.compile(r"[^\x00-\x1f\x7f]{1,128}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_USER_ID = re.compile(r"\{([^:{}]+):([^{}]+)\}")
_MEETING = re.compile(r"([A-Z]{3})-(.+)")
STUDENT = "student"
# People of a roster who are neither students nor staff. They get no pseudonym here.
OUTSIDE = frozenset({"guardian", "parent", "relative"})
# Columns of demographics.csv that are not a student's demographics.
_NOT_DEMOGRAPHIC = frozenset({"sourcedId", "status", "dateLastModified", "metadata.lunch", "metadata.cairn.programmes"})


@dataclass(frozen=True, slots=True)
class Session:
    """A term or a school year."""

    code: str
    kind: str
    starts: date
    ends: date
    parent: str


@dataclass(slots=True)
class User:
    """Somebody in the roster. `identifiers` are further ones beside the sourcedId (scheme, value)."""

    line: int
    sourced_id: str
    role: str
    given: str
    family: str
    schools: tuple[str, ...]
    grade: str
    cohort: str | None
    active: bool
    identifiers: tuple[tuple[str, str], ...]
    lunch: str | None = None
    demographics: Mapping[str, str] = field(default_factory=dict)
    programmes: Mapping[str, str | None] = field(default_factory=dict)

    @property
    def is_student(self) -> bool:
        return self.role == STUDENT


def code(text: str, column: str) -> str:
    """A code as the log has them. Raises `BadCell` for text that is none."""
    if not _CODE.fullmatch(text):
        raise BadCell(f"expected a code in {column}: up to 64 letters, digits and ._:/-")
    return text


def text(row: Row, column: str) -> str:
    """A cell of free text. Raises `BadCell` for one with control characters: a broken export, and no database takes a NUL."""
    if _CONTROL.search(value := row.get(column)):
        raise BadCell(f"expected no control characters in {column}")
    return value


def day(text: str, column: str) -> date:
    """An ISO date. Raises `BadCell`."""
    try:
        return date.fromisoformat(text[:10])
    except ValueError:
        raise BadCell(f"expected a date, YYYY-MM-DD, in {column}") from None


def school_of(row: Row) -> SchoolRegistered | None:
    """The school in a row of orgs.csv; None for a district or department."""
    if row.need("type").lower() != "school":
        return None
    kind = row.get("metadata.cairn.kind")
    label = "".join(sign for sign in row.need("name") if sign.isprintable())[:200]
    return SchoolRegistered(school=code(row.need("sourcedId"), "sourcedId"), label=label, kind=code(kind, "kind") if kind else None)


def session_of(row: Row) -> Session:
    """A row of academicSessions.csv."""
    starts, ends = day(row.need("startDate"), "startDate"), day(row.need("endDate"), "endDate")
    if starts > ends:
        raise BadCell("expected an endDate at or after startDate")
    return Session(code(row.need("sourcedId"), "sourcedId"), row.need("type"), starts, ends, row.get("parentSourcedId"))


def class_of(row: Row, sessions: Mapping[str, Session]) -> ClassRegistered:
    """The class in a row of classes.csv, its teachers still to come."""
    capacity = row.get("metadata.cairn.capacity")
    if capacity and not (capacity.isdecimal() and int(capacity[:5]) <= 1000):
        raise BadCell("expected a number from 0 to 1000 in metadata.cairn.capacity")
    duty: Literal["flex", "taught"] = "flex" if row.get("metadata.cairn.duty") == "flex" else "taught"
    return ClassRegistered.model_validate(
        {
            "class": code(row.need("sourcedId"), "sourcedId"),
            "school": code(row.need("schoolSourcedId"), "schoolSourcedId"),
            "course": code(row.need("courseSourcedId"), "courseSourcedId"),
            "term": _term_of(row, sessions),
            "duty": duty,
            "capacity": int(capacity) if capacity else None,
            "competencies": tuple(code(each, "metadata.cairn.competencies") for each in row.list("metadata.cairn.competencies")),
            "meetings": _meetings(row),
        }
    )


def _term_of(row: Row, sessions: Mapping[str, Session]) -> str:
    """The class's session; of several, the one that they are all parts of, else the first."""
    terms = row.list("termSourcedIds")
    if not terms or not all(term in sessions for term in terms):
        raise BadCell("expected sessions of academicSessions.csv in termSourcedIds")
    parents = {sessions[term].parent for term in terms}
    if len(terms) > 1 and len(parents) == 1 and (parent := parents.pop()) in sessions:
        return parent
    return min(terms, key=lambda term: sessions[term].starts)


def _meetings(row: Row) -> tuple[Meeting, ...]:
    """Meetings from `MON-P3,TUE-P3`. Other systems write bare period numbers, which say no weekday: no meetings then."""
    found = []
    for each in row.list("periods"):
        match = _MEETING.fullmatch(each)
        if match and match[1] in get_args(Weekday):
            found.append(Meeting(day=cast(Weekday, match[1]), period=code(match[2], "periods")))
    return tuple(dict.fromkeys(found))


def user_of(row: Row, roles: Mapping[str, list[tuple[str, str]]]) -> User | None:
    """The person in a row of users.csv (`roles`: those of roles.csv, where OneRoster 1.2 keeps them); None for a guardian."""
    sourced_id = row.need("sourcedId")
    if not _IDENTIFIER.fullmatch(sourced_id):
        raise BadCell("expected at most 128 printable characters in sourcedId")
    theirs = roles.get(sourced_id) or [(row.need("role"), org) for org in row.list("orgSourcedIds")] or [(row.need("role"), "")]
    role = theirs[0][0].lower()
    if role in OUTSIDE:
        return None
    cohort = row.get("metadata.cairn.cohort")
    return User(
        line=row.line,
        sourced_id=sourced_id,
        role=code(role, "role"),
        given=text(row, "preferredFirstName") or text(row, "givenName"),
        family=text(row, "preferredLastName") or text(row, "familyName"),
        schools=tuple(sorted({org for _, org in theirs if org})),
        grade=code(grades[0], "grades") if (grades := row.list("grades")) else "",
        cohort=code(cohort, "metadata.cairn.cohort") if cohort else None,
        active=row.get("enabledUser").lower() != "false",
        identifiers=tuple(
            (scheme, value)
            for scheme, value in _USER_ID.findall(row.get("userIds"))
            if _CODE.fullmatch(scheme) and _IDENTIFIER.fullmatch(value)
        ),
    )


def demographics_of(row: Row) -> dict[str, str]:
    """What a row of demographics.csv states, empty cells left out."""
    if any(_CONTROL.search(column) for column in row.cells):
        raise BadCell("expected no control characters in the names of columns")
    return {column: value for column in row.cells if column not in _NOT_DEMOGRAPHIC and (value := text(row, column))}


def programmes_of(row: Row) -> dict[str, str | None]:
    """Programmes from `IEP;ENL=entering`: each with its level or None."""
    found: dict[str, str | None] = {}
    for each in filter(None, (part.strip() for part in row.get("metadata.cairn.programmes").split(";"))):
        name, _, level = each.partition("=")
        found[code(name, "metadata.cairn.programmes")] = code(level, "metadata.cairn.programmes") if level else None
    return found
