"""Hostile input over real HTTP: always a 4xx that says which field and what was expected, never a 5xx, never a stop."""

from __future__ import annotations

import asyncio
import gzip
import json
import zlib
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from services.chassis.problems import PROBLEM_JSON
from tests.integration.evidence.gateway import Gateway, a_gateway, an_event, over_http
from tests.stack import Stack

pytestmark = pytest.mark.stack

SECRET = "Zquxly"


@pytest.fixture(scope="module")
async def gateway(stack: Stack) -> AsyncIterator[Gateway]:
    async with a_gateway(stack) as opened, over_http(opened):
        yield opened


def text(event: dict[str, Any]) -> bytes:
    return json.dumps(event).encode()


def with_raw(name: str, raw: str) -> bytes:
    """An event whose data has a field `name` that is spelled as `raw`."""
    data: dict[str, Any] = {name: "@@"}
    return text(an_event(**data)).replace(b'"@@"', raw.encode())


def nested(depth: int) -> bytes:
    return with_raw("context", '{"a":' * depth + "1" + "}" * depth)


# An event each. (bytes, status, code, pointer)
EVENTS: dict[str, tuple[bytes, int, str, str | None]] = {
    "a duplicate name": (text(an_event())[:-1] + b',"id":"e-2"}', 422, "duplicate-name", None),
    "a duplicate name inside": (with_raw("student", '{"scheme":"sis","value":"104","value":"105"}'), 422, "duplicate-name", None),
    "NaN": (with_raw("score", "NaN"), 422, "not-a-number", None),
    "Infinity": (with_raw("score", "-Infinity"), 422, "not-a-number", None),
    "1e400": (with_raw("score", "1e400"), 422, "invalid-field", "/data/score"),
    "an exponent beyond all": (with_raw("score", "1e9999999999999999999"), 422, "number-too-large", None),
    "5000 digits": (with_raw("score", "9" * 5000), 422, "number-too-long", None),
    "a hair below a thousandth": (with_raw("score", "0.1230000000000000001"), 422, "invalid-field", "/data/score"),
    "a number in a string": (text(an_event(score="0.5")), 422, "invalid-field", "/data/score"),
    "true as a number": (text(an_event(score=True)), 422, "invalid-field", "/data/score"),
    "true as an integer": (text(an_event(attempt=True)), 422, "invalid-field", "/data/attempt"),
    "1.0 as an integer": (text(an_event(attempt=1.0)), 422, "invalid-field", "/data/attempt"),
    # The name of a field that nobody knows is the sender's own words: what holds it is told.
    "an extra field": (text(an_event(comment=SECRET)), 422, "invalid-field", "/data"),
    "an extra field of free text": (with_raw(f"{SECRET} did well", "1"), 422, "invalid-field", "/data"),
    "an extra attribute": (text(an_event() | {"comment": SECRET}), 422, "invalid-field", ""),
    "a naive time": (text(an_event(time="2026-03-02T10:00:00")), 422, "invalid-field", "/time"),
    "a number as a time": (text(an_event(time="1700000000")), 422, "invalid-field", "/time"),
    "a year beyond all": (text(an_event(time="9999-12-31T23:59:59-14:00")), 422, "invalid-field", "/time"),
    "a missing field": (text(an_event(score=None)), 422, "invalid-field", "/data/score"),
    "null": (text(an_event() | {"data": None}), 422, "invalid-field", "/data"),
    "free text where a code is due": (text(an_event(competency=f"{SECRET} did well")), 422, "invalid-field", "/data/competency"),
    "a lone surrogate": (with_raw("context", '"\\ud800"'), 422, "invalid-field", "/data/context"),
    "a lone surrogate in a name": (text(an_event())[:-1] + b',"\\udfff":1}', 422, "invalid-field", None),
    "a NUL in an identifier": (
        with_raw("student", '{"scheme":"sis","value":"1\\u0000"}'),
        422,
        "invalid-field",
        "/data/student/value",
    ),
    "a NUL in the id": (text(an_event("\x00")), 422, "invalid-field", "/id"),
    "too large": (text(an_event(context=SECRET * 6000)), 413, "event-too-large", None),
    "too deep": (nested(40), 422, "too-deep", None),
    "an unknown type": (text(an_event() | {"type": "cairn.evidence.graded.v1"}), 422, "unknown-type", "/type"),
    "an unknown version": (text(an_event() | {"type": "cairn.evidence.submitted.v2"}), 422, "unknown-type", "/type"),
    "a type that no publisher sends": (text(an_event() | {"type": "cairn.log.ticked.v1"}), 422, "unknown-type", "/type"),
    "outside the grant": (text(an_event() | {"type": "cairn.policy.published.v1"}), 403, "outside-grant", "/type"),
    "a foreign source": (text(an_event(source="geometry")), 403, "foreign-source", "/source"),
    "the log's own source": (text(an_event(source="cairn")), 403, "foreign-source", "/source"),
    "a student as the assessor": (text(an_event(assessor={"scheme": "sis", "value": "105"})), 422, "wrong-person", "/data"),
    "a teacher as the student": (text(an_event(student={"scheme": "sis", "value": "t1"})), 422, "wrong-person", "/data/student"),
    "a string": (b'"' + SECRET.encode() + b'"', 422, "not-an-event", None),
    "a number": (b"1", 422, "not-an-event", None),
}

