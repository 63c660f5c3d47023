"""One path behind all doors: the same submissions become the same bytes in the log, whichever way they came."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest

from tests.integration.evidence.gateway import Gateway, a_gateway, an_event
from tests.integration.evidence.inboxes import Inbox, a_closed_inbox, read
from tests.stack import Stack

pytestmark = pytest.mark.stack

KEY = "5" * 64
PEOPLE = {"104": f"s-{'a' * 26}", "105": f"s-{'b' * 26}", "t1": f"p-{'c' * 26}"}


@pytest.fixture
async def gateways(stack: Stack) -> AsyncIterator[list[Gateway]]:
    """Three districts that know the same people by the same pseudonyms."""
    async with AsyncExitStack() as opened:
        found = [await opened.enter_async_context(a_gateway(stack, people=False, vault_key=KEY)) for _ in range(3)]
        for gateway in found:
            rows = [("sis", value, pseudonym) for value, pseudonym in PEOPLE.items()]
            await gateway.opened.vault.pool.executemany("INSERT INTO vault.identifiers VALUES ($1, $2, $3)", rows)
        yield found


def submissions(source: str) -> list[dict[str, Any]]:
    """Well-formed ones of every sort, and others."""
    teacher = {"scheme": "sis", "value": "t1"}
    return [
        an_event("e-1", source=source),
        an_event("e-2", source=source, assessor=teacher, due="2026-03-03T13:00:00.5+01:00", attempt=2, kind="assessment"),
        an_event("e-3", source=source, student={"scheme": "sis", "value": "105"}, score=0.125, accommodations=["extra-time"]),
        an_event("e-4", source=f"{source}/north", language="es", language_demand=3) | {"sourcesequence": 7},
        an_event("ü/4", source=source, score=-3.5) | {"correlationid": "c-1", "datacontenttype": "application/json"},
        an_event("e-5", source=source, score="wrong"),
        an_event("e-6", source="another"),
        an_event("e-7", source=source, student={"scheme": "sis", "value": "nobody"}),
        an_event("e-1", source=source),
        an_event("e-2", source=source, score=1),
    ]


async def records(gateway: Gateway, source: str) -> list[bytes]:
    """What the log has of the publisher, without its place and its time there."""
    rows = await gateway.opened.pool.fetch("SELECT record FROM ledger WHERE subject IS NOT NULL ORDER BY position")
    return [_without_place(row["record"]) for row in rows if json.loads(row["record"])["source"].startswith(source)]


def _without_place(record: bytes) -> bytes:
    told = json.loads(record)
    for name in ("position", "recordedtime"):
        value = json.dumps(told[name]).encode()
        assert record.count(value) >= 1
        record = record.replace(f'"{name}":'.encode() + value, f'"{name}":""'.encode(), 1)
    return record


async def test_the_same_submissions_are_the_same_bytes_by_single_requests_a_batch_and_an_inbox(gateways: list[Gateway]) -> None:
    single, batch, kafka = gateways
    inbox = await a_closed_inbox(kafka, partitions=1)
    for gateway in (single, batch):
        await gateway.publisher(inbox.name)
    sent = submissions(inbox.name)
    one_by_one = [await single.send(each, publisher=inbox.name) for each in sent]
    assert all(answer.status_code < 500 for answer in one_by_one)
    await batch.send(sent, publisher=inbox.name)
    async with read(kafka, inbox):
        await inbox.put(*sent[:4], sent[4:])
        await inbox.until_taken()
    first, *others = [await records(each, inbox.name) for each in gateways]
    assert len(first) == 5
    assert all(each == first for each in others)
    counts = [await each.counts(inbox.name) for each in gateways]
    assert counts == [(10, 5, 1, 3, 1)] * 3
    await _sent_again_by_the_other_doors(inbox, sent, gateways)


async def _sent_again_by_the_other_doors(inbox: Inbox, sent: list[dict[str, Any]], gateways: list[Gateway]) -> None:
    """In one district after the other: what was good is a duplicate at every door."""
    _, batch, kafka = gateways
    again = await kafka.send(sent, publisher=inbox.name)
    assert [result["outcome"] for result in again.json()["results"]] == [
        *["duplicate"] * 5,
        *["rejected"] * 2,
        *["duplicate"] * 2,
        "rejected",
    ]
    receipts = {each["id"]: each["position"] for each in await inbox.results() if each["outcome"] == "accepted"}
    assert {
        each["id"]: each["position"] for each in again.json()["results"] if each["outcome"] == "duplicate" and "position" in each
    } == (receipts)
    assert (await batch.send(sent[0], publisher=inbox.name)).status_code == 200
