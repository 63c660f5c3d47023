"""The ledger: where an event becomes a fact, at one position in one order.

Every append is one READ COMMITTED transaction: lock the head, look at what was seen, put the rows, move head and counters.
The row lock is the fence: any number of gateways may append, there is no leader. All that can be done before the lock is.
Must not: parse, resolve identifiers, or publish.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from contracts.topics import EVIDENCE_LOG, Topic
from services.chassis.errors import Conflict, Unavailable
from services.chassis.log import tail
from services.chassis.postgres import Connection, Pool, Queryable, once, passing, retry
from services.evidence.announcing import announce
from services.evidence.deduplication import Counts, Key, Past, Sifted, Standing, count_late, key_of, sift
from services.evidence.domain import (
    Abandoned,
    Batch,
    Conflicting,
    Delivery,
    Draft,
    Foreign,
    Held,
    Hold,
    Outcome,
    Receipt,
    RecordBegun,
    Refusal,
    Refused,
    Taken,
)
from services.evidence.sequencing import Head, Row, crosses, leaf_of, number, number_tick, opened
from services.evidence.store import days, inbox, quarantine, records
from services.evidence.store import ledger as store
from services.evidence.store.feed import LedgerFeed

T = TypeVar("T")
SECOND = timedelta(seconds=1)
NOT_OPEN = "the log is not open: `cairn evidence work` opens it"


class Ledger:
    """The ledger over a pool. It accepts after it was opened by somebody and `compare` has found it to fit its topic."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._compared = False
        # No head below this one is accepted: the database would have been restored under this process.
        self._floor = 0

    async def open(self, log: str, partitions: int, timezone: str) -> Head:
        """Open the log unless it is open; its head. What was said when it was opened holds, whatever is said now."""
        try:
            ZoneInfo(timezone)
        except (ZoneInfoNotFoundError, ValueError):
            raise Unavailable("CAIRN_TIMEZONE is not a time zone, such as America/New_York") from None
        await retry(lambda: self._open(log, partitions, timezone))
        return await self.head()

    async def _open(self, log: str, partitions: int, timezone: str) -> None:
        async with self._pool.acquire() as connection, connection.transaction():
            now = await store.clock(connection)
            if await store.open_log(connection, *opened(log, partitions, timezone, now)):
                await days.make_days(connection, now.date())

    async def head(self) -> Head:
        """The head as it is now."""
        return (await self._peek())[0]

    async def _peek(self) -> tuple[Head, datetime]:
        with passing():
            found = await store.read_head(self._pool)
        if found is None:
            raise Unavailable(NOT_OPEN)
        return found

    async def compare(self, bootstrap: str, topic: Topic = EVIDENCE_LOG) -> None:
        """Compare the ledger with its topic's tail. Until this has gone well, nothing is accepted."""
        floor = self._floor
        head = await self.head()
        self._saw(head, floor)
        await tail.compare(bootstrap, topic, LedgerFeed(self._pool, head.partitions))
        self._compared = True

    def ready(self) -> str | None:
        """None when the ledger accepts; otherwise why it does not."""
        return None if self._compared else "has not compared the ledger with its topic yet"

    async def append(self, batch: Batch) -> list[Outcome]:
        """Take a batch in one transaction: an outcome for each draft, then for each hold. Durable once this returns.

        `Conflict`: a draft was resolved under another merge counter, or (`RecordBegun`) before its key was known; resolve again.
        `Unavailable`: this ledger and its topic do not belong together. `Transient`: try again; what was taken after all is then
        a duplicate with the same receipt. `Taken`: the batch comes from an inbox, and somebody else has taken it.
        """
        self._must_have_compared()
        if not batch.drafts and not batch.holds and not quarantine.pairs_to_release(batch):
            if batch.refusals or batch.delivery:
                await once(self._pool, lambda connection: self._refuse(connection, batch))
            return []
        items: tuple[Draft | Hold, ...] = batch.drafts + batch.holds
        keys = [key_of(item) for item in items]
        plan, receipts = await once(self._pool, lambda connection: self._append(connection, batch, keys))
        self._saw(plan.head)
        return await _outcomes(self._pool, plan.sifted, receipts)

    async def under_lock(self, work: Callable[[Connection, Head, datetime], Awaitable[tuple[T, Head]]]) -> T:
        """What `work` gives, done in one transaction that holds the head; it gives the head as it leaves it, too."""
        self._must_have_compared()

        async def transaction(connection: Connection) -> tuple[str, tuple[T, Head]]:
            head, now, xid = await self._lock(connection)
            return xid, await work(connection, head, now)

        result, after = await once(self._pool, transaction)
        self._saw(after)
        return result

    async def _refuse(self, connection: Connection, batch: Batch) -> tuple[str, None]:
        """Refusals alone touch neither head nor log."""
        await _move(connection, batch.delivery)
        sifted = sift(batch, Past({}), 0)
        xid = await store.count(connection, sifted.counts)
        await _keep(connection, sifted)
        await _answer(connection, batch.delivery, [])
        return xid, None

    async def _append(self, connection: Connection, batch: Batch, keys: Sequence[Key]) -> tuple[str, tuple[Plan, list[Receipt]]]:
        head, now, xid = await self._lock(connection)
        await _move(connection, batch.delivery)
        if any(draft.merges != head.merges for draft in batch.drafts if draft.subject):
            raise Conflict("identifiers were merged meanwhile: resolve again")
        await _know_the_same_records(connection, batch)
        past, plan = await asyncio.gather(_past(connection, batch, keys), _guess(batch, head, now))
        if past != NOTHING:
            plan = _plan(batch, past, head, now)
        _, receipts = await asyncio.gather(_carry_out(connection, plan), _receipts(plan))
        if batch.delivery:
            await _answer(connection, batch.delivery, await _outcomes(connection, plan.sifted, receipts))
        return xid, (plan, receipts)

    async def _lock(self, connection: Connection) -> tuple[Head, datetime, str]:
        floor = self._floor
        found = await store.lock_head(connection)
        if found is None:
            raise Unavailable(NOT_OPEN)
        self._saw(found[0], floor)
        return found

    def _must_have_compared(self) -> None:
        if not self._compared:
            raise Unavailable("the ledger accepts nothing before it was compared with its topic; is Kafka there?")

    def _saw(self, head: Head, floor: int = 0) -> None:
        """A head below one that was seen before it was asked for: the database was restored under this process."""
        if head.position < floor:
            self._compared = False
            raise Unavailable(f"the ledger ends at {head.position}, and this process saw {floor}. {tail.REMEDY}")
        self._floor = max(self._floor, head.position)

    # Time passes

    async def tick(self) -> int:
        """Append a tick, whatever was ticked before; its position. Every partition has it: it is a cut."""
        self._must_have_compared()
        return await retry(self._tick)

    async def _tick(self, due: bool = False) -> int:
        async with self._pool.acquire() as connection, connection.transaction():
            head, now, _ = await self._lock(connection)
            if due and not _due(head, now):  # an append, or another worker, was first
                return head.tick
            rows, after = number_tick(head, now)
            await store.append(connection, rows)
            await store.move_head(connection, after)
        self._saw(after)
        return head.position

    async def pass_time(self) -> None:
        """For a timer, a few times a second: tick when no append does. Makes the partitions of the days to come at a new date.

        A tick is due a second after the last one if anything came after that, and at every local midnight. So the last events
        of a busy time are followed by a tick within about a second, and a quiet night adds one event.
        """
        head, now = await self._peek()
        if _due(head, now) and self._compared:
            await retry(lambda: self._tick(due=True))
            await retry(self._make_days)

    async def _make_days(self) -> None:
        async with self._pool.acquire() as connection:
            today = await store.clock(connection)
            if (await days.days(connection))[-1] >= today.date() + timedelta(days=days.DAYS_AHEAD):
                return
            async with connection.transaction():
                await self._lock(connection)
                await days.make_days(connection, today.date())

    # Questions, and what is kept for a while

    async def status(self, source: str, id: str) -> Receipt | Held | Refused | None:
        """What became of an event; None: unknown, or forgotten."""
        with passing():
            if (position := await store.find(self._pool, source, id)) is not None:
                time, record = (await store.records_at(self._pool, [position]))[position]
                return Receipt(position, leaf_of(record), time, duplicate=True)
            if await quarantine.is_held(self._pool, source, id):
                return Held(duplicate=True)
            return await quarantine.refused(self._pool, source, id)

    async def counters(self) -> dict[str, Counts]:
        """By publisher: what it sent and what became of it."""
        with passing():
            return await store.counters(self._pool)

    async def waiting(self, reason: str, keys: Sequence[str], limit: int = 500) -> list[Hold]:
        """The oldest held that wait for one of `keys`; append their drafts with `held=True` to release them."""
        with passing():
            return await quarantine.waiting(self._pool, reason, keys, limit)

    async def expire(self) -> int:
        """Refuse what was held for 30 days, and forget rejections as old as that; how many were refused. For a timer."""
        with passing():
            old = await quarantine.expired(self._pool)
            await quarantine.forget(self._pool)
        if old:
            expected = "what it waits for, within 30 days"
            refusals = tuple(Refusal(h.publisher, h.source, h.id, h.reason, "", expected, b"", held=True) for h in old)
            await self.append(Batch(refusals=refusals))
        return len(old)


