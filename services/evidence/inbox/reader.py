"""One publisher's inbox, read from the cursors: every record is taken once, whoever else reads, whenever this process dies.

Owns: the way of a record from its topic to the door, and what is done when the topic is not what it was. Must not: believe a
position of Kafka's; count (the ledger does, in the transaction that moves the cursor).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Protocol

from prometheus_client import Counter, Gauge

from contracts.topics import inbox_of
from services.chassis import foreign
from services.chassis.errors import Transient, Unavailable
from services.chassis.foreign import Described, Fetched, ForeignTopic, OutOfRange
from services.chassis.postgres import Pool, passing
from services.evidence.domain import Cursor, Taken
from services.evidence.grants import Publisher
from services.evidence.inbox import record
from services.evidence.inbox.record import Read
from services.evidence.parse import MAX_EVENTS
from services.evidence.store import inbox as store
from services.evidence.submit import Arrival, Door

log = logging.getLogger(__name__)

# Taken in one append, as many items as a request may hold; a record is never split.
AT_ONCE = MAX_EVENTS
# Answers that were not told, of one publisher. Beyond, its inbox waits: its records are safe where they are.
MOST_UNTOLD = 5000
RETRY_SECONDS = 0.5
# After what an operator has to mend.
REFUSED_SECONDS = 5.0

LAG = Gauge("cairn_inbox_lag_records", "Records in an inbox that were not taken yet", ["publisher"])
STANDING = Gauge("cairn_inbox_standing_still", "1 while an inbox is not read, though it should be", ["publisher"])
MISSED = Counter("cairn_inbox_missed_total", "Records that an inbox had lost before they were taken", ["publisher"])
MADE_ANEW = Counter("cairn_inbox_made_anew_total", "Times an inbox was deleted and made again", ["publisher"])


class Pace(Protocol):
    """What keeps a publisher to its quota: returns once so many events may come in."""

    async def keep(self, publisher: Publisher, events: int) -> None: ...


class InboxReader:
    """Reads the inbox of one publisher until cancelled. `publisher` is replaced when its grant changes."""

    def __init__(self, publisher: Publisher, door: Door, pool: Pool, bootstrap: str, pace: Pace) -> None:
        self.publisher = publisher
        self.answered = asyncio.Event()  # something is to be told
        self._door = door
        self._pool = pool
        self._bootstrap = bootstrap
        self._pace = pace
        self._topic = inbox_of(publisher.name).name

    async def run(self) -> None:
        """Session after session: each begins from the cursors, and ends with a fault."""
        while True:
            try:
                with passing():
                    await self.session()
            except Taken:
                continue  # from the cursors, which somebody else has moved
            except Transient as fault:
                await self._stand_still(str(fault), RETRY_SECONDS)
            except Unavailable as refusal:
                await self._stand_still(str(refusal), REFUSED_SECONDS)

    async def _stand_still(self, reason: str, seconds: float) -> None:
        STANDING.labels(self.publisher.name).set(1)
        log.warning("inbox stands still: %s", reason, extra={"publisher": self.publisher.name})
        await asyncio.sleep(seconds)

    async def session(self) -> None:
        """Read from the cursors, as long as nothing goes wrong."""
        if reason := self._door.ledger.ready():
            raise Transient(f"the ledger {reason}")
        async with foreign.reading(self._bootstrap, f"cairn-inbox-{self.publisher.name}", self._topic) as topic:
            now = await self._describe(topic)
            cursors = await self._cursors(now)
            while True:
                fetched = await topic.fetch(now, cursors)
                before, now = now, await self._describe(topic)
                if now.id == before.id:  # otherwise what was fetched may be of either
                    for each in fetched:
                        cursors[each.partition] = await self._take(now, each, cursors[each.partition])
                    self._tell_lag(fetched, cursors)
                if now.id != before.id or len(now.leaders) != len(cursors):
                    cursors = await self._cursors(now)
                await self._wait_until_told()

    async def _describe(self, topic: ForeignTopic) -> Described:
        if (found := await topic.describe()) is None:
            raise Unavailable(f"{self._topic} does not exist: `cairn publisher inbox {self.publisher.name}` makes it, or `k8s/`")
        return found

    async def _cursors(self, topic: Described) -> dict[int, int]:
        """Where each partition was taken to. A topic that was made anew is another one: it is read from its beginning."""
        if await store.is_made_anew(self._pool, self.publisher.name, topic.id):
            MADE_ANEW.labels(self.publisher.name).inc()
            log.warning("inbox was deleted and made again", extra={"publisher": self.publisher.name, "topic": str(topic.id)})
        STANDING.labels(self.publisher.name).set(0)
        return await store.begin(self._pool, topic.id, len(topic.leaders), self.publisher.name)

    def _tell_lag(self, fetched: Sequence[Fetched | OutOfRange], cursors: dict[int, int]) -> None:
        LAG.labels(self.publisher.name).set(sum(max(0, each.end - cursors[each.partition]) for each in fetched))

    async def _wait_until_told(self) -> None:
        while await store.waiting(self._pool, self.publisher.name, MOST_UNTOLD) >= MOST_UNTOLD:
            STANDING.labels(self.publisher.name).set(1)
            await asyncio.sleep(RETRY_SECONDS)

    async def _take(self, topic: Described, fetched: Fetched | OutOfRange, taken: int) -> int:
        """Take what was fetched of a partition; where its cursor stands then."""
        if isinstance(fetched, OutOfRange):
            return await self._out_of_range(topic, fetched, taken)
        following, records, items = taken, list[Read](), 0
        for batch in fetched.batches:
            for entry in batch.entries:
                read = await record.read(entry)
                if records and items + len(read.items) > AT_ONCE:
                    taken = await self._submit(topic, fetched.partition, taken, records[-1].offset + 1, records)
                    records, items = [], 0
                records.append(read)
                items += len(read.items)
            following = batch.following
        if following > taken:
            taken = await self._submit(topic, fetched.partition, taken, following, records)
        return taken

    async def _submit(self, topic: Described, partition: int, taken: int, following: int, records: Sequence[Read]) -> int:
        """Bring records through the door, and the cursor with them."""
        cursor = Cursor(self.publisher.name, topic.id, partition, taken, following)
        items = [item for read in records for item in read.items]
        await self._pace.keep(self.publisher, len(items))
        arrival = Arrival(cursor, lambda found: record.tell(topic.id, partition, records, found))
        await self._door.submit(self.publisher, items, arrival=arrival)
        self.answered.set()
        return following

    async def _out_of_range(self, topic: Described, found: OutOfRange, taken: int) -> int:
        """The cursor stands outside of what the partition holds."""
        if taken > found.end:
            raise Unavailable(
                f"{self._topic}, partition {found.partition}, ends at {found.end} and was taken up to {taken}: it was cut short. "
                f"`cairn publisher inbox {self.publisher.name} --restart` takes all of it again, as duplicates"
            )
        missed = found.begin - taken
        log.error("inbox lost records before they were taken", extra={"publisher": self.publisher.name, "records": missed})
        MISSED.labels(self.publisher.name).inc(missed)
        return await self._submit(topic, found.partition, taken, found.begin, [])
