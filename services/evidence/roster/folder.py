"""A OneRoster folder or ZIP file, read row by row.

Owns: encodings, line numbers, which rows are unusable and why. Must not: repeat a cell's content: rows are about people.
"""

from __future__ import annotations

import csv
import hashlib
import io
import lzma
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TextIO

from services.chassis.errors import Rejected

REQUIRED = ("orgs", "academicSessions", "classes", "users", "enrollments")
# A cell of a roster is a name, a code or a list of codes. A longer one is a broken file (an unclosed quote swallows the rest).
LONGEST_CELL = 64 * 1024


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row, or a part of one, that was not taken. `reason` says what was expected, never what was there."""

    file: str
    line: int
    reason: str


class BadCell(ValueError):  # noqa: N818 - named for what it found
    """A row cannot be used; the message is the reason."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row: its line and its cells, stripped. `cells[column]` of a column that the file does not have is a KeyError."""

    line: int
    cells: Mapping[str, str]

    def get(self, column: str) -> str:
        """The cell, empty where the file has no such column."""
        return self.cells.get(column, "")

    def need(self, column: str) -> str:
        """The cell. Raises `BadCell` when it is empty."""
        if not (value := self.get(column)):
            raise BadCell(f"expected {column}")
        return value

    def list(self, column: str) -> list[str]:
        """The cell's comma-separated values."""
        return [part.strip() for part in self.get(column).split(",") if part.strip()]


# What reading a file raises when it is no ZIP file, is cut off or corrupt, encrypted, or packed in a way that we cannot undo.
_UNREADABLE = (OSError, EOFError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, RuntimeError)


@contextmanager
def _readable(name: str) -> Iterator[None]:
    """Turn a file that cannot be read into `Rejected`."""
    try:
        yield
    except _UNREADABLE:
        raise Rejected("unreadable-roster", f"a folder or a whole, unencrypted ZIP file, readable, at {name}") from None


def _sha256(file: IO[bytes]) -> bytes:
    found = hashlib.sha256()
    while part := file.read(1 << 20):
        found.update(part)
    return found.digest()


class RosterFolder:
    """The files of a OneRoster bulk export, in a folder or a ZIP file."""

    def __init__(self, path: Path) -> None:
        if not path.exists():
            raise Rejected("no-roster", "a folder or a ZIP file that is there")
        with _readable(path.name):
            self._zip = zipfile.ZipFile(path) if path.is_file() else None
        self._folder = path
        self._members = self._inside() if self._zip else {}
        missing = [f"{name}.csv" for name in REQUIRED if not self.has(f"{name}.csv")]
        if missing:
            raise Rejected("incomplete-roster", f"the files {', '.join(missing)}")
        self._refuse_deltas()

    def _inside(self) -> dict[str, str]:
        """The ZIP's members by their file names; exports may lie in one folder inside."""
        assert self._zip is not None
        return {name.rpartition("/")[2]: name for name in self._zip.namelist() if not name.endswith("/")}

    def has(self, name: str) -> bool:
        """Whether there is a file of this name."""
        return name in self._members if self._zip else (self._folder / name).is_file()

    @contextmanager
    def open(self, name: str) -> Iterator[TextIO]:
        """The file as text; a byte order mark is skipped, as spreadsheets write one. `Rejected` where it cannot be read."""
        with _readable(name), self._binary(name) as file:
            yield io.TextIOWrapper(file, encoding="utf-8-sig", newline="")

    def _binary(self, name: str) -> IO[bytes]:
        return self._zip.open(self._members[name]) if self._zip else (self._folder / name).open("rb")

    def digest(self) -> bytes:
        """SHA-256 over names and contents of its CSV and JSON files: the same for the same export, in a folder or a ZIP file."""
        names = list(self._members) if self._zip else [path.name for path in self._folder.iterdir() if path.is_file()]
        whole = hashlib.sha256()
        for name in sorted(name for name in names if name.endswith((".csv", ".json"))):
            with _readable(name), self._binary(name) as file:
                whole.update(name.encode() + b"\0" + _sha256(file))
        return whole.digest()

    def rows(self, name: str) -> Iterator[Row]:
        """The rows of `name`.csv that are in force; none when the file is absent. Raises `Rejected` for a file that is no CSV."""
        if not self.has(f"{name}.csv"):
            return
        csv.field_size_limit(LONGEST_CELL)
        with self.open(f"{name}.csv") as file:
            reader = csv.DictReader(file)
            try:
                for cells in reader:
                    row = Row(reader.line_num, {key: (value or "").strip() for key, value in cells.items() if isinstance(key, str)})
                    if row.get("status").lower() != "tobedeleted":
                        yield row
            except (csv.Error, UnicodeDecodeError):
                raise Rejected("unreadable-roster", f"CSV in UTF-8 in {name}.csv after line {reader.line_num}") from None

    def _refuse_deltas(self) -> None:
        """A delta says what changed since an export that we have not seen. Only the whole state can be compared."""
        for row in self.rows("manifest"):
            if row.get("propertyName").startswith("file.") and row.get("value").lower() == "delta":
                raise Rejected("delta-roster", "a bulk export: every file `bulk` or `absent` in manifest.csv")

    def close(self) -> None:
        """Close the ZIP file."""
        if self._zip:
            self._zip.close()
