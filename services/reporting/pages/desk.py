"""What every page is read from: one snapshot of the serving generation, and the other services."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from contracts.events import FrameworkPublished, PolicyPublished, ScalePublished
from services.chassis.errors import Transient, Unavailable
from services.chassis.postgres import Connection, Pool, passing
from services.chassis.projection.cursor import Cursor
from services.chassis.projection.serving import reading
from services.reporting.domain import VIEW
from services.reporting.figures import AsKnown
from services.reporting.ladders import Policies
from services.reporting.peers import Peers
from services.reporting.store import published


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One consistent reading: its connection, what it stands for, and the district's time zone."""

    connection: Connection
    as_known: AsKnown
    cursors: tuple[Cursor, ...]
    zone: ZoneInfo

    @property
    def today(self) -> dt.date:
        """The local date that the snapshot stands for; before the first tick, the first day there is."""
        time = self.as_known.time
        return time.astimezone(self.zone).date() if time else dt.date.min

    async def policies(self) -> Policies:
        """Every policy and scale."""
        history = await published.history(self.connection, PolicyPublished)
        scales = await published.every(self.connection, ScalePublished)
        return Policies(history, {scale.scale: scale for scale in scales})

    async def framework(self, code: str) -> FrameworkPublished | None:
        """A framework as it was last published."""
        return await published.last(self.connection, FrameworkPublished, code)


@dataclass(frozen=True, slots=True)
class Desk:
    """What a page needs. One a process."""

    pool: Pool
    peers: Peers

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Snapshot]:
        """One REPEATABLE READ transaction on the serving generation. `Transient` when the database is away."""
        with passing():
            async with reading(self.pool, VIEW) as (connection, standing):
                as_known = AsKnown(standing.position, standing.time, standing.generation)
                zone = ZoneInfo(await published.timezone(connection))
                yield Snapshot(connection, as_known, standing.cursors, zone)

    async def readable(self) -> str | None:
        """For `/readyz`: None while there is a generation that can be read."""
        try:
            async with self.snapshot():
                return None
        except (Transient, Unavailable) as error:
            return str(error)
