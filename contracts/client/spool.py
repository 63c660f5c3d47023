"""The spool: events on their way, in a file that survives the process, even `kill -9` and a loss of power.

An event is written before `submit` returns, and leaves in the transaction that records what the gateway said of it. Dying
between the two sends it again, which the gateway knows as a duplicate. SQLite does the hard part.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from threading import RLock
from typing import Any, NamedTuple

# A file for this process alone: two that send from one spool would do every piece of work twice.
_TABLES = """
PRAGMA locking_mode = EXCLUSIVE;
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS waiting (number INTEGER PRIMARY KEY AUTOINCREMENT, body BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS refused (number INTEGER PRIMARY KEY, body BLOB NOT NULL, problem TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS totals (outcome TEXT PRIMARY KEY, count INTEGER NOT NULL);
COMMIT;
"""
_ADD = "INSERT INTO totals VALUES (?, ?) ON CONFLICT (outcome) DO UPDATE SET count = count + excluded.count"


class SpoolInUse(Exception):  # noqa: N818 - a state, which ends when the other process does
    """Another process has this spool open."""


class Spooled(NamedTuple):
    """An event that waits: its number in the spool, ascending in the order of submission, and its JSON."""

    number: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Refused:
    """An event that the gateway refused. It stays in the spool until `forget_refused`: mend it and submit it again."""

    event: dict[str, Any]
    code: str
    pointer: str
    expected: str
    docs: str


class Spool:
    """The spool in the file at `path`; None keeps it in memory, where it dies with the process. Any thread may use it."""

    def __init__(self, path: str | os.PathLike[str] | None) -> None:
        if path is not None:
            Path(path).touch(mode=0o600)  # it holds identifiers of students: nobody else's to read
        self._lock = RLock()
        self._file = sqlite3.connect(":memory:" if path is None else path, timeout=0, check_same_thread=False, isolation_level=None)
        try:
            self._file.executescript(_TABLES)
        except sqlite3.OperationalError as error:
            self._file.close()
            if error.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                raise
            raise SpoolInUse(f"{path} is open in another process") from None

    def close(self) -> None:
        """Close the file; what waits, waits on."""
        with self._lock:
            self._file.close()

    def put(self, events: Iterable[dict[str, Any]]) -> None:
        """Keep events, all or none of them; on disk once this returns. ValueError for what is no JSON."""
        bodies = [(json.dumps(event, allow_nan=False, separators=(",", ":")).encode(),) for event in events]
        with self._lock, self._transaction():
            self._file.executemany("INSERT INTO waiting (body) VALUES (?)", bodies)

    def waiting(self) -> int:
        """How many events wait."""
        with self._lock:
            [(count,)] = self._file.execute("SELECT count(*) FROM waiting")
        return int(count)

    def oldest(self, events: int, size: int) -> list[Spooled]:
        """The oldest that wait: at most so many events and bytes, but one at least if there is any."""
        batch: list[Spooled] = []
        with self._lock, closing(self._file.execute("SELECT number, body FROM waiting ORDER BY number LIMIT ?", (events,))) as rows:
            for number, body in rows:
                size -= len(body) + 1
                if batch and size < 0:
                    break
                batch.append(Spooled(number, body))
        return batch

    def settle(self, batch: Sequence[Spooled], results: Sequence[dict[str, Any]]) -> None:
        """Take a batch out of what waits, count each event's outcome, and keep what was refused with its problem."""
        outcomes = [str(result["outcome"]) for result in results]
        refused = [
            (event.number, event.body, json.dumps(result.get("problem", {})))
            for event, result in zip(batch, results, strict=True)
            if result["outcome"] == "rejected"
        ]
        with self._lock, self._transaction():
            self._file.executemany("DELETE FROM waiting WHERE number = ?", [(event.number,) for event in batch])
            self._file.executemany("INSERT INTO refused VALUES (?, ?, ?)", refused)
            self._file.executemany(_ADD, [(outcome, outcomes.count(outcome)) for outcome in sorted(set(outcomes))])

    def refused(self) -> list[Refused]:
        """What was refused and not forgotten, in the order of submission."""
        with self._lock:
            rows = self._file.execute("SELECT body, problem FROM refused ORDER BY number").fetchall()
        return [_refused(json.loads(body), json.loads(problem)) for body, problem in rows]

    def forget_refused(self) -> None:
        """Let go of what was refused."""
        with self._lock:
            self._file.execute("DELETE FROM refused")

    def totals(self) -> dict[str, int]:
        """How many events had each outcome, over the life of the file."""
        with self._lock:
            return dict(self._file.execute("SELECT outcome, count FROM totals"))

    def _transaction(self) -> _Transaction:
        return _Transaction(self._file)


class _Transaction:
    """All or nothing, and on disk at the end."""

    def __init__(self, file: sqlite3.Connection) -> None:
        self._file = file

    def __enter__(self) -> None:
        self._file.execute("BEGIN")

    def __exit__(self, kind: object, *_: object) -> None:
        self._file.execute("COMMIT" if kind is None else "ROLLBACK")


def _refused(event: dict[str, Any], problem: dict[str, Any]) -> Refused:
    told = {name: str(problem.get(name, "")) for name in ("code", "pointer", "expected", "docs")}
    return Refused(event, **told)
