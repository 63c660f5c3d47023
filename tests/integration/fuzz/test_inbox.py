"""A byte fuzz of an inbox: whatever records and batches hold, each is counted and answered once, and the door goes on."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.integration.evidence.gateway import Gateway, a_gateway, an_event
from tests.integration.evidence.inboxes import Inbox, a_closed_inbox, read
from tests.stack import Stack
from tests.unit.chassis.batches import a_batch

pytestmark = [pytest.mark.stack, pytest.mark.timeout(1200)]

SEED = 20261124
LARGEST, GZIP = 900_000, 1  # what a broker takes of a batch, with room; what makes one smaller
Field = bytes | None
Written = tuple[Field, Field, list[tuple[str, Field]]]

amounts = pytest.mark.parametrize(
    "records", [pytest.param(1500, id="some"), pytest.param(50_000, id="many", marks=pytest.mark.soak)]
)


@pytest.fixture
async def gateway(stack: Stack) -> AsyncIterator[Gateway]:
    async with a_gateway(stack) as opened:
        yield opened


class Chance(random.Random):
    """What a stranger might send."""

    def written(self, source: str, number: int) -> Written:
        return self.field(64), self.value(source, number), [self.header() for _ in range(self.randrange(4))]

    def field(self, most: int) -> Field:
        return None if self.random() < 0.2 else self.randbytes(self.randrange(most))

    def header(self) -> tuple[str, Field]:
        name = self.choice(["content-type", "content-encoding", "ce_id", "\x00", "traceparent", "position"])
        told = self.choice([b"application/json", b"application/x-ndjson", b"gzip", b"application/cloudevents+json"])
        return name, told if self.random() < 0.5 else self.field(40)

    def value(self, source: str, number: int) -> Field:
        """Noise, or an event that was bent: bytes flipped, cut off, repeated, a member replaced."""
        if self.random() < 0.2:
            return self.field(400)
        event: dict[str, Any] = an_event(f"e-{number}", source=source)
        if self.random() < 0.4:
            place = self.choice([event, event["data"], event["data"]["student"]])
            place[self.choice([*place, "other"])] = self.choice(
                [None, True, -1, 1e300, "", "\x00", "x" * 40_000, [], {}, [[]] * 50]
            )
        body = bytearray(json.dumps(event if self.random() < 0.7 else [event] * self.randrange(4)).encode())
        for _ in range(self.choice([0, 0, 0, 1, 3, 9])):
            body[self.randrange(len(body))] = self.randrange(256)
        if self.random() < 0.1:
            del body[self.randrange(len(body)) :]
        return bytes(body) * self.choice([1, 1, 1, 2])


async def put_noise(inbox: Inbox, count: int) -> None:
    chance = Chance(SEED)
    for start in range(0, count, 20):
        written = [chance.written(inbox.name, number) for number in range(start, min(start + 20, count))]
        batch = a_batch(written, codec=chance.randrange(5), size=2**24)
        await inbox.put_batch(batch if len(batch) < LARGEST else a_batch(written, codec=GZIP, size=2**24))
        inbox.sent += len(written)


@amounts
async def test_every_record_is_counted_and_answered_once_and_the_door_goes_on(gateway: Gateway, records: int) -> None:
    inbox = await a_closed_inbox(gateway, partitions=1)
    async with read(gateway, inbox):
        await put_noise(inbox, records)
        await inbox.put(an_event("after it all", source=inbox.name))
        await inbox.until_taken()
    told = await inbox.told()
    assert len(told) == inbox.sent == records + 1
    results = [result for place in sorted(told) for result in told[place]]
    outcomes = Counter(each["outcome"] for each in results)
    assert results[-1]["outcome"] == "accepted"
    assert min(outcomes["accepted"], outcomes["rejected"], outcomes["duplicate"]) > records // 100
    assert all(each["problem"]["code"] and each["problem"]["expected"] for each in results if each["outcome"] == "rejected")
    assert await gateway.counts(inbox.name) == (
        len(results),
        *(outcomes[each] for each in ("accepted", "duplicate", "rejected", "held")),
    )
