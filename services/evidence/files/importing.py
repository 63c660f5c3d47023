"""A file from beginning to end, 200 rows at a time: what is done is kept after each, so a kill costs 200 rows' work at the most.

Owns: which rows were dealt with, which of them this batch brought, and when a row is the record's next content. Everything that
is submitted goes through `Door.submit`, and is counted there like an app's.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

from services.chassis.errors import Conflict, Rejected
from services.chassis.postgres import passing
from services.chassis.telemetry import span
from services.evidence.admit import keyed
from services.evidence.answers import CONFLICT, FOREIGN
from services.evidence.domain import Foreign, Held, Receipt
from services.evidence.files.mapping import Map, check_columns, read_map
from services.evidence.files.pace import wait_for_a_gap
from services.evidence.files.rejects import Rejects, rejects_path
from services.evidence.files.submission import Reading, Record, unreadable
from services.evidence.files.table import Row, Table, look_through, open_table
from services.evidence.grants import Publisher
from services.evidence.opening import Opened
from services.evidence.parse import Item
from services.evidence.store import files as store
from services.evidence.store import publishers
from services.evidence.store.files import Brought, Import, Known
from services.evidence.submit import Answer

# An append of 200 holds the head for a few milliseconds. More would be felt by those who send one event and wait for it.
AT_ONCE = 200
SAME_KEY = Rejected("same-natural-key", "rows that the key's columns tell apart: an earlier row has the same", pointer="/sourcekey")


@dataclass(frozen=True)
class File:
    """A file that is to be imported, and how. `batch` is the same for the same publisher, bytes and map."""

    path: Path
    table: Table
    map: Map
    batch: str


@dataclass
class Summary:
    """What an import did. `rejects`: where the refused rows are; None when there are none."""

    batch: str
    dry_run: bool = False
    rows: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    rejects: Path | None = None

    def as_json(self) -> dict[str, object]:
        """As plain JSON. No row's content is in it."""
        counts = {word: self.outcomes[word] for word in ("accepted", "duplicate", "held", "rejected")}
        rejects = str(self.rejects) if self.rejects else None
        return {"batch": self.batch, "dry_run": self.dry_run, "rows": self.rows, **counts, "rejects": rejects}

    def as_text(self) -> str:
        """For a person."""
        told = ", ".join(f"{self.outcomes[word]:,} {word}" for word in ("accepted", "duplicate", "held", "rejected"))
        lines = [f"{'Dry run of batch' if self.dry_run else 'Batch'} {self.batch}: {self.rows:,} rows, {told}."]
        if self.outcomes["held"]:
            lines.append("What is held waits for its people, and comes in by itself once a roster brings them.")
        if self.rejects:
            lines.append(f"The refused rows and why: {self.rejects}")
        lines += ["Nothing was sent."] if self.dry_run else [f"To take it back: cairn evidence import --undo {self.batch}"]
        return "\n".join(lines)


class Taken(NamedTuple):
    """A row on its way in: what is submitted of it, and which content of its record that is (None: the row is refused)."""

    row: Row
    item: Item
    record: Record | None
    turn: int


def open_file(path: Path, map_path: Path) -> File:
    """The file and its map, checked against each other. Raises `Rejected`."""
    map_, said = read_map(map_path)
    contents = look_through(path)
    table = open_table(path, contents.lines, delimiter=map_.delimiter, encoding=map_.encoding)
    check_columns(map_, table.columns)
    name = hashlib.sha256(map_.publisher.encode() + b"\0" + contents.digest + said).hexdigest()
    return File(path, table, map_, f"b-{name[:16]}")


async def publisher_of(has: Opened, name: str) -> Publisher:
    """The publisher in whose name a file is imported. Raises `Rejected` for one that may send nothing."""
    with passing():
        found = {each.publisher.name: each for each in await publishers.listed(has.pool)}
    if name not in found or found[name].revoked is not None:
        raise Rejected("unknown-publisher", "a publisher that has a key (`cairn publisher list`)", pointer="/publisher")
    return found[name].publisher


async def import_file(has: Opened, file: File, advance: Callable[[int], None] = lambda _: None) -> Summary:
    """Import it; the ledger must accept. `advance` is told how many rows were dealt with."""
    publisher = await publisher_of(has, file.map.publisher)
    async with the_only_import(has, publisher.name):
        with passing():
            before = await store.find(has.pool, file.batch)
            begun = await store.begin(has.pool, file.batch, publisher.name, file.map.source or publisher.name)
        advance(begun.rows)
        with span("file import"), Rejects(rejects_path(file.path), file.table.columns, begun.rejects) as rejects:
            stopped = before is not None and before.stopped
            await _Import(has, publisher, await reading_of(has, file), begun, rejects, stopped=stopped).run(file.table, advance)
        with passing():
            done = await store.finish(has.pool, file.batch)
    outcomes = Counter({word: getattr(done, word) for word in ("accepted", "duplicate", "held", "rejected")})
    return Summary(file.batch, rows=done.rows, outcomes=outcomes, rejects=rejects.leave(done.rejected > 0))


