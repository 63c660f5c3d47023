"""An import from beginning to end: read, compare with what was stated, append the changes, let in what waited for them."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Protocol

from services.chassis.errors import Conflict, Transient
from services.chassis.postgres import passing
from services.chassis.telemetry import span
from services.evidence.held import Resubmission
from services.evidence.opening import Opened
from services.evidence.roster.district import District, read_district
from services.evidence.roster.folder import RosterFolder
from services.evidence.roster.guard import NOTHING_ACCEPTED, Accepted, Guard
from services.evidence.roster.importing import Importer, Summary
from services.evidence.roster.merged import join_merged
from services.evidence.store import roster as store

log = logging.getLogger(__name__)

MOST_RUNS = 3


class Progress(Protocol):
    """Who is told how far an import has come."""

    def stage(self, title: str, total: int | None) -> None: ...

    def advance(self, done: int) -> None: ...


async def import_roster(
    has: Opened, path: Path, now: datetime, progress: Progress, accepted: Accepted = NOTHING_ACCEPTED
) -> Summary:
    """Import the roster at `path`; the ledger must accept. Raises `Rejected` for a roster that cannot be read, and for one that
    would do what nobody has `accepted`.
    """
    progress.stage("Reading the roster", None)
    district, roster = _read(path, progress.advance)
    progress.stage("Looking at what would end", None)
    await join_merged(district, has.vault)
    await Guard(has.vault, has.pool, accepted).look(district)
    progress.stage("Comparing with the log", _things_in(district))
    with span("roster import"):
        summary = await _import(has, district, roster, now, progress.advance)
        progress.stage("Letting in what waited", None)
        summary.released = await _let_in(Resubmission(has.door, has.pool))
    return summary


async def _let_in(resubmission: Resubmission) -> int:
    """Let in what waited; how many. The import is done: what cannot come in now, the worker lets in a few seconds later."""
    try:
        with passing():
            return await resubmission.look()
    except (Conflict, Transient) as fault:
        log.warning("what waited stays held for now", extra={"reason": type(fault).__name__})
        return 0


def _read(path: Path, advance: Callable[[int], None]) -> tuple[District, bytes]:
    """The roster, and the digest of its files."""
    folder = RosterFolder(path)
    try:
        return read_district(folder, advance), folder.digest()
    finally:
        folder.close()


async def _import(has: Opened, district: District, roster: bytes, now: datetime, advance: Callable[[int], None]) -> Summary:
    """Run the import under the date on which it was first begun, and once more when people were merged meanwhile."""
    head = await has.ledger.head()
    with passing():
        today = await store.begin_import(has.pool, roster, head.date(now))
    for _ in range(MOST_RUNS):
        try:
            summary = await Importer(has.ledger, has.vault, has.pool, has.key, today=today, advance=advance).run(district)
        except Conflict:
            await has.vault.refresh()
            await join_merged(district, has.vault)
            continue
        with passing():
            await store.finish_import(has.pool)
        return summary
    raise Transient("identifiers are being merged")


def _things_in(district: District) -> int:
    return len(district.schools) + len(district.calendars) + len(district.classes) + len(district.users)
