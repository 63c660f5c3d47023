"""What is kept of students' evidence, so that a correction finds it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from itertools import starmap

from services.chassis.postgres import Connection
from services.chassis.projection import stories
from services.chassis.projection.view import Change
from services.reporting.domain import Piece, Student

# Pieces in a row: few enough that a row stays in its page.
PACK = 64

_COLUMNS = (*("positions", "frameworks", "competencies", "times", "sources", "ids", "sequences", "kinds", "assessors"),)

Row = tuple[object, ...]


async def load(connection: Connection, partition: int, subjects: Collection[str]) -> dict[str, tuple[Piece, ...]]:
    """All evidence of students, in order of position, each piece with its note."""
    rows = await connection.fetch(
        f"SELECT student, {', '.join(_COLUMNS)} FROM pieces WHERE partition = $1 AND student = ANY($2::text[])"
        " ORDER BY student, first",
        partition,
        list(subjects),
    )
    notes = await stories.notes(connection, partition, subjects) if rows else {}
    found: dict[str, list[Piece]] = {}
    for student, *columns in rows:
        theirs = notes.get(student, {})
        pieces = starmap(Piece, zip(*columns, strict=True))
        found.setdefault(student, []).extend(piece._replace(note=theirs.get(piece.position)) for piece in pieces)
    return {student: tuple(pieces) for student, pieces in found.items()}


async def save(connection: Connection, partition: int, changes: Sequence[Change[Student]]) -> None:
    """Add rows for the evidence that came, and what corrections left behind."""
    rows = [
        (partition, change.subject, *pack) for change in changes for pack in _packs(change.after.story[len(change.before.story) :])
    ]
    if rows:
        columns = ("partition", "student", "first", *_COLUMNS)
        await connection.copy_records_to_table("pieces", records=rows, columns=columns)
    tellings = (
        stories.Telling(each.subject, (each.before.story, each.after.story), (each.before.retractions, each.after.retractions))
        for each in changes
    )
    await stories.save(connection, partition, tellings)


def _packs(pieces: Sequence[Piece]) -> Iterator[Row]:
    for start in range(0, len(pieces), PACK):
        pack = [piece[:-1] for piece in pieces[start : start + PACK]]
        yield (pack[0][0], *zip(*pack, strict=True))