async def reading_of(has: Opened, file: File) -> Reading:
    zone = file.map.zone or (await has.ledger.head()).timezone
    return Reading(file.map, file.table.columns, ZoneInfo(zone), keyed(has.key))


@asynccontextmanager
async def the_only_import(has: Opened, publisher: str) -> AsyncIterator[None]:
    """One import a publisher at a time: two would each take the other's rows for their own after a kill."""
    async with has.pool.acquire() as connection:
        with passing():
            free = await store.take_turn(connection, publisher)
        if not free:
            raise Conflict("another import of this publisher is under way: wait for it")
        try:
            yield
        finally:
            with passing():
                await store.leave_turn(connection, publisher)


class _Import:
    """One run of an import."""

    def __init__(
        self, has: Opened, publisher: Publisher, reading: Reading, begun: Import, rejects: Rejects, *, stopped: bool
    ) -> None:
        self._has, self._publisher, self._reading = has, publisher, reading
        self._begun, self._rejects = begun, rejects
        self._rows, self._floor = begun.rows, begun.floor
        self._again = stopped  # the next rows may have been submitted before

    async def run(self, table: Table, advance: Callable[[int], None]) -> None:
        for rows in in_chunks(table.rows(self._begun.rows), AT_ONCE):
            await wait_for_a_gap(self._has.pool)
            await self._take(rows)
            advance(len(rows))

    async def _take(self, rows: Sequence[Row]) -> None:
        known = await known_of(self._has, self._reading, rows)
        taken = take(self._reading, rows, known, self._begun.number)
        answers = await self._has.door.submit(self._publisher, [each.item for each in taken])
        for each, answer in zip(taken, answers, strict=True):
            if answer.word == "rejected":
                self._rejects.add(each.row, reason_of(answer))
        await self._keep(taken, answers)

    async def _keep(self, taken: Sequence[Taken], answers: Sequence[Answer]) -> None:
        stands = [(each, answer) for each, answer in zip(taken, answers, strict=True) if answer.word != "rejected"]
        brought = [
            Brought(str(answer.id), each.record.key, each.turn)
            for each, answer in stands
            if each.record is not None and self._brought(answer)
        ]
        records = {
            each.record.key: Known(each.record.content, each.turn, self._begun.number)
            for each, _ in stands
            if each.record is not None
        }
        self._rows, self._again = self._rows + len(taken), False
        with passing():
            async with self._has.pool.acquire() as connection:
                self._floor = await store.go_on(
                    connection,
                    self._begun,
                    rows=self._rows,
                    rejects=self._rejects.settle(),
                    counts=Counter(answer.word for answer in answers),
                    brought=brought,
                    records=records,
                )

    def _brought(self, answer: Answer) -> bool:
        """Whether it came by this batch: now, or just before a kill that kept the batch from saying so."""
        match answer.outcome:
            case Receipt(position=position, duplicate=duplicate):
                return not duplicate or position >= self._floor
            case Held(duplicate=duplicate):
                return not duplicate or self._again
        return False


async def known_of(has: Opened, reading: Reading, rows: Sequence[Row]) -> dict[bytes, Known]:
    """What was imported before under these rows' natural keys."""
    keys = [key for row in rows if (key := reading.key(row)) is not None]
    with passing():
        return await store.known(has.pool, reading.map.publisher, keys)


def take(reading: Reading, rows: Sequence[Row], known: dict[bytes, Known], number: int) -> list[Taken]:
    """What is to be submitted of rows. `known` grows by what they say, `number` is that of this import."""
    return [_take(reading, row, known, number) for row in rows]


def _take(reading: Reading, row: Row, known: dict[bytes, Known], number: int) -> Taken:
    try:
        record = reading.record(row)
        before = known.get(record.key)
        if before is not None and before.number == number and before.content not in (None, record.content):
            raise SAME_KEY
    except Rejected as fault:
        return Taken(row, unreadable(row, fault), None, 0)
    turn = 0 if before is None else before.turn + (before.content != record.content)
    known[record.key] = Known(record.content, turn, number)
    return Taken(row, reading.item(record, turn), record, turn)


def reason_of(answer: Answer) -> Rejected:
    """Why it was refused."""
    if isinstance(answer.outcome, Rejected):
        return answer.outcome
    return FOREIGN if isinstance(answer.outcome, Foreign) else CONFLICT


def in_chunks(rows: Iterator[Row], size: int) -> Iterator[list[Row]]:
    while chunk := list(islice(rows, size)):
        yield chunk
