"""A file of rows, CSV or Parquet, read one row after the other: a file of any size fits in no memory.

Owns: encodings, cells as text, which rows have another form than the header says. Must not: repeat a cell in an error.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from services.chassis.errors import Rejected, Unavailable

# A cell is a code, a name or a date. A longer one is a broken file: an unclosed quote swallows the rest.
LONGEST_CELL = 64 * 1024
PARQUET_AT_ONCE = 1000


class Row(NamedTuple):
    """A row: its line (of Parquet: its number from 1) and its cells, stripped. `fault`: why it cannot be used as a row."""

    line: int
    cells: list[str]
    fault: str | None = None


class Table(Protocol):
    """A file's columns, about how many rows it has, and the rows after the first `skip`."""

    columns: tuple[str, ...]
    about: int

    def rows(self, skip: int) -> Iterator[Row]: ...


@dataclass(frozen=True, slots=True)
class Contents:
    """What a file was when it was read through once: SHA-256 of its bytes, and its lines."""

    digest: bytes
    lines: int


def look_through(path: Path) -> Contents:
    """Read the file once. Raises `Rejected` when it cannot be read."""
    found, lines = hashlib.sha256(), 0
    try:
        with path.open("rb") as file:
            while part := file.read(1 << 20):
                found.update(part)
                lines += part.count(b"\n")
    except OSError:
        raise Rejected("unreadable-file", f"a readable file at {path.name}") from None
    return Contents(found.digest(), lines)


def open_table(path: Path, about: int, *, delimiter: str, encoding: str) -> Table:
    """The file as a table: Parquet where its first bytes say so, else CSV."""
    with path.open("rb") as file:
        if file.read(4) == b"PAR1":
            return _Parquet(path)
    return _Csv(path, about, delimiter, "utf-8-sig" if encoding == "utf-8" else encoding)


class _Csv:
    def __init__(self, path: Path, lines: int, delimiter: str, encoding: str) -> None:
        self._path, self._delimiter, self._encoding = path, delimiter, encoding
        self.about = max(0, lines - 1)
        self.columns = _distinct(next((row.cells for row in self._read()), []))

    def rows(self, skip: int) -> Iterator[Row]:
        width = len(self.columns)
        for number, row in enumerate(self._read(), -1):  # the header is number -1
            if number >= skip:
                yield row if len(row.cells) == width else row._replace(fault=f"{width} cells, as the header has")

    def _read(self) -> Iterator[Row]:
        """All rows, the header among them; blank lines are none."""
        csv.field_size_limit(LONGEST_CELL)
        with self._path.open(encoding=self._encoding, newline="") as file:
            reader = csv.reader(file, delimiter=self._delimiter, strict=True)
            try:
                for cells in reader:
                    if any(cells):
                        yield Row(reader.line_num, [cell.strip() for cell in cells])
            except (csv.Error, UnicodeDecodeError):
                where = f"after line {reader.line_num}"
                raise Rejected("unreadable-file", f"CSV in {self._encoding} in {self._path.name} {where}") from None


class _Parquet:
    def __init__(self, path: Path) -> None:
        try:
            from pyarrow import ArrowInvalid, parquet  # noqa: PLC0415 - an extra: who imports CSV needs none of its 100 MB
        except ImportError:
            raise Unavailable("reading Parquet needs pyarrow: pip install 'cairn[files]'") from None
        try:
            self._file = parquet.ParquetFile(path)
        except (ArrowInvalid, OSError):
            raise Rejected("unreadable-file", f"a whole Parquet file at {path.name}") from None
        self.about = int(self._file.metadata.num_rows)
        self.columns = _distinct(list(self._file.schema_arrow.names))

    def rows(self, skip: int) -> Iterator[Row]:
        number = 0
        for batch in self._file.iter_batches(batch_size=PARQUET_AT_ONCE):
            columns = [column.to_pylist() for column in batch.columns]
            for cells in zip(*columns, strict=True):
                number += 1
                if number > skip:
                    yield Row(number, [_text(cell) for cell in cells])


def _text(cell: Any) -> str:
    """A typed cell as a CSV file would have it."""
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, date | datetime):
        return cell.isoformat()
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() else format(Decimal(repr(cell)), "f")
    return str(cell).strip()


def _distinct(columns: list[str]) -> tuple[str, ...]:
    if not columns or len(set(columns)) < len(columns) or not all(columns):
        raise Rejected("unreadable-file", "a first row that gives each column a name of its own")
    return tuple(columns)
