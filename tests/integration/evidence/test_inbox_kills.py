"""kill -9 of the workers that read an inbox, two of them at once: every record counts once, and its publisher is told."""

from __future__ import annotations

import asyncio
import random
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from deploy.local.process import Command, Process
from deploy.local.waiting import LOOPBACK, free_ports, says_ready
from tests.integration.evidence.gateway import Gateway, a_gateway, an_event
from tests.integration.evidence.inboxes import Inbox, a_closed_inbox
from tests.stack import Stack
from tests.until import until

pytestmark = pytest.mark.stack

RECORDS, KILLS = 1200, 6
CHUNK = 40  # put at once
SEED = 20261124
READY_SECONDS = 60.0


@pytest.fixture
async def gateway(stack: Stack) -> AsyncIterator[Gateway]:
    async with a_gateway(stack) as opened:
        yield opened


@contextmanager
def a_worker(stack: Stack, gateway: Gateway, how: str) -> Iterator[Process]:
    """A worker process over the gateway's database and topic."""
    port = free_ports(1)[0]
    worker = Process(
        Command(
            name=f"inbox-worker-{port}",
            argv=(sys.executable, "-m", "tests.integration.evidence.inbox_worker", gateway.topic.name, how),
            environment={
                "CAIRN_MODE": "local",
                "CAIRN_KAFKA": gateway.settings.kafka,
                "CAIRN_EVIDENCE_DATABASE": gateway.settings.database,
                "CAIRN_LOG_LEVEL": "ERROR",
                "CAIRN_PORT": str(port),
            },
            log=stack.home / "logs" / f"inbox-worker-{port}.log",
            home=stack.home,
            ready=lambda: says_ready(f"http://{LOOPBACK}:{port}/readyz"),
        )
    )
    try:
        worker.start()
        yield worker
    finally:
        worker.stop()


def what_an_app_sends(name: str, count: int) -> tuple[list[object], Counter[str]]:
    """Records, and what becomes of them: every tenth is sent again, every tenth is wrong, every twentieth about a stranger."""
    chance = random.Random(SEED)
    records: list[object] = []
    for number in range(count):
        event: Any = an_event(f"e-{number}", source=name, score=number % 4)
        if number % 10 == 3:
            event["data"]["score"] = "wrong"
        elif number % 20 == 7:
            event["data"]["student"]["value"] = "nobody"
        records.append(event)
    good = sum(number % 10 != 3 and number % 20 != 7 for number in range(count))
    held = sum(number % 20 == 7 for number in range(count))
    again = [each for number, each in enumerate(records) if number % 10 == 5]
    chance.shuffle(records)
    outcomes = Counter(accepted=good, rejected=count - good - held, held=held, duplicate=len(again))
    return [*records, *again], outcomes


async def put_steadily(inbox: Inbox, records: list[object]) -> None:
    """Put them as they are taken, so that there is always something under way."""
    for start in range(0, len(records), CHUNK):
        await until_taken(inbox, start - CHUNK)
        await inbox.put(*records[start : start + CHUNK])


async def test_workers_that_are_killed_lose_nothing_and_count_nothing_twice(stack: Stack, gateway: Gateway) -> None:
    inbox = await a_closed_inbox(gateway)
    records, expected = what_an_app_sends(inbox.name, RECORDS)
    chance = random.Random(SEED)
    with ExitStack() as running:
        workers = [running.enter_context(a_worker(stack, gateway, "guarded")) for _ in range(2)]
        putting = asyncio.create_task(put_steadily(inbox, records))
        for number in range(KILLS):
            await until_taken(inbox, (number + 1) * len(records) // (KILLS + 2))
            await asyncio.sleep(chance.random() / 20)  # the moment is the test
            workers[number % 2].kill()
            workers[number % 2].start()
        await putting
        await inbox.until_taken()
    told = Counter(each["outcome"] for each in await inbox.results())
    assert told == expected
    assert await gateway.counts(inbox.name) == (expected.total(), *(expected[each] for each in OUTCOMES))
    assert len(await inbox.told()) == inbox.sent


OUTCOMES = ("accepted", "duplicate", "rejected", "held")


async def until_taken(inbox: Inbox, count: int) -> None:
    """Return once so many records were taken."""

    async def so_many() -> bool:
        return await taken(inbox) >= count

    await until(so_many, READY_SECONDS)


async def taken(inbox: Inbox) -> int:
    count: int = await inbox.pool.fetchval(
        "SELECT coalesce(sum(next), 0)::bigint FROM inbox_cursors WHERE publisher = $1", inbox.name
    )
    return count


async def test_the_control_without_the_cursors_guard_counts_twice(stack: Stack, gateway: Gateway) -> None:
    inbox = await a_closed_inbox(gateway)
    with ExitStack() as running:
        for _ in range(2):
            running.enter_context(a_worker(stack, gateway, "unguarded"))

        async def too_many() -> bool:
            await inbox.put(*(an_event(f"e-{inbox.sent + number}", source=inbox.name) for number in range(CHUNK)))
            return (await gateway.counts(inbox.name))[0] > inbox.sent

        await until(too_many, READY_SECONDS)
