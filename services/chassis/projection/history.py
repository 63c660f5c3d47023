"""What a generation keeps of reference events and midnights, so that a fold at any position reads the same again.

Every partition brings every one of them: whoever comes first inserts it, the others find it there.
"""

from __future__ import annotations

import logging
from typing import Any

from prometheus_client import Counter

from contracts.codec import decode
from services.chassis.errors import Poison
from services.chassis.postgres import Connection
from services.chassis.projection.chunk import tick_of
from services.chassis.projection.reference import Reference, Version
from services.chassis.projection.view import Entry, View

log = logging.getLogger(__name__)

# An alarm: raised by every partition that meets such an event, in every generation.
VOID = Counter("cairn_projection_void", "Reference events that could not be applied, as partitions met them", ["view"])


async def load(connection: Connection, reference: Reference) -> None:
    """Know every version and midnight of the generation in `search_path`."""
    for row in await connection.fetch("SELECT kind, id, position, record FROM versions"):
        reference.add(Version(row["kind"], row["id"], row["position"], decode(row["record"]).data))
    for row in await connection.fetch("SELECT position, date FROM midnights"):
        reference.add_date(row["position"], row["date"])


def version_of(view: View[Any], entry: Entry) -> Version | None:
    """The version that a reference event makes, or None: the view does not keep it, or it is void."""
    try:
        named = view.version_of(entry)
    except Poison:
        return None
    return Version(*named, entry.position, entry.event.data) if named is not None else None


async def keep(connection: Connection, reference: Reference, view: View[Any], entry: Entry) -> bool:
    """Keep a tick that begins a date, or a reference event; whether the view has a version of it to apply."""
    tick = tick_of(entry)
    if tick is not None:
        if reference.at(entry.position - 1).date != tick.date:
            reference.add_date(entry.position, tick.date)
            await connection.execute(
                "INSERT INTO midnights (position, date, record) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
                entry.position,
                tick.date,
                entry.record,
            )
        return False
    try:
        named = view.version_of(entry)
    except Poison as poison:
        await _void(connection, view.name, entry, poison.reason)
        return False
    if named is None:
        return False
    reference.add(Version(*named, entry.position, entry.event.data))
    await connection.execute(
        "INSERT INTO versions (kind, id, position, record) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
        *named,
        entry.position,
        entry.record,
    )
    return True


async def _void(connection: Connection, view: str, entry: Entry, reason: str) -> None:
    """A reference event that cannot be applied moves nobody, the same everywhere, and alarms."""
    VOID.labels(view).inc()
    log.error("a reference event is void", extra={"position": entry.position, "type": entry.event.type, "reason": reason})
    await connection.execute(
        "INSERT INTO void (position, type, reason) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        entry.position,
        entry.event.type,
        reason,
    )