# A body each that cannot be split into items. (bytes, content type, encoding, status, code)
JSON, LINES = "application/json", "application/x-ndjson"
BOMB = zlib.compressobj(9, zlib.DEFLATED, 31)
BOMBED = b"".join(BOMB.compress(b"[" * 2**20) for _ in range(64)) + BOMB.flush()
BODIES: dict[str, tuple[bytes, str, str | None, int, str]] = {
    "nothing": (b"", JSON, None, 400, "invalid-json"),
    "half an event": (text(an_event())[:-3], JSON, None, 400, "invalid-json"),
    "bad UTF-8": (text(an_event()).replace(b"MA.1", b"\xff\xfe"), JSON, None, 400, "invalid-utf-8"),
    "UTF-16": (json.dumps(an_event()).encode("utf-16"), JSON, None, 400, "invalid-utf-8"),
    "a byte order mark": (b"\xef\xbb\xbf" + text(an_event()), JSON, None, 400, "byte-order-mark"),
    "an empty array": (b"[]", JSON, None, 400, "no-events"),
    "empty lines": (b"\n\n", LINES, None, 400, "no-events"),
    "an object where a batch is due": (text(an_event()), "application/cloudevents-batch+json", None, 400, "not-a-batch"),
    "501 events": (b"[" + b",".join([b"{}"] * 501) + b"]", JSON, None, 413, "too-many-events"),
    "501 lines": (b"{}\n" * 501, LINES, None, 413, "too-many-events"),
    "brackets without end": (b"[" * 500_000, JSON, None, 400, "too-deep"),
    "a gzip bomb": (BOMBED, JSON, "gzip", 413, "request-too-large"),
    "two gzip members": (gzip.compress(b"{}") * 2, JSON, "gzip", 400, "invalid-gzip"),
    "half a gzip member": (gzip.compress(text(an_event()))[:-9], JSON, "gzip", 400, "invalid-gzip"),
    "no gzip": (text(an_event()), JSON, "gzip", 400, "invalid-gzip"),
    "an unknown encoding": (text(an_event()), JSON, "br", 415, "unsupported-encoding"),
}


