"""A request's bytes become items, or a refusal; one bad item spoils no other."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.chassis.errors import Rejected
from services.evidence.parse import FORMS, MAX_DEPTH, MAX_EVENT_BYTES, MAX_EVENTS, Form, form_of, parse

LIST = b"[" * 20_000
DEEP = b'{"a":' * (MAX_DEPTH + 1) + b"1" + b"}" * (MAX_DEPTH + 1)


def faults(body: bytes, form: Form = "either") -> list[str | None]:
    return [item.fault.code if item.fault else None for item in parse(body, form).items]


@pytest.mark.parametrize(
    ("body", "code", "status"),
    [
        (b"", "invalid-json", 400),
        (b"  ", "invalid-json", 400),
        (b"nul", "invalid-json", 400),
        (b'{"a"', "invalid-json", 400),
        (b"{} {}", "invalid-json", 400),
        (b"[{}", "invalid-json", 400),
        (b"[{},]", "invalid-json", 400),
        (b"[{} {}]", "invalid-json", 400),
        (b"[,]", "invalid-json", 400),
        (b"[{}]{}", "invalid-json", 400),
        (b"[]", "no-events", 400),
        (b"{\xff}", "invalid-utf-8", 400),
        (b"\xef\xbb\xbf{}", "byte-order-mark", 400),
        ("{}".encode("utf-16"), "invalid-utf-8", 400),
        (LIST, "too-deep", 400),
        (b'{"a":' * 20_000, "too-deep", 400),
        (b"[" + b",".join([b"{}"] * (MAX_EVENTS + 1)) + b"]", "too-many-events", 413),
    ],
)
def test_a_body_that_cannot_be_split_is_refused(body: bytes, code: str, status: int) -> None:
    with pytest.raises(Rejected) as refused:
        parse(body, "either")
    assert (refused.value.code, refused.value.status) == (code, status)


@pytest.mark.parametrize(
    ("item", "code"),
    [
        (b'{"a":1,"a":2}', "duplicate-name"),
        (b'{"x":{"a":1,"a":1}}', "duplicate-name"),
        (b'{"a":NaN}', "not-a-number"),
        (b'{"a":-Infinity}', "not-a-number"),
        (b'{"a":1e99999999999999999999}', "number-too-large"),
        (b'{"a":' + b"9" * 5000 + b"}", "number-too-long"),
        (b'{"a":0.' + b"1" * 30 + b"}", "number-too-long"),
        (DEEP, "too-deep"),
        (b'{"a":"' + b"x" * MAX_EVENT_BYTES + b'"}', "event-too-large"),
        (b'{"a":"' + "é".encode() * (MAX_EVENT_BYTES // 2) + b'"}', "event-too-large"),
    ],
)
def test_a_fault_inside_an_item_is_that_items_alone(item: bytes, code: str) -> None:
    assert faults(item) == [code]
    assert faults(b"[{}, " + item + b" ,{}]") == [None, code, None]
    assert faults(b"{}\n" + item + b"\r\n\n{}", "lines") == [None, code, None]
    assert parse(b"[" + item + b"]", "batch").items[0].payload == item


def test_a_line_that_is_no_json_spoils_no_other() -> None:
    body = b'{}\n{"a"\n\xff\n\xef\xbb\xbf{}\n{} {}\n1\n'
    assert faults(body, "lines") == [None, "invalid-json", "invalid-utf-8", "byte-order-mark", "invalid-json", None]


def test_the_content_type_says_what_is_read() -> None:
    assert form_of("Application/JSON; charset=utf-8") == "either"
    assert parse(b"[{}]", "event").items[0].value == [{}]  # one item, which no check will take for an event
    with pytest.raises(Rejected, match="not-a-batch"):
        parse(b"{}", "batch")
    for content_type in ("", "text/json", "application/json; charset=latin-1"):
        with pytest.raises(Rejected) as refused:
            form_of(content_type)
        assert refused.value.status == 415


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner, max_size=4),
    max_leaves=20,
)


@given(st.lists(JSON, min_size=1, max_size=8), st.booleans())
def test_items_are_what_was_sent_and_payloads_are_their_bytes(values: list[Any], escaped: bool) -> None:
    texts = [json.dumps(value, ensure_ascii=escaped, indent=2).encode() for value in values]
    items = parse(b" [\n" + b" ,\t".join(texts) + b"\r\n] ", "batch").items
    assert [item.value for item in items] == values
    assert [item.payload for item in items] == texts
    lines = b"\n".join(json.dumps(value, ensure_ascii=escaped).encode() for value in values)
    assert [item.value for item in parse(lines, "lines").items] == values


@given(st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-(10**9), max_value=10**9))
def test_numbers_are_exact(number: Decimal) -> None:
    assert parse(f'{{"n":{number}}}'.encode(), "event").items[0].value["n"] == number


@given(st.binary(max_size=200), st.sampled_from(sorted(FORMS.values())))
def test_any_bytes_are_read_or_refused(body: bytes, form: Form) -> None:
    try:
        items = parse(body, form).items
    except Rejected as refused:
        assert 400 <= refused.status < 500
    else:
        assert items
