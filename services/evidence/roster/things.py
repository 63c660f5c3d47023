"""Schools, calendars, staff and classes of a roster, as the reference events that state them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import orjson

from contracts.envelope import Data
from contracts.events import ClassRegistered, SchoolRegistered, StaffRegistered
from services.evidence.roster.district import District
from services.evidence.stated import Statement

# The schools that a thing belongs to, and the event that states it.
Thing = tuple[tuple[str, ...], Data]
Things = Mapping[str, Thing]


def things_of(district: District, names: Mapping[str, str]) -> Iterator[tuple[str, dict[str, Thing]]]:
    """Kind by kind, what the roster says of schools, calendars, staff and classes: {key: (schools, event)}."""
    yield "school", {key: ((key,), school) for key, school in district.schools.items()}
    yield "calendar", {key: ((key,), calendar) for key, calendar in district.calendars.items()}
    staff = [user for user in district.users.values() if not user.is_student and user.sourced_id in names]
    yield (
        "staff",
        {
            names[user.sourced_id]: (
                user.schools,
                StaffRegistered(staff=names[user.sourced_id], role=user.role, schools=user.schools, active=user.active),
            )
            for user in staff
        },
    )
    classes: dict[str, Thing] = {}
    for key, class_ in district.classes.items():
        teachers = tuple(names[each] for each in district.teachers.get(key, ()) if each in names)
        classes[key] = (class_.school,), class_.model_copy(update={"teachers": teachers})
    yield "class", classes


def closed(before: Mapping[str, Statement], now: Mapping[str, object], schools: frozenset[str]) -> dict[str, Thing]:
    """What is gone from the roster's own schools, stated once more as not active. (A calendar has no such state, and stays.)"""
    closed: dict[str, Thing] = {}
    for key, last in before.items():
        if key not in now and last.kind != "calendar" and schools.issuperset(last.schools) and last.schools:
            event = _EVENT_OF[last.kind]
            closed[key] = last.schools, event.model_validate_json(orjson.dumps({**last.data, "active": False}))
    return closed


_EVENT_OF: dict[str, type[Data]] = {"school": SchoolRegistered, "staff": StaffRegistered, "class": ClassRegistered}
