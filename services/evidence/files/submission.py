"""A row becomes a submission, as an app would have sent it: the same bytes come out of the log, whichever door it came through.

Owns: natural keys, and ids made of publisher, natural key and content. Both are keyed hashes, because a natural key often holds
what the vault alone may know. Must not: validate what the door validates.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from datetime import time, tzinfo
from typing import Any, NamedTuple

import orjson

from services.chassis.errors import Rejected
from services.evidence.admit import hashed
from services.evidence.files import cells
from services.evidence.files.cells import BadCell
from services.evidence.files.mapping import GIVEN, Map, Told
from services.evidence.files.table import Row
from services.evidence.parse import Item, parse

# Of 32 bytes: two of a publisher's records meet by chance once in 2**64.
KEY_BYTES = 16


class Record(NamedTuple):
    """A row that could be read: its natural key, the digest of its content, and the submission but for its id."""

    key: bytes
    content: bytes
    said: dict[str, Any]


@dataclass(frozen=True)
class Reading:
    """How rows of one file are read. `sameness` is `keyed` with the vault's key; `zone` is that of dates without one."""

    map: Map
    columns: tuple[str, ...]
    zone: tzinfo
    sameness: hmac.HMAC

    def key(self, row: Row) -> bytes | None:
        """The natural key of a row; None where it has none."""
        told = {} if row.fault is not None else self._told(row)
        parts = [told.get(column, "") for column in self.map.key]
        return self._hash("natural key", *parts) if any(parts) else None

    def record(self, row: Row) -> Record:
        """The record in a row. Raises `Rejected` for cells that cannot be read."""
        if row.fault is not None:
            raise Rejected("invalid-row", row.fault)
        told, map_ = self._told(row), self.map
        if (key := self.key(row)) is None:
            raise Rejected("no-natural-key", f"something in the columns {', '.join(map_.key)}", pointer="/sourcekey")
        said = {
            "specversion": "1.0",
            "source": map_.source or map_.publisher,
            "type": map_.type,
            "time": self._value(map_.time, told, "/time", cells.INSTANT),
            "sourcekey": key.hex(),
            "data": self._data(told),
        }
        said = {name: value for name, value in said.items() if value is not None}
        return Record(key, self._hash("content", orjson.dumps(said, option=orjson.OPT_SORT_KEYS).decode()), said)

    def _told(self, row: Row) -> dict[str, str]:
        return dict(zip(self.columns, row.cells, strict=True))

    def _data(self, told: dict[str, str]) -> dict[str, Any]:
        data: dict[str, Any] = {}
        for name, field in self.map.fields.items():
            value = self._value(field, told, f"/data/{name}", cells.FORMS.get(name, ""))
            if value is not None:
                data[name] = value
        if self.map.history:
            data |= dict.fromkeys(GIVEN, "migrated")
        return data

    def _value(self, field: Told, told: dict[str, str], pointer: str, form: str) -> Any:
        """The field's JSON value; None where the cell is empty, so that the field is left out."""
        if field.column is None:
            value = field.value
        elif not (text := told[field.column]):
            return None
        elif field.values is not None and text not in field.values:
            expected = f"one of the map's values in the column {field.column}"
            raise Rejected("unmapped-value", expected, pointer=pointer)
        else:
            value = field.values[text] if field.values is not None else text
        try:
            return self._formed(value, field, form)
        except BadCell as bad:
            raise Rejected("invalid-cell", bad.expected, pointer=pointer) from None

    def _formed(self, value: cells.Scalar | None, field: Told, form: str) -> Any:
        column = field.column or "the map"
        if form == cells.NUMBER:
            return cells.number(value, column) if isinstance(value, str) else value
        text = str(value)
        if form == cells.PERSON:
            return {"scheme": field.scheme, "value": text}
        if form == cells.INSTANT:
            at = time.fromisoformat(self.map.at)
            return cells.instant(text, column, format=field.format, zone=self.zone, at=at)
        return cells.parts(text) if form == cells.LIST else text

    def item(self, record: Record, turn: int) -> Item:
        """The submission as the door takes it. `turn`: how often the record's content changed before."""
        id = self._hash("id", record.key.hex(), record.content.hex(), str(turn)).hex()
        body = orjson.dumps({"specversion": "1.0", "id": id, **record.said})
        return parse(body, "event").items[0]

    def _hash(self, *parts: str) -> bytes:
        """16 bytes of an HMAC over the publisher and these parts, which cannot run into each other."""
        return hashed(self.sameness, orjson.dumps(["file", self.map.publisher, *parts]))[:KEY_BYTES]


def unreadable(row: Row, fault: Rejected) -> Item:
    """The row as an item that is refused: counted and kept like anything else that a publisher sent."""
    return Item(orjson.dumps(row.cells).decode(), fault=fault)
