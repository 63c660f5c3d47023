"""Schools in the view: their reference state as it was at a position.

The reference events themselves are in the engine's table `versions`, so their old versions are upcast like any event of the
log. What this view adds is which classes a school has.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from contracts.codec import decode
from contracts.envelope import Data, Event
from contracts.events import (
    CalendarPublished,
    ClassRegistered,
    FrameworkPublished,
    PolicyPublished,
    ScalePublished,
    SchoolRegistered,
)
from services.chassis.postgres import Connection
from services.scheduling.domain import School
from services.scheduling.needs import Adopted
from services.scheduling.store import students

SCHOOL, CLASS, CALENDAR, FRAMEWORK, SCALE, POLICY = "school", "class", "calendar", "framework", "scale", "policy"

# What names a thing of each kind. Every version of a policy is one of its own: an older one may still be in force.
NAMES: Mapping[type[Data], tuple[str, Callable[[Any], str]]] = {
    SchoolRegistered: (SCHOOL, lambda data: data.school),
    ClassRegistered: (CLASS, lambda data: data.class_),
    CalendarPublished: (CALENDAR, lambda data: data.school),
    FrameworkPublished: (FRAMEWORK, lambda data: data.framework),
    ScalePublished: (SCALE, lambda data: data.scale),
    PolicyPublished: (POLICY, lambda data: f"{data.policy}@{data.version}"),
}

LAST = """
SELECT DISTINCT ON (id) record FROM versions
WHERE kind = $1 AND position <= $2 AND ($3::text[] IS NULL OR id = ANY($3))
ORDER BY id, position DESC
"""


def name_of(data: Data) -> tuple[str, str] | None:
    """The (kind, id) of a reference event, or None for one that no plan depends on."""
    if (named := NAMES.get(type(data))) is None:
        return None
    kind, id_of = named
    return kind, id_of(data)


async def add_classes(connection: Connection, classes: Iterable[ClassRegistered]) -> None:
    """Know which schools these classes are of. Every partition brings them."""
    await connection.executemany(
        "INSERT INTO classes (school, class) VALUES ($1, $2) ON CONFLICT DO NOTHING",
        [(each.school, each.class_) for each in classes],
    )


async def known(connection: Connection, school: str, position: int) -> bool:
    """Whether a school was registered at or before a position."""
    return bool(await _last(connection, SCHOOL, position, [school]))


async def read(connection: Connection, school: str, position: int) -> School | None:
    """Everything that a school's plans can depend on, as it was at a position; None for a school without a calendar."""
    calendars = [data for data in await _data(connection, CALENDAR, position, [school]) if isinstance(data, CalendarPublished)]
    if not calendars:
        return None
    enrolled = await students.enrolled(connection, school)
    classes = await _classes(connection, school, {each for student in enrolled.values() for each in student.classes}, position)
    return School(
        school=school,
        date=await _date(connection, position),
        calendar=calendars[0],
        classes=classes,
        frameworks=tuple(data for data in await _data(connection, FRAMEWORK, position) if isinstance(data, FrameworkPublished)),
        policies=await _policies(connection, position),
        scales={data.scale: data for data in await _data(connection, SCALE, position) if isinstance(data, ScalePublished)},
        students=enrolled,
    )


async def _classes(connection: Connection, school: str, taken: Collection[str], position: int) -> tuple[ClassRegistered, ...]:
    rows = await connection.fetch("SELECT class FROM classes WHERE school = $1", school)
    ids = sorted({row["class"] for row in rows} | set(taken))
    return tuple(data for data in await _data(connection, CLASS, position, ids) if isinstance(data, ClassRegistered))


async def _policies(connection: Connection, position: int) -> tuple[Adopted, ...]:
    events = await _last(connection, POLICY, position)
    return tuple(
        [
            Adopted(int(event.position), await _date(connection, int(event.position)), event.data)
            for event in events
            if isinstance(event.data, PolicyPublished)
        ]
    )


async def _date(connection: Connection, position: int) -> dt.date:
    """The local date at a position: that of the last midnight before it, `date.min` before the first tick."""
    found: dt.date | None = await connection.fetchval(
        "SELECT date FROM midnights WHERE position <= $1 ORDER BY position DESC LIMIT 1", position
    )
    return found or dt.date.min


async def _data(connection: Connection, kind: str, position: int, ids: Collection[str] | None = None) -> list[Data]:
    return [event.data for event in await _last(connection, kind, position, ids)]


async def _last(connection: Connection, kind: str, position: int, ids: Collection[str] | None = None) -> list[Event[Data]]:
    """The last version of each thing of a kind at a position, in order of id."""
    rows = await connection.fetch(LAST, kind, position, list(ids) if ids is not None else None)
    return [decode(row["record"]) for row in rows]