def _due(head: Head, now: datetime) -> bool:
    if head.date(now) > head.date(head.ticked):
        return True
    return head.position > head.tick + 1 and now - head.ticked >= SECOND


NOTHING = Past({})


@dataclass(frozen=True, slots=True)
class Plan:
    """What an append will write: `ticks` before the `rows` of what is accepted, and the head after both."""

    sifted: Sifted
    ticks: list[Row]
    rows: list[Row]
    head: Head


def _plan(batch: Batch, past: Past, head: Head, now: datetime) -> Plan:
    ticks, ticked = number_tick(head, now) if crosses(head, now) else ([], head)
    sifted = sift(batch, past, ticked.position)
    if not sifted.accepted:
        return Plan(sifted, [], [], head)
    count_late(sifted, now)
    rows, after = number(ticked, sifted.accepted, now)
    return Plan(sifted, ticks, rows, after)


async def _guess(batch: Batch, head: Head, now: datetime) -> Plan:
    """The plan if nothing of the batch was seen, which is usual. It is made while the database looks."""
    return _plan(batch, NOTHING, head, now)


async def _know_the_same_records(connection: Connection, batch: Batch) -> None:
    """Raise `RecordBegun` unless each key leads to the record that it led to when the drafts were made, or to none as then."""
    links = [((d.source, d.link.sourcekey), d.link.record) for d in batch.drafts if d.link and d.link.sourcekey is not None]
    known = await records.of_keys(connection, {key for key, _ in links}) if links else {}
    if begun := {key for key, record in links if known.get(key) != record}:
        raise RecordBegun(begun)


