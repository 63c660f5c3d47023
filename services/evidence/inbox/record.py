"""A record of an inbox as items, and what is told about it. A record's value is what a request's body is over HTTP.

Must not: raise for what a stranger wrote; a record that cannot be read is one item that is refused.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import NamedTuple
from uuid import UUID

import orjson

from services.chassis import records
from services.chassis.errors import Rejected
from services.chassis.records import Message, Unreadable
from services.evidence import answers
from services.evidence.body import read_body
from services.evidence.domain import Told
from services.evidence.parse import Item, form_of, parse
from services.evidence.submit import Answer

CONTENT_TYPE, CONTENT_ENCODING = b"content-type", b"content-encoding"
UNTOLD = "application/json"  # of a record that does not say: one event or an array


class Read(NamedTuple):
    """A record's items, one at least. `offset` is its own."""

    offset: int
    items: list[Item]


async def read(record: Message | Unreadable) -> Read:
    """The items of a record, each to be admitted like one that came over HTTP."""
    if isinstance(record, Unreadable):
        return Read(record.offset, [Item(b"", fault=_unreadable(record.why))])
    try:
        return Read(record.offset, await _items(record))
    except Rejected as fault:
        return Read(record.offset, [Item(record.value or b"", fault=fault)])


def _unreadable(why: str) -> Rejected:
    match why:
        case records.TOO_LARGE:
            return Rejected("batch-too-large", f"a batch of records of at most {records.MAX_UNPACKED_BYTES} bytes, unpacked")
        case records.OLD_FORMAT:
            return Rejected("old-record-format", "records in format 2, as clients have written them since Kafka 0.11")
    return Rejected("corrupt-batch", "a batch of records that can be unpacked and read")


async def _items(record: Message) -> list[Item]:
    if record.value is None:
        raise Rejected("no-value", "a record with a value: one event, an array, or one a line")
    form = form_of(_text(record, CONTENT_TYPE) or UNTOLD)
    body = await read_body(_whole(record.value), _text(record, CONTENT_ENCODING))
    return parse(body, form).items


def _text(record: Message, name: bytes) -> str:
    return (record.header(name) or b"").decode("latin-1")  # any bytes are text in it; what it says is compared, never kept


async def _whole(value: bytes) -> AsyncIterator[bytes]:
    yield value


def tell(topic: UUID, partition: int, taken: Sequence[Read], found: Sequence[Answer]) -> list[Told]:
    """What became of each record: the results of its items, in order, as HTTP answers a batch."""
    told, of_items = [], iter(found)
    for record in taken:
        results = [answers.result(next(of_items)) for _ in record.items]
        place = {"topic": str(topic), "partition": partition, "offset": str(record.offset)}
        told.append(Told(record.offset, orjson.dumps(place | {"results": results})))
    return told
