"""Whatever a record of an inbox holds, it is read like a request's body, or is one item that is refused with a reason."""

from __future__ import annotations

import datetime as dt
import gzip
import json
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.chassis.errors import Rejected
from services.chassis.records import CORRUPT, OLD_FORMAT, TOO_LARGE, Message, Unreadable
from services.evidence.domain import Receipt
from services.evidence.inbox.record import Read, read, tell
from services.evidence.parse import MAX_EVENTS
from services.evidence.submit import Answer
from tests.unit.evidence.submissions import an_event

EVENT = json.dumps(an_event(), default=float).encode()
LINES = ((b"content-type", b"application/x-ndjson"),)
GZIP = ((b"Content-Encoding", b"gzip"),)


def a_message(value: bytes | None, *headers: tuple[bytes, bytes | None], offset: int = 0) -> Message:
    return Message(offset, None, value, headers)


def codes(found: Read) -> list[str | None]:
    return [each.fault.code if each.fault else None for each in found.items]


WELL = {
    "one event": (a_message(EVENT), 1),
    "an array": (a_message(b"[" + EVENT + b"," + EVENT + b"]"), 2),
    "lines": (a_message(EVENT + b"\n" + EVENT + b"\n", *LINES), 2),
    "gzip": (a_message(gzip.compress(EVENT), *GZIP), 1),
    "headers of no concern": (a_message(EVENT, (b"\xff\xfe", b"\x00\xff"), (b"ce_id", None), (b"", b"")), 1),
    "the last header counts": (a_message(EVENT, (b"content-type", b"text/csv"), (b"CONTENT-TYPE", b"application/json")), 1),
}


@pytest.mark.parametrize("name", WELL)
async def test_a_record_is_read_as_a_request_is(name: str) -> None:
    message, count = WELL[name]
    found = await read(message)
    assert codes(found) == [None] * count


ILL: dict[str, tuple[Message | Unreadable, str]] = {
    "a null value": (a_message(None), "no-value"),
    "an empty value": (a_message(b""), "invalid-json"),
    "Avro with its magic byte": (a_message(b"\x00\x00\x00\x00\x07\x02\x06foo"), "invalid-json"),
    "Protobuf": (a_message(b"\x0a\x03abc\x10\x96\x01\xff"), "invalid-utf-8"),
    "compressed garbage": (a_message(gzip.compress(EVENT)), "invalid-utf-8"),
    "no gzip": (a_message(EVENT, *GZIP), "invalid-gzip"),
    "a bomb": (a_message(gzip.compress(bytes(2**24)), *GZIP), "request-too-large"),
    "a huge value": (a_message(b"[" + b" " * 2**20 + EVENT + b"]"), "request-too-large"),
    "a foreign format": (a_message(EVENT, (b"content-type", b"application/avro")), "unsupported-media-type"),
    "a binary content type": (a_message(EVENT, (b"content-type", b"\xff\x00")), "unsupported-media-type"),
    "a foreign encoding": (a_message(EVENT, (b"content-encoding", b"br")), "unsupported-encoding"),
    "too many events": (a_message(b"[" + b",".join([b"{}"] * (MAX_EVENTS + 1)) + b"]"), "too-many-events"),
    "a batch that is corrupt": (Unreadable(3, CORRUPT), "corrupt-batch"),
    "a batch that is too large": (Unreadable(3, TOO_LARGE), "batch-too-large"),
    "an old format": (Unreadable(3, OLD_FORMAT), "old-record-format"),
}


@pytest.mark.parametrize("name", ILL)
async def test_what_cannot_be_read_is_one_item_that_is_refused(name: str) -> None:
    record, code = ILL[name]
    found = await read(record)
    assert codes(found) == [code]
    assert found.items[0].fault is not None
    assert found.items[0].fault.expected


@given(
    value=st.none() | st.binary(max_size=200) | st.text(max_size=100).map(str.encode),
    headers=st.lists(
        st.tuples(
            st.sampled_from([b"content-type", b"content-encoding", b"\xff"]),
            st.none() | st.binary(max_size=20) | st.sampled_from([b"gzip", b"application/x-ndjson", b"application/json"]),
        ),
        max_size=3,
    ),
)
async def test_no_record_raises_and_each_is_one_item_at_least(
    value: bytes | None, headers: list[tuple[bytes, bytes | None]]
) -> None:
    found = await read(a_message(value, *headers))
    assert found.items


async def test_what_became_of_a_record_is_told_by_its_place_and_its_items() -> None:
    topic = UUID(int=7)
    records = [await read(a_message(b"[" + EVENT + b",1]", offset=4)), await read(a_message(None, offset=5))]
    refused = Rejected("not-an-event", "a JSON object")
    receipt = Receipt(12, bytes(32), an_instant())
    answers = [Answer("algebra", "e-1", receipt), Answer(None, None, refused), Answer(None, None, Rejected("no-value", "a value"))]
    first, second = tell(topic, 2, records, answers)
    told = json.loads(first.answer)
    assert (first.offset, told["topic"], told["partition"], told["offset"]) == (4, str(topic), 2, "4")
    assert [result["outcome"] for result in told["results"]] == ["accepted", "rejected"]
    assert [result["problem"]["code"] for result in json.loads(second.answer)["results"]] == ["no-value"]


def an_instant() -> dt.datetime:
    return dt.datetime(2026, 3, 2, tzinfo=dt.UTC)