async def _past(connection: Connection, batch: Batch, keys: Sequence[Key]) -> Past:
    """What is known of the batch's keys. Under the lock, so it stays true until the transaction ends."""
    pairs = quarantine.pairs_to_release(batch)
    released = await quarantine.release(connection, pairs) if pairs else set()
    seen, waiting = await store.known(connection, keys) if keys else ({}, {})
    return Past(seen, waiting, released)


async def _carry_out(connection: Connection, plan: Plan) -> None:
    if plan.rows:
        await store.append(connection, plan.ticks + plan.rows)
        await store.remember(connection, plan.sifted.accepted, plan.rows[0][0])
        await records.remember(connection, plan.sifted.accepted, plan.rows[0][0])
        await store.move_head_and_count(connection, plan.head, plan.sifted.counts)
    elif plan.sifted.counts:
        await store.count(connection, plan.sifted.counts)
    await _keep(connection, plan.sifted)


async def _receipts(plan: Plan) -> list[Receipt]:
    """The receipts of what the plan appends. Leaves are hashed while the database writes."""
    return [Receipt(row[0], leaf_of(row[-1]), row[1]) for row in plan.rows]


async def _outcomes(on: Queryable, sifted: Sifted, new: list[Receipt]) -> list[Outcome]:
    """An outcome for each standing. Receipts of duplicates come from the log."""
    if len(new) == len(sifted.standings):
        return list(new)
    receipts = {receipt.position: receipt for receipt in new}
    older = {at for standing, at in sifted.standings if standing is Standing.DUPLICATE and at is not None} - receipts.keys()
    if older:
        with passing():
            found = await store.records_at(on, older)
        receipts |= {at: Receipt(at, leaf_of(record), time) for at, (time, record) in found.items()}
    return [_outcome(standing, at, receipts) for standing, at in sifted.standings]


async def _move(connection: Connection, delivery: Delivery | None) -> None:
    """Move the cursor that a batch comes with. Before anything is written, and after the head: so everywhere."""
    if delivery and not await inbox.move(connection, delivery.cursor):
        raise Taken


async def _answer(connection: Connection, delivery: Delivery | None, outcomes: Sequence[Outcome]) -> None:
    """Keep what is to be told about a batch that comes from an inbox."""
    if delivery and (told := delivery.tell(outcomes)):
        await inbox.answer(connection, delivery.cursor, told)


async def _keep(connection: Connection, sifted: Sifted) -> None:
    """Hold, keep what was refused, and tell of it. The announcement comes last: an outbox's row is the last lock."""
    if sifted.holds:
        await quarantine.hold(connection, sifted.holds)
    if sifted.refusals:
        await announce(connection, await quarantine.refuse(connection, sifted.refusals))


def _outcome(standing: Standing, at: int | None, receipts: dict[int, Receipt]) -> Outcome:
    match standing:
        case Standing.ACCEPTED | Standing.DUPLICATE:
            assert at is not None
            return receipts[at]._replace(duplicate=standing is Standing.DUPLICATE)
        case Standing.CONFLICTING:
            return Conflicting(at)
        case Standing.ABANDONED:
            return Abandoned()
        case Standing.FOREIGN:
            return Foreign()
        case Standing.HELD | Standing.HELD_ALREADY:
            return Held(duplicate=standing is Standing.HELD_ALREADY)
