"""What tests of the relay share: a ledger to fill, a relay over it, and the promise that the topic is the ledger."""

from __future__ import annotations

from typing import Any

from services.chassis.log.relay import Relay
from services.evidence.domain import Draft
from services.evidence.store.feed import LedgerFeed
from tests.integration.log.ledgers import Opened, a_draft, a_student, the_ledger_holds
from tests.integration.log.topics import ledger_by_partition, read_topic, the_topic_has

PARTITIONS = 4


async def fill(it: Opened, first: int, count: int, size: int = 50) -> None:
    """Append `count` events in batches: one in twenty for every partition, one in twenty held by three students."""
    for start in range(first, first + count, size):
        await it.append(*(_a_draft(n) for n in range(start, start + size)))


def _a_draft(n: int) -> Draft:
    if n % 20 == 0:
        return a_draft(f"e-{n}", student=None)
    others = (a_student(100 + n % 29), a_student(200 + n % 31)) if n % 20 == 1 else ()
    return a_draft(f"e-{n}", student=n % 29, sharedwith=others)


async def the_topic_is_the_ledger(it: Opened) -> None:
    await the_ledger_holds(it.pool)
    await the_topic_has(it.bootstrap, it.topic.name, await ledger_by_partition(it.pool, PARTITIONS))


def a_relay(it: Opened, **options: Any) -> Relay[int]:
    return Relay(LedgerFeed(it.pool, PARTITIONS), it.pool, it.bootstrap, it.topic, **options)


async def topic_length(it: Opened) -> int:
    return sum(len(records) for records in await read_topic(it.bootstrap, it.topic.name, PARTITIONS))
