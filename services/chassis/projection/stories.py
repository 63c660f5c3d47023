"""Students' stories in a view that keeps their evidence: what corrections need to know of it, and leave behind.

The view owns its table `pieces` (with at least `partition`, `student`, `assessors`) and what it folds; the rules are in
`contracts/records.py`. A view with stories adds `TABLES` to its own.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from contracts import records
from contracts.records import Note, Piece, Retraction
from services.chassis.postgres import Connection
from services.chassis.projection.reference import Version, World
from services.chassis.projection.view import Entry, Scope

T = TypeVar("T")

TABLES = Path(__file__).with_name("stories.sql").read_text(encoding="utf-8")

# The kind under which a view keeps an assessor's versions.
ASSESSOR = "assessor"

_NOTES = """
SELECT student, position, place, target, key, owner, joined, "left", revoked
FROM notes WHERE partition = $1 AND student = ANY($2::text[])
"""
_RETRACTIONS = """
SELECT student, position, place, target, whole, sequence, joined, "left"
FROM retractions WHERE partition = $1 AND student = ANY($2::text[]) ORDER BY student, position
"""
_KEYED = """
SELECT DISTINCT n.student FROM unnest($2::text[], $3::text[], $4::text[]) AS a (student, source, key)
JOIN notes AS n ON n.partition = $1 AND n.student = a.student AND n.key = a.key AND n.source = a.source
"""
_NOTE = """
INSERT INTO notes (partition, student, position, source, place, target, key, owner, joined, "left", revoked)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
ON CONFLICT (partition, student, position)
DO UPDATE SET joined = excluded.joined, "left" = excluded."left", revoked = excluded.revoked
"""
_RETRACTION = """
INSERT INTO retractions (partition, student, position, place, target, whole, sequence, joined, "left")
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (partition, student, position) DO UPDATE SET joined = excluded.joined, "left" = excluded."left"
"""
# One pass over the partition's evidence in all: each batch goes on where the one before ended.
_ASSESSED = """
SELECT DISTINCT student FROM pieces
WHERE partition = $1 AND student > $3 AND $2 = ANY(assessors)
ORDER BY student LIMIT $4
"""


# What is loaded.


async def linked(connection: Connection, partition: int, asked: Mapping[str, Sequence[Entry]]) -> set[str]:
    """The students to whom a piece comes under a key that is in their story already, or that comes twice."""
    entries = ((who, entry.event) for who, theirs in asked.items() for entry in theirs)
    keyed = [(who, event.source, event.sourcekey) for who, event in entries if event.sourcekey is not None]
    if not keyed:
        return set()
    twice = {who for (who, *_), times in Counter(keyed).items() if times > 1}
    rows = await connection.fetch(_KEYED, partition, *zip(*keyed, strict=True))
    return twice | {row["student"] for row in rows}


async def notes(connection: Connection, partition: int, subjects: Collection[str]) -> dict[str, dict[int, Note]]:
    """The notes of students' pieces, by student and position."""
    found: dict[str, dict[int, Note]] = {}
    for student, position, *note in await connection.fetch(_NOTES, partition, list(subjects)):
        found.setdefault(student, {})[position] = Note(*note)
    return found


async def retractions(connection: Connection, partition: int, subjects: Collection[str]) -> dict[str, tuple[Retraction, ...]]:
    """All retractions in students' stories, in order of position."""
    found: dict[str, list[Retraction]] = {}
    for student, *values in await connection.fetch(_RETRACTIONS, partition, list(subjects)):
        found.setdefault(student, []).append(Retraction(*values))
    return {student: tuple(theirs) for student, theirs in found.items()}


# What is saved.


@dataclass(frozen=True, slots=True)
class Telling:
    """A student's story before and after a transaction: all that was known stands where it stood, what is new after that."""

    student: str
    pieces: tuple[Sequence[Piece], Sequence[Piece]]
    retractions: tuple[Sequence[Retraction], Sequence[Retraction]]


async def save(connection: Connection, partition: int, tellings: Iterable[Telling]) -> None:
    """Write the notes and retractions that are new or were changed."""
    noted, retracted = [], []
    for each in tellings:
        told = (piece for piece in _told(*each.pieces) if piece.note is not None)
        noted += [(partition, each.student, piece.position, piece.source, *records.note_of(piece)) for piece in told]
        retracted += [(partition, each.student, *retraction) for retraction in _told(*each.retractions)]
    if noted:
        await connection.executemany(_NOTE, noted)
    if retracted:
        await connection.executemany(_RETRACTION, retracted)


def _told(before: Sequence[T], after: Sequence[T]) -> Iterator[T]:
    known = len(before)
    if known and before is not after:
        yield from (new for old, new in zip(before, after, strict=False) if new is not old)
    yield from after[known:]


# Assessors.


def revoked(world: World, assessor: str | None, time: dt.datetime) -> int | None:
    """The position of what revokes an assessor's judgement of a time, if anything does."""
    version = world.get(ASSESSOR, assessor) if assessor is not None else None
    return version.position if version is not None and records.revokes(version.data, time) else None


def moved_by(version: Version) -> Scope | None:
    """Whose story an assessor's standing changes: whoever she assessed."""
    return {ASSESSOR: version.id} if version.kind == ASSESSOR else None


async def assessed(connection: Connection, partition: int, scope: Scope, after: str, limit: int) -> list[str]:
    """The next students above `after` of whom the scope's assessor gave evidence, whoever they are now."""
    rows = await connection.fetch(_ASSESSED, partition, scope[ASSESSOR], after, limit)
    return [row["student"] for row in rows]
