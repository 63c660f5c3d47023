"""From a request's bytes to its items, each with the bytes it came in.

Owns: JSON read strictly (RFC 8259 in UTF-8, no duplicate names, no NaN, numbers exact and of sensible length, bounded depth),
arrays and lines split so that one bad item does not spoil the others. Must not: know what an event is.
A body that cannot be split into items raises `Rejected`; a bad item carries its own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal, NamedTuple

from services.chassis.errors import Rejected

MAX_EVENT_BYTES = 32 * 1024
MAX_EVENTS = 500
# An event needs 5. Beyond, the cost of a parse grows with what somebody else chose.
MAX_DEPTH = 32
# Digits, sign, point and exponent of a number. Below the 28 digits to which decimals are exact.
MAX_NUMERAL = 24

Form = Literal["event", "batch", "either", "lines"]
FORMS: dict[str, Form] = {
    "application/cloudevents+json": "event",
    "application/cloudevents-batch+json": "batch",
    "application/json": "either",
    "application/x-ndjson": "lines",
}

_SPACE = re.compile(r"[ \t\n\r]*")
_BYTE_ORDER_MARK = "\ufeff"


class Item(NamedTuple):
    """One item as sent: its JSON value, or why it has none. `text` is a slice of the body (bytes where it is not UTF-8)."""

    text: str | bytes
    value: Any = None
    fault: Rejected | None = None

    @property
    def payload(self) -> bytes:
        """The item's bytes as they came."""
        return self.text if isinstance(self.text, bytes) else self.text.encode()


@dataclass(frozen=True, slots=True)
class Items:
    """The items of a request in order. `single`: the body was one event, and the answer is about it alone."""

    items: list[Item]
    single: bool


def form_of(content_type: str) -> Form:
    """How a body of this content type is read. Raises `Rejected` (415) for any other."""
    media, _, parameters = content_type.partition(";")
    form = FORMS.get(media.strip().lower())
    charset = parameters.replace(" ", "").replace('"', "").lower().partition("charset=")[2] or "utf-8"
    if form is None or charset != "utf-8":
        raise Rejected("unsupported-media-type", f"one of {', '.join(FORMS)} in UTF-8", status=415)
    return form


def parse(body: bytes, form: Form) -> Items:
    """The items of a body. Raises `Rejected` for one that is not JSON, empty, or of too many items."""
    if form == "lines":
        return Items(_bounded(_lines(body)), single=False)
    text = _text(body)
    start = _after_space(text, 0)
    array = text[start : start + 1] == "["
    if form == "batch" and not array:
        raise Rejected("not-a-batch", "a JSON array of events", status=400)
    if array and form != "event":
        return Items(_bounded(_array(text, start)), single=False)
    item, end = _item(text, start)
    if _after_space(text, end) != len(text):
        raise Rejected("invalid-json", "nothing after the event's closing brace", status=400)
    return Items([item], single=True)


def _bounded(found: Iterator[Item]) -> list[Item]:
    items: list[Item] = []
    for item in found:
        if len(items) == MAX_EVENTS:
            raise Rejected("too-many-events", f"at most {MAX_EVENTS} events a request", status=413)
        items.append(item)
    if not items:
        raise Rejected("no-events", "at least one event", status=400)
    return items


def _text(body: bytes) -> str:
    try:
        text = body.decode()
    except UnicodeDecodeError:
        raise Rejected("invalid-utf-8", "UTF-8", status=400) from None
    if text.startswith(_BYTE_ORDER_MARK):
        raise Rejected("byte-order-mark", "UTF-8 without a byte order mark", status=400)
    return text


def _lines(body: bytes) -> Iterator[Item]:
    for line in body.split(b"\n"):
        if line.strip():
            yield _line(line)


def _line(line: bytes) -> Item:
    try:
        text = _text(line)
        item, end = _item(text, _after_space(text, 0))
        if _after_space(text, end) != len(text):
            raise Rejected("invalid-json", "one JSON object a line", status=400)
    except Rejected as fault:
        return Item(line, fault=fault)
    return item


def _array(text: str, start: int) -> Iterator[Item]:
    at = _after_space(text, start + 1)
    while text[at : at + 1] != "]":
        item, at = _item(text, at)
        yield item
        at = _after_space(text, at)
        if text[at : at + 1] == ",":
            at = _after_space(text, at + 1)
            if text[at : at + 1] != "]":
                continue
        elif text[at : at + 1] == "]":
            break
        raise Rejected("invalid-json", "a comma between events and a closing bracket", status=400)
    if _after_space(text, at + 1) != len(text):
        raise Rejected("invalid-json", "nothing after the closing bracket", status=400)


def _item(text: str, start: int) -> tuple[Item, int]:
    """The item that starts at `start`, and where it ends. A fault inside it is the item's; unreadable JSON is the body's."""
    try:
        value, end = _strict(text, start)
    except Rejected as fault:
        end = _end_of(text, start)
        return Item(text[start:end], fault=fault), end
    except json.JSONDecodeError:
        raise Rejected("invalid-json", "valid JSON", status=400) from None
    except RecursionError:
        raise _too_deep(status=400) from None
    raw = text[start:end]
    return Item(raw, value, _limits(raw)), end


def _end_of(text: str, start: int) -> int:
    """Where a faulty item ends, reading it without the rules that it broke."""
    try:
        return _lenient(text, start)[1]
    except json.JSONDecodeError:
        raise Rejected("invalid-json", "valid JSON", status=400) from None
    except RecursionError:
        raise _too_deep(status=400) from None


def _limits(raw: str) -> Rejected | None:
    if len(raw) > MAX_EVENT_BYTES or (not raw.isascii() and len(raw.encode()) > MAX_EVENT_BYTES):
        return Rejected("event-too-large", f"at most {MAX_EVENT_BYTES} bytes an event", status=413)
    if raw.count("{") + raw.count("[") > MAX_DEPTH and _depth(raw) > MAX_DEPTH:
        return _too_deep()
    return None


def _depth(raw: str) -> int:
    """How deep an item's brackets nest; `raw` is valid JSON, so those outside of strings match."""
    depth = deepest = 0
    for mark in _MARKS.findall(raw):
        if mark in "{[":
            depth += 1
            deepest = max(deepest, depth)
        elif mark in "}]":
            depth -= 1
    return deepest


# A whole string (its brackets don't count) or a bracket.
_MARKS = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]]')


def _too_deep(status: int = 422) -> Rejected:
    return Rejected("too-deep", f"nesting of at most {MAX_DEPTH}", status=status)


def _after_space(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    assert match is not None  # it matches nothing, too
    return match.end()


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise Rejected("duplicate-name", "each name once in an object")
    return value


def _number(read: Callable[[str], Any]) -> Callable[[str], Any]:
    def number(numeral: str) -> Any:
        if len(numeral) > MAX_NUMERAL:
            raise Rejected("number-too-long", f"numbers of at most {MAX_NUMERAL} characters")
        try:
            return read(numeral)
        except ArithmeticError:  # an exponent beyond what decimals have
            raise Rejected("number-too-large", "numbers of a sensible size") from None

    return number


def _constant(name: str) -> Any:
    raise Rejected("not-a-number", "numbers that JSON has: neither NaN nor Infinity")


_strict = json.JSONDecoder(
    object_pairs_hook=_object, parse_float=_number(Decimal), parse_int=_number(int), parse_constant=_constant
).raw_decode
_lenient = json.JSONDecoder(parse_float=len, parse_int=len).raw_decode
