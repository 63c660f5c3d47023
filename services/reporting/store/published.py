"""What reference events published: schools, frameworks, scales, policies, calendars, classes, plans."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Sequence
from typing import NamedTuple, TypeVar

from contracts.envelope import Data
from contracts.events import (
    CalendarPublished,
    ClassRegistered,
    FrameworkPublished,
    LogOpened,
    PlanPublished,
    PolicyPublished,
    ScalePublished,
    SchoolRegistered,
)
from services.chassis.postgres import Connection
from services.reporting.domain import ALL

D = TypeVar("D", bound=Data)

# The kinds of reference events that are kept, and the field that names a thing of each.
KINDS: dict[type[Data], tuple[str, str]] = {
    LogOpened: ("log", "log"),
    SchoolRegistered: ("school", "school"),
    FrameworkPublished: ("framework", "framework"),
    ScalePublished: ("scale", "scale"),
    PolicyPublished: ("policy", "policy"),
    CalendarPublished: ("calendar", "school"),
    ClassRegistered: ("class", "class_"),
}


def name_of(data: Data) -> tuple[str, str] | None:
    """The kind and the code of a thing that is kept. Of classes the flex sections alone: pages show no timetable."""
    if type(data) not in KINDS or (isinstance(data, ClassRegistered) and data.duty != "flex"):
        return None
    kind, field = KINDS[type(data)]
    return kind, str(getattr(data, field))


class Version(NamedTuple):
    """One version of a thing, at its position in the log."""

    kind: str
    id: str
    position: int
    data: Data


async def keep(connection: Connection, versions: Iterable[Version]) -> None:
    """Keep versions that no other partition has brought yet, in the order of the log (so that two never wait in a circle)."""
    for version in versions:
        if isinstance(version.data, SchoolRegistered):
            await _keep_school(connection, version.position, version.data)
        else:
            await connection.execute(
                "INSERT INTO published (kind, id, position, school, data) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
                version.kind,
                version.id,
                version.position,
                getattr(version.data, "school", None),
                version.data.model_dump_json(by_alias=True),
            )


async def _keep_school(connection: Connection, position: int, data: SchoolRegistered) -> None:
    await connection.execute(
        """
        INSERT INTO schools (school, position, label, kind, grades, active) VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT DO NOTHING
        """,
        data.school,
        position,
        data.label,
        data.kind,
        list(data.grades),
        data.active,
    )


async def keep_plan(connection: Connection, data: PlanPublished, planned: dt.datetime) -> None:
    """Keep a plan that no other partition has brought yet."""
    await connection.execute(
        """
        INSERT INTO plans (plan, school, week, input, planned, seats, unseated) VALUES ($1, $2, $3, $4, $5, $6, $7)
        ON CONFLICT DO NOTHING
        """,
        data.plan,
        data.school,
        data.week,
        int(data.input),
        planned,
        data.seats,
        data.unseated,
    )


async def last(connection: Connection, data: type[D], id: str) -> D | None:
    """The last version of a thing."""
    row = await connection.fetchrow(
        "SELECT data FROM published WHERE kind = $1 AND id = $2 ORDER BY position DESC LIMIT 1", KINDS[data][0], id
    )
    return data.model_validate_json(row["data"]) if row else None


async def every(connection: Connection, data: type[D], *, school: str | None = None) -> list[D]:
    """The last version of each thing of a kind, in order of id; of one school if it is named."""
    rows = await connection.fetch(
        """
        SELECT DISTINCT ON (id) data FROM published WHERE kind = $1 AND ($2::text IS NULL OR school = $2)
        ORDER BY id, position DESC
        """,
        KINDS[data][0],
        school,
    )
    return [data.model_validate_json(row["data"]) for row in rows]


async def history(connection: Connection, data: type[D]) -> list[tuple[int, D]]:
    """Every version of every thing of a kind with its position, in order of position."""
    rows = await connection.fetch("SELECT position, data FROM published WHERE kind = $1 ORDER BY position", KINDS[data][0])
    return [(row["position"], data.model_validate_json(row["data"])) for row in rows]


async def timezone(connection: Connection) -> str:
    """The log's time zone; UTC before the log has been read."""
    text = await connection.fetchval("SELECT data FROM published WHERE kind = 'log' ORDER BY position LIMIT 1")
    return str(json.loads(text)["timezone"]) if text else "UTC"


class School(NamedTuple):
    """A school as it was last registered."""

    school: str
    label: str
    kind: str | None
    grades: Sequence[str]
    active: bool


_LAST_SCHOOLS = "SELECT DISTINCT ON (school) school, label, kind, grades, active FROM schools ORDER BY school, position DESC"


async def school(connection: Connection, school: str) -> School | None:
    """One school."""
    row = await connection.fetchrow(
        "SELECT school, label, kind, grades, active FROM schools WHERE school = $1 ORDER BY position DESC LIMIT 1", school
    )
    return School(**dict(row)) if row else None


class SchoolPage(NamedTuple):
    """A page of a list of schools, and how many the whole list has."""

    schools: list[School]
    total: int


async def schools(connection: Connection, *, search: str, framework: str, offset: int, limit: int) -> SchoolPage:
    """Active schools in order of name ("School 9" before "School 10").

    Those whose name or code contains `search`, and in which somebody holds a level of `framework` ("": all).
    """
    rows = await connection.fetch(
        f"""
        SELECT *, count(*) OVER ()::int AS total FROM ({_LAST_SCHOOLS}) AS last
        WHERE active AND (strpos(lower(label), lower($1)) > 0 OR strpos(lower(school), lower($1)) > 0)
          AND ($2 = '' OR EXISTS (
            SELECT FROM level_counts AS held
            WHERE held.framework = $2 AND held.competency = $3 AND held.school = last.school AND held.students > 0))
        ORDER BY regexp_replace(label, '[0-9]+', '', 'g'),
                 nullif(regexp_replace(label, '[^0-9]', '', 'g'), '')::numeric NULLS FIRST, school
        OFFSET $4 LIMIT $5
        """,
        search,
        framework,
        ALL,
        offset,
        limit,
    )
    found = [School(row["school"], row["label"], row["kind"], row["grades"], row["active"]) for row in rows]
    return SchoolPage(found, rows[0]["total"] if rows else 0)


async def count_schools(connection: Connection) -> int:
    """How many schools are active."""
    return int(await connection.fetchval(f"SELECT count(*) FROM ({_LAST_SCHOOLS}) AS last WHERE active"))
