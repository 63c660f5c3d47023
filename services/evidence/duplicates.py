"""The same id under another day: found once a night, and the later one retracted.

An append looks for an id under its own day alone, so that the index in use stays small. An app that sends a piece again with
another `time` gets past that, until the next midnight. Must not: touch anything but evidence and its corrections.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime

import orjson
from prometheus_client import Counter

from contracts.codec import prepare
from contracts.events import EvidenceRetracted
from contracts.ids import derived_id
from services.chassis.errors import Conflict, Transient, Unavailable
from services.chassis.postgres import Connection, Pool, passing
from services.chassis.telemetry import span
from services.evidence.admit import hashed, keyed
from services.evidence.corrections import CORRECTIONS, PIECES, Found
from services.evidence.domain import Batch, Draft, Link, Receipt
from services.evidence.ledger import Ledger
from services.evidence.store import duplicates as store
from services.evidence.store import records

log = logging.getLogger(__name__)

# Positions searched in one go: about a school day's. Their ids are in memory, 100 bytes each.
AT_ONCE = 1_000_000
RETRACTED_AT_ONCE = 200
# The publisher of these retractions. No key has its name.
PUBLISHER = SOURCE = "evidence"
# A retraction says which piece it is of, whenever it is made again.
DAY = date(1970, 1, 1)
MOST_RUNS = 3
LOOK_SECONDS = 60.0
RETRY_SECONDS = 5.0

retracted = Counter("cairn_same_id_retracted_total", "Events retracted because their id had come before under another day")


@dataclass(frozen=True, slots=True)
class Searched:
    """What a search found. `others` came twice too, and are no evidence: whatever states them again is harmless."""

    events: int = 0
    retracted: int = 0
    others: int = 0

    def as_json(self) -> dict[str, int]:
        """As plain JSON."""
        return {"events": self.events, "retracted": self.retracted, "others": self.others}

    def as_text(self) -> str:
        """For a person."""
        return f"{self.events:,} events searched, {self.retracted:,} retracted whose id had come before under another day."


class Search:
    """Searches the log. `key` is the vault's key of submission hashes."""

    def __init__(self, ledger: Ledger, pool: Pool, key: bytes) -> None:
        self._ledger = ledger
        self._pool = pool
        self._sameness = keyed(key)

    async def run(self, *, everything: bool = False) -> Searched:
        """Search what was appended since the last time (or `everything`). `Conflict` when somebody is at it."""
        head = await self._ledger.head()
        found = Searched()
        with passing(), span("deduplicate"):
            async with self._alone() as connection:
                first = 0 if everything else (await store.searched(connection))[0]
                while first < head.position:
                    end = min(first + AT_ONCE, head.position)
                    later = await _later_ones(connection, first, end)
                    done = [await self._retract(positions) for positions in _chunks(sorted(later))]
                    found = Searched(
                        found.events + end - first,
                        found.retracted + sum(count for count, _ in done),
                        found.others + sum(count for _, count in done),
                    )
                    await store.keep(connection, end, None)
                    first = end
                await store.keep(connection, head.position, head.date(head.ticked))
        return found

    async def due(self) -> bool:
        """Whether a local midnight has been ticked since the last search."""
        head = await self._ledger.head()
        with passing():
            _, on = await store.searched(self._pool)
        return on is None or head.date(head.ticked) > on

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[Connection]:
        async with self._pool.acquire() as connection:
            if not await store.begin(connection):
                raise Conflict("another process is searching")
            try:
                yield connection
            finally:
                await store.leave(connection)

    async def _retract(self, positions: Sequence[int]) -> tuple[int, int]:
        """Retract what stands at these positions; how many were, and how many are nothing that can be retracted."""
        for _ in range(MOST_RUNS):
            merges = (await self._ledger.head()).merges
            found = [each for each in (await records.at(self._pool, positions)).values() if each.type in PIECES | CORRECTIONS]
            try:
                outcomes = await self._ledger.append(Batch(drafts=tuple(self._draft(each, merges) for each in found)))
            except Conflict:  # students were merged meanwhile
                continue
            new = sum(isinstance(outcome, Receipt) and not outcome.duplicate for outcome in outcomes)
            retracted.inc(new)
            return new, len(positions) - len(found)
        raise Transient("students are being merged")

    def _draft(self, found: Found, merges: int) -> Draft:
        data = EvidenceRetracted(target=str(found.position), reason="duplicate")
        id = derived_id(SOURCE, "same id under another day", found.position)
        sameness = hashed(self._sameness, orjson.dumps([SOURCE, id, found.position]))
        sharedwith = found.sharers(found.person)
        prepared = prepare(
            data,
            id=id,
            source=SOURCE,
            time=datetime.now(UTC),
            subject=found.person,
            submissionhash=sameness.hex(),
            resolvedfrom=None if found.owner == found.person else found.owner,
            sharedwith=" ".join(sharedwith) or None,
        )
        return Draft(
            publisher=PUBLISHER,
            source=SOURCE,
            id=id,
            day=DAY,
            subject=found.person,
            type=data.TYPE,
            submissionhash=sameness,
            prepared=prepared,
            merges=merges,
            sharedwith=sharedwith,
            link=Link(None, found.record),
        )


async def _later_ones(connection: Connection, first: int, end: int) -> set[int]:
    later: set[int] = set()
    async with store.fresh(connection, first, end):
        for partition in await store.partitions(connection):
            later |= await store.later_ones(connection, partition)
    return later


def _chunks(positions: Sequence[int]) -> list[Sequence[int]]:
    return [positions[at : at + RETRACTED_AT_ONCE] for at in range(0, len(positions), RETRACTED_AT_ONCE)]


class Nightly:
    """The worker's search, after each local midnight. Any number of workers may have one: they take turns."""

    def __init__(self, search: Search) -> None:
        self._search = search

    async def run(self) -> None:
        """Go on until cancelled."""
        while True:
            wait = LOOK_SECONDS
            try:
                if await self._search.due():
                    found = await self._search.run()
                    log.info("searched for ids under another day", extra=found.as_json())
            except (Transient, Unavailable, Conflict) as fault:
                log.warning("not searched for ids under another day yet", extra={"reason": type(fault).__name__})
                wait = RETRY_SECONDS
            await asyncio.sleep(wait)