@pytest.mark.parametrize("name", EVENTS)
async def test_a_hostile_event_is_refused_alone_in_a_batch_and_in_lines(gateway: Gateway, name: str) -> None:
    body, status, code, pointer = EVENTS[name]
    before = await gateway.counts()
    alone = await gateway.send(body)
    assert (alone.status_code, alone.headers["content-type"], alone.json()["code"]) == (status, PROBLEM_JSON, code), alone.text
    assert alone.json()["expected"]
    assert pointer is None or alone.json().get("pointer", "") == pointer  # absent: the whole
    good = text(an_event(f"good beside {name}"))
    batch = await gateway.send(b"[" + good + b"," + body + b"," + good + b"]")
    lines = await gateway.send(body + b"\n" + good, content_type=LINES)
    for answer, place in ((batch, 1), (lines, 0)):
        assert answer.status_code == 207
        assert answer.json()["results"][place]["problem"]["code"] == code
    assert [each["outcome"] for each in batch.json()["results"]] == ["accepted", "rejected", "duplicate"]
    assert SECRET not in alone.text + batch.text + lines.text
    after = await gateway.counts()
    assert [now - then for now, then in zip(after, before, strict=True)] == [6, 1, 2, 3, 0]


@pytest.mark.parametrize("name", BODIES)
async def test_a_hostile_body_is_refused_and_counted_once(gateway: Gateway, name: str) -> None:
    body, content_type, encoding, status, code = BODIES[name]
    before = await gateway.counts()
    answer = await gateway.send(body, content_type=content_type, encoding=encoding)
    assert (answer.status_code, answer.headers["content-type"], answer.json()["code"]) == (status, PROBLEM_JSON, code), answer.text
    assert answer.json()["expected"]
    after = await gateway.counts()
    assert [now - then for now, then in zip(after, before, strict=True)] == [1, 0, 0, 1, 0]


async def test_a_media_type_that_is_not_read_is_415_and_a_body_over_the_limit_413(gateway: Gateway) -> None:
    assert (await gateway.send(an_event(), content_type="text/csv")).status_code == 415
    assert (await gateway.send(b"x" * (2**20 + 1))).status_code == 413


async def test_a_body_without_end_is_cut_off(gateway: Gateway) -> None:
    async def forever() -> AsyncIterator[bytes]:
        while True:
            yield b"[" * 65536

    headers = {"authorization": f"Bearer {gateway.keys['algebra']}", "content-type": JSON}
    try:
        answer = await gateway.client.post("/v1/evidence", content=forever(), headers=headers)
    except httpx.TransportError:
        answer = None  # a caller that never stops sending may miss the answer
    assert answer is None or answer.status_code == 413
    assert (await gateway.send(an_event("after the endless"))).status_code == 201


STRANGERS = [None, "", "Bearer", "Bearer nonsense", "Basic YTpi", "Bearer cairn_" + "x" * 43, "Bearer cairn_\u00ff"]


@pytest.mark.parametrize("authorization", STRANGERS)
async def test_without_a_key_nothing_is_read(gateway: Gateway, authorization: str | None) -> None:
    headers = [(b"content-type", JSON.encode())]
    if authorization is not None:
        headers.append((b"authorization", authorization.encode("latin-1")))
    answer = await gateway.client.post("/v1/evidence", content=text(an_event()), headers=headers)
    assert (answer.status_code, answer.json()["code"], answer.headers["www-authenticate"]) == (401, "unauthorized", "Bearer")


async def test_what_is_no_http_at_all_and_a_caller_who_hangs_up_stop_nothing(gateway: Gateway) -> None:
    host, port = gateway.client.base_url.host, gateway.client.base_url.port
    head = f"POST /v1/evidence HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {gateway.keys['algebra']}\r\ncontent-type: {JSON}\r\n"
    for sent in (b"\x16\x03\x01\x02\x00", b"GET / HTTP/9.9\r\n\r\n", f"{head}content-length: 999\r\n\r\n{{".encode()):
        _, writer = await asyncio.open_connection(host, port)
        writer.write(sent)
        await writer.drain()
        writer.close()
        await writer.wait_closed()
    accepted = await gateway.send(an_event("after the hang-up"))
    assert accepted.status_code == 201


async def test_after_all_of_it_the_gateway_accepts_and_its_counters_add_up(gateway: Gateway) -> None:
    answer = await gateway.send(an_event("after it all"))
    assert answer.status_code == 201
    received, *outcomes = await gateway.counts()
    assert received == sum(outcomes)
