"""The Kafka inbox: what is put there comes into the log as if by HTTP, once, and nothing that is put there stops the door."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewPartitions

from contracts.topics import inbox_of, receipts_of
from services.chassis import topics
from services.chassis.records import MAX_UNPACKED_BYTES
from services.evidence.grants import Publisher
from services.evidence.inbox.readers import InboxReaders
from services.evidence.inbox.teller import Teller
from services.evidence.store import inbox as store
from services.evidence.store import publishers
from tests.integration.evidence.gateway import Gateway, a_gateway, an_event
from tests.integration.evidence.inboxes import Unhurried, a_closed_inbox, a_reader, read, topic_id
from tests.stack import Stack
from tests.unit.chassis.batches import a_batch
from tests.until import until

pytestmark = pytest.mark.stack

LINES = [("content-type", b"application/x-ndjson")]


@pytest.fixture(scope="module")
async def gateway(stack: Stack) -> AsyncIterator[Gateway]:
    async with a_gateway(stack) as opened:
        yield opened


async def test_one_event_an_array_and_lines_come_in_and_are_answered_by_place(gateway: Gateway) -> None:
    inbox = await a_closed_inbox(gateway)
    events = [an_event(f"e-{number}", source=inbox.name) for number in range(6)]
    lines = b"\n".join(json.dumps(each).encode() for each in events[3:5])
    await inbox.put(events[0], events[1:3], partition=0)
    await inbox.put(lines, headers=LINES, partition=0)
    await inbox.put(gzip.compress(json.dumps(events[5]).encode()), headers=[("content-encoding", b"gzip")], partition=1)
    async with read(gateway, inbox):
        await inbox.until_taken()
    results = await inbox.results()
    assert [(each["id"], each["outcome"]) for each in results] == [(f"e-{number}", "accepted") for number in range(6)]
    assert [len(each) for _, each in sorted((await inbox.told()).items())] == [1, 2, 2, 1]
    assert await gateway.counts(inbox.name) == (6, 6, 0, 0, 0)
    record = await gateway.record("e-3", inbox.name)
    assert record["position"] == results[3]["position"]
    key, _ = (await inbox.receipts())[0]
    assert key.startswith(f"{await topic_id(inbox)}/")


async def test_a_resend_through_the_other_door_is_a_duplicate_with_the_same_receipt(gateway: Gateway) -> None:
    inbox = await a_closed_inbox(gateway)
    by_http = (await gateway.send(an_event("first by HTTP", source=inbox.name), publisher=inbox.name)).json()
    async with read(gateway, inbox):
        await inbox.put(an_event("first by HTTP", source=inbox.name), an_event("first by Kafka", source=inbox.name), partition=0)
        await inbox.until_taken()
    again, first = await inbox.results()
    assert (again["outcome"], first["outcome"]) == ("duplicate", "accepted")
    assert again["position"] == by_http["position"]
    assert again["leaf"] == by_http["leaf"]
    answer = await gateway.send(an_event("first by Kafka", source=inbox.name), publisher=inbox.name)
    assert (answer.status_code, answer.json()["position"]) == (200, first["position"])
    assert await gateway.counts(inbox.name) == (4, 2, 2, 0, 0)


async def test_what_nobody_should_send_is_refused_with_a_reason_and_what_comes_after_it_comes_in(gateway: Gateway) -> None:
    inbox = await a_closed_inbox(gateway, partitions=1)
    good = an_event("good", source=inbox.name)
    await inbox.put(None, b"", b"\x00\x00\x00\x00\x01Avro", b"\x1f\x8bgarbage", gzip.compress(b"[]"), 5, "text", key=None)
    await inbox.put(
        good | {"id": "e-2"}, headers=[("\x00 ü", b"\xff\xfe\x00"), ("ce_id", None), ("content-type", b"\xff")], key=b"\xff"
    )
    await inbox.put(good | {"id": "e-3"}, headers=[("\x00 ü", b"\xff\xfe\x00"), ("traceparent", b"\xff")], key=b"\xff\xfe")
    await inbox.put(good | {"source": "somebody-else"}, b"[" + b"[" * 200_000, b" " * 1_000_000, json.dumps(good).encode()[:-1])
    for codec in (1, 3, 4):  # gzip, lz4, zstd: a record of 32 MiB in a few KiB, which the broker takes
        await inbox.put_batch(a_batch([(None, bytes(2 * MAX_UNPACKED_BYTES), [])], codec=codec))
    renamed = a_batch([(b"k", json.dumps(good | {"id": "e-4"}).encode(), [("name", b"")])]).replace(b"name", b"\xff\xfe\xff\xfe")
    await inbox.put_batch(renamed)
    await inbox.put(good)
    async with read(gateway, inbox):
        await inbox.until_taken()
    results = await inbox.results()
    assert [each["problem"]["code"] for each in results if each["outcome"] == "rejected"] == [
        "no-value",
        "invalid-json",
        "invalid-json",
        "invalid-utf-8",
        "invalid-utf-8",
        "not-an-event",
        "not-an-event",
        "unsupported-media-type",
        "foreign-source",
        "too-deep",
        "invalid-json",
        "invalid-json",
        *["batch-too-large"] * 3,
    ]
    assert all(each["problem"]["expected"] for each in results if each["outcome"] == "rejected")
    assert [each["id"] for each in results if each["outcome"] == "accepted"] == ["e-3", "e-4", "good"]
    assert await gateway.counts(inbox.name) == (18, 3, 0, 15, 0)
    kept = await inbox.pool.fetchval("SELECT count(*) FROM rejections WHERE publisher = $1", inbox.name)
    assert kept == 15


async def test_what_was_taken_is_not_taken_again_by_whoever_reads_next(gateway: Gateway) -> None:
    inbox = await a_closed_inbox(gateway)
    await inbox.put(*(an_event(f"e-{number}", source=inbox.name) for number in range(50)))
    for _ in range(3):
        async with read(gateway, inbox):
            await inbox.until_taken()
        await inbox.put(an_event("e-0", source=inbox.name))
    async with read(gateway, inbox):
        await inbox.until_taken()
    assert await gateway.counts(inbox.name) == (53, 50, 3, 0, 0)


async def test_more_partitions_are_noticed_while_it_is_read(gateway: Gateway) -> None:
    inbox = await a_closed_inbox(gateway, partitions=1)
    async with read(gateway, inbox):
        await inbox.put(an_event("e-1", source=inbox.name))
        await inbox.until_taken()
        admin = AdminClient({"bootstrap.servers": inbox.bootstrap})
        for future in admin.create_partitions([NewPartitions(inbox_of(inbox.name).name, 3)]).values():
            future.result()

        async def grown() -> bool:
            return len(await inbox.ends()) == 3

        await until(grown)
        await inbox.put(an_event("e-2", source=inbox.name), partition=2)
        await inbox.until_taken()
    assert await gateway.counts(inbox.name) == (2, 2, 0, 0, 0)


async def test_a_topic_that_is_deleted_and_made_again_is_read_from_its_beginning(gateway: Gateway) -> None:
    inbox = await a_closed_inbox(gateway, partitions=1)
    async with read(gateway, inbox):
        await inbox.put(*(an_event(f"old-{number}", source=inbox.name) for number in range(3)))
        await inbox.until_taken()
        before = await topic_id(inbox)
        admin = AdminClient({"bootstrap.servers": inbox.bootstrap})
        for future in admin.delete_topics([inbox_of(inbox.name).name]).values():
            future.result()

        async def made_again() -> bool:
            await topics.make(inbox.bootstrap, [inbox_of(inbox.name)], 1)
            return not await topics.missing(inbox.bootstrap, [inbox_of(inbox.name)])

        await until(made_again)
        assert await topic_id(inbox) != before
        # As many as the old cursor stands at, and more: offsets alone would tell nothing.
        await inbox.put(*(an_event(f"new-{number}", source=inbox.name) for number in range(5)))
        await inbox.until_taken()
    assert await gateway.counts(inbox.name) == (8, 8, 0, 0, 0)


async def test_records_that_were_deleted_before_they_were_taken_are_missed_aloud(
    gateway: Gateway, caplog: pytest.LogCaptureFixture
) -> None:
    inbox = await a_closed_inbox(gateway, partitions=1)
    await inbox.put(*(an_event(f"e-{number}", source=inbox.name) for number in range(5)))
    admin = AdminClient({"bootstrap.servers": inbox.bootstrap})
    for deleted in admin.delete_records([TopicPartition(inbox_of(inbox.name).name, 0, 3)]).values():
        deleted.result()
    async with read(gateway, inbox):
        await inbox.until_taken()
    assert await gateway.counts(inbox.name) == (2, 2, 0, 0, 0)
    (said,) = [each for each in caplog.records if "lost records" in each.getMessage()]
    assert (said.__dict__["records"], said.__dict__["publisher"]) == (3, inbox.name)


async def test_a_topic_that_was_cut_short_stands_still_until_somebody_says_what_to_do(
    gateway: Gateway, caplog: pytest.LogCaptureFixture
) -> None:
    inbox = await a_closed_inbox(gateway, partitions=1)
    await inbox.put(an_event("e-1", source=inbox.name))
    async with read(gateway, inbox):
        await inbox.until_taken()
    await inbox.pool.execute("UPDATE inbox_cursors SET next = 9 WHERE publisher = $1", inbox.name)
    async with read(gateway, inbox):

        async def said() -> bool:
            return any("--restart" in each.getMessage() for each in caplog.records)

        await until(said)
        assert await gateway.counts(inbox.name) == (1, 1, 0, 0, 0)
        await store.restart(inbox.pool, inbox.name)
        await inbox.until_taken()
    assert await gateway.counts(inbox.name) == (2, 1, 1, 0, 0)


async def test_answers_that_were_not_told_are_told_later_and_the_same(gateway: Gateway) -> None:
    inbox = await a_closed_inbox(gateway, partitions=1)
    await inbox.put(an_event("e-1", source=inbox.name), None)
    reader = a_reader(gateway, inbox)
    session = asyncio.create_task(reader.run())

    async def taken() -> bool:
        return len(await store.to_tell(inbox.pool, inbox.name, 10)) == 2

    await until(taken)
    session.cancel()
    await asyncio.gather(session, return_exceptions=True)
    untold = await store.to_tell(inbox.pool, inbox.name, 10)
    for _ in range(2):  # the second time as if the teller had died after Kafka had them and before it could say so
        teller = asyncio.create_task(Teller(inbox.name, asyncio.Event(), inbox.pool, inbox.bootstrap).run())
        await inbox.until_taken()
        teller.cancel()
        await asyncio.gather(teller, return_exceptions=True)
        again = 'INSERT INTO inbox_answers (publisher, topic, partition, "offset", answer) VALUES ($1, $2, $3, $4, $5)'
        await inbox.pool.executemany(again, [(inbox.name, *each[1:]) for each in untold])
    assert len(await inbox.receipts()) == 4
    assert [each["outcome"] for each in await inbox.results()] == ["accepted", "rejected"]


async def test_an_inbox_is_read_by_one_worker_and_taken_over_from_one_that_is_gone(gateway: Gateway) -> None:
    inbox = await a_closed_inbox(gateway)
    workers = [InboxReaders(gateway.door, inbox.pool, inbox.bootstrap, Unhurried()) for _ in range(2)]
    tasks = [asyncio.create_task(each.run()) for each in workers]
    for number in range(2):
        await inbox.put(an_event(f"e-{number}", source=inbox.name))
        await inbox.until_taken()
        holder = await inbox.pool.fetchval("SELECT holder FROM inboxes WHERE publisher = $1", inbox.name)
        gone = [each._me for each in workers].index(holder)
        tasks[gone].cancel()
        await asyncio.gather(tasks[gone], return_exceptions=True)
    assert await gateway.counts(inbox.name) == (2, 2, 0, 0, 0)


async def test_a_publisher_that_was_revoked_is_not_read(gateway: Gateway) -> None:
    inbox, other = await a_closed_inbox(gateway), await a_closed_inbox(gateway)
    await publishers.revoke(inbox.pool, inbox.name)
    worker = asyncio.create_task(InboxReaders(gateway.door, inbox.pool, inbox.bootstrap, Unhurried()).run())
    await inbox.put(an_event("e-1", source=inbox.name))
    await other.put(an_event("e-1", source=other.name))
    await other.until_taken()
    worker.cancel()
    await asyncio.gather(worker, return_exceptions=True)
    assert await gateway.counts(inbox.name) == (0, 0, 0, 0, 0)


async def test_an_inbox_is_kept_to_the_publishers_quota(gateway: Gateway) -> None:
    inbox = await a_closed_inbox(gateway)
    asked, open_ = list[int](), asyncio.Event()

    class Slow:
        async def keep(self, publisher: Publisher, events: int) -> None:
            asked.append(events)
            await open_.wait()

    reader = a_reader(gateway, inbox)
    reader._pace = Slow()
    await inbox.put([an_event("e-1", source=inbox.name), an_event("e-2", source=inbox.name)])
    session = asyncio.create_task(reader.run())

    async def asked_once() -> bool:
        return asked == [2]

    await until(asked_once)
    assert await gateway.counts(inbox.name) == (0, 0, 0, 0, 0)
    open_.set()

    async def taken() -> bool:
        return await gateway.counts(inbox.name) == (2, 2, 0, 0, 0)

    await until(taken)
    session.cancel()
    await asyncio.gather(session, return_exceptions=True)


def test_names_of_the_two_topics() -> None:
    assert (inbox_of("algebra").name, receipts_of("algebra").name) == ("evidence.inbox.algebra", "evidence.receipts.algebra")
