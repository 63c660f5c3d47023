"""`FILE.rejects.csv`: the rows that were refused, with their own columns and the reason, beside the operator's own file.

It holds what the file holds, so only its owner may read it. Must not: be written anywhere else, or be logged.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from services.chassis.errors import Rejected
from services.evidence.files.table import Row

LINE, REASON = "cairn.line", "cairn.reason"


def rejects_path(file: Path, *, dry_run: bool = False) -> Path:
    """Where the refused rows of `file` are written. A dry run's own, so that an import that was stopped can go on after it."""
    return file.with_name(f"{file.name}{'.dry-run' if dry_run else ''}.rejects.csv")


class Rejects:
    """Refused rows, appended. `keep` bytes of an earlier run's file stay: those of rows that need not be gone through again."""

    def __init__(self, path: Path, columns: Sequence[str], keep: int = 0) -> None:
        self.path = path
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        os.ftruncate(descriptor, min(keep, os.fstat(descriptor).st_size))
        self._file = os.fdopen(descriptor, "r+", encoding="utf-8", newline="")
        self._file.seek(0, os.SEEK_END)
        self._writer = csv.writer(self._file)
        if not self._file.tell():
            self._writer.writerow([*columns, LINE, REASON])

    def add(self, row: Row, rejected: Rejected) -> None:
        """A row and why it was refused."""
        self._writer.writerow([*row.cells, row.line, str(rejected)])

    def settle(self) -> int:
        """Make what was added durable; the file's length in bytes."""
        self._file.flush()
        os.fsync(self._file.fileno())
        return self._file.tell()

    def leave(self, wanted: bool) -> Path | None:
        """Where the file is, if there is anything in it. An empty one is removed."""
        if not wanted:
            self.path.unlink()
        return self.path if wanted else None

    def __enter__(self) -> Rejects:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._file.close()
