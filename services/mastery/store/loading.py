"""Students as the fold needs them: only what the events to come will touch, or the whole of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import starmap
from operator import itemgetter
from typing import Any

import asyncpg

from contracts.records import Retraction
from services.chassis.postgres import Connection
from services.chassis.projection import stories
from services.mastery.domain import Chapter, Enrolment, Programme, Student
from services.mastery.policies import Tally
from services.mastery.standings import Key, Piece, Standing
from services.mastery.store import names

_CHAPTER = """student, position, school, enrolled, grade, cohort, classes, since,
       programmes, programme_levels, programme_since, programme_until, merged_into"""
_PERSON = f"{_CHAPTER}, chapter"
_STANDINGS = "keys, levels, points, previous, reasons, rules, counted, tally_x, tally_y, last"
_of_standings = itemgetter(*_STANDINGS.split(", "))

# One element of each array, at the competency's place in this student's row.
_ASKED = """
SELECT s.student, a.framework, a.competency, s.levels[i.n], s.points[i.n], s.previous[i.n], s.reasons[i.n], s.rules[i.n],
       p.policy, p.version, s.counted[i.n], s.tally_x[i.n], s.tally_y[i.n], s.last[i.n]
FROM unnest($2::text[], $3::text[], $4::text[]) AS a (student, framework, competency)
JOIN competencies AS c ON c.partition = $1 AND c.framework = a.framework AND c.competency = a.competency
JOIN students AS s ON s.partition = $1 AND s.student = a.student
CROSS JOIN LATERAL (SELECT array_position(s.keys, c.key)) AS i (n)
LEFT JOIN policies AS p ON p.position = s.rules[i.n]
WHERE i.n IS NOT NULL
"""

_PIECES = """
SELECT student, positions, keys, times, sources, ids, sequences, scores, scales, kinds, assessors, contexts, attempts
FROM pieces WHERE partition = $1 AND student = ANY($2::text[]) ORDER BY student, first
"""


async def persons(connection: Connection, partition: int, subjects: Collection[str]) -> dict[str, Student]:
    """The students among these that exist, without their standings and pieces."""
    rows = await connection.fetch(
        f"SELECT {_PERSON} FROM students WHERE partition = $1 AND student = ANY($2::text[])", partition, list(subjects)
    )
    return {row["student"]: _person(row) for row in rows}


async def standings(connection: Connection, partition: int, asked: Sequence[tuple[str, Key]]) -> dict[str, dict[Key, Standing]]:
    """Where students stand in the competencies asked for, by student."""
    rows = await connection.fetch(
        _ASKED,
        partition,
        [subject for subject, _ in asked],
        [key[0] for _, key in asked],
        [key[1] for _, key in asked],
    )
    found: dict[str, dict[Key, Standing]] = {}
    for student, framework, competency, *values in rows:
        found.setdefault(student, {})[framework, competency] = _standing(values)
    return found


async def narrow(
    connection: Connection, partition: int, found: Mapping[str, Student], asked: Sequence[tuple[str, Key]]
) -> dict[str, Student]:
    """Students with where they stand in the competencies asked for, and nothing else of their evidence."""
    if not asked:
        return {}
    theirs = await standings(connection, partition, asked)
    return {who: replace(found[who], standings=standing) for who, standing in theirs.items()}


async def pieces(connection: Connection, partition: int, subjects: Collection[str]) -> dict[str, tuple[Piece, ...]]:
    """All evidence of students, in order of position, each piece with its note."""
    rows = await connection.fetch(_PIECES, partition, list(subjects))
    if not rows:
        return {}
    keys = await names.all_keys(connection, partition)
    found: dict[str, list[Piece]] = {}
    for row in rows:
        found.setdefault(row["student"], []).extend(pieces_of(row, keys))
    for student, notes in (await stories.notes(connection, partition, subjects)).items():
        found[student] = [piece._replace(note=notes.get(piece.position)) for piece in found[student]]
    return {student: tuple(theirs) for student, theirs in found.items()}


async def chapters(connection: Connection, partition: int, subjects: Collection[str]) -> dict[str, tuple[Chapter, ...]]:
    """All chapters of students, in order of position."""
    rows = await connection.fetch(
        f"SELECT {_CHAPTER} FROM chapters WHERE partition = $1 AND student = ANY($2::text[]) ORDER BY student, position",
        partition,
        list(subjects),
    )
    found: dict[str, list[Chapter]] = {}
    for row in rows:
        chapter = Chapter(row["position"], _enrolment(row), _programmes(row), row["merged_into"])
        found.setdefault(row["student"], []).append(chapter)
    return {student: tuple(theirs) for student, theirs in found.items()}


async def whole(connection: Connection, partition: int, subjects: Collection[str], *, evidence: bool = True) -> dict[str, Student]:
    """The students among these that exist, with all their standings, and all their pieces unless told otherwise."""
    rows = await connection.fetch(
        f"SELECT {_PERSON}, {_STANDINGS} FROM students WHERE partition = $1 AND student = ANY($2::text[])",
        partition,
        list(subjects),
    )
    if not evidence:
        return await wholes(connection, partition, rows, {}, {})
    theirs, taken_out = await pieces(connection, partition, subjects), await stories.retractions(connection, partition, subjects)
    return await wholes(connection, partition, rows, theirs, taken_out)


async def wholes(
    connection: Connection,
    partition: int,
    rows: Iterable[asyncpg.Record],
    evidence: Mapping[str, tuple[Piece, ...]],
    taken_out: Mapping[str, tuple[Retraction, ...]],
) -> dict[str, Student]:
    """Students from their whole rows and their evidence."""
    keys = await names.all_keys(connection, partition)
    policies = await names.all_policies(connection)
    return {
        row["student"]: Student(
            _enrolment(row),
            _programmes(row),
            standings_of(row, keys, policies),
            evidence.get(row["student"], ()),
            row["position"],
            into=row["merged_into"],
            retractions=taken_out.get(row["student"], ()),
            chapter=row["chapter"],
        )
        for row in rows
    }


def standings_of(row: asyncpg.Record, keys: Mapping[int, Key], policies: Mapping[int, tuple[str, int]]) -> dict[Key, Standing]:
    """The standings in a student's row."""
    found: dict[Key, Standing] = {}
    for key, level, points, previous, reason, rule, n, x, y, last in zip(*_of_standings(row), strict=True):
        policy, version = policies.get(rule, (None, None))
        found[keys[key]] = Standing(level, points, previous, reason, rule, policy, version, Tally(n, x, y), last)
    return found


def pieces_of(row: asyncpg.Record, keys: Mapping[int, Key]) -> Iterable[Piece]:
    """The pieces in a row of evidence."""
    _, positions, numbers, *columns = row
    frameworks, competencies = zip(*(keys[number] for number in numbers), strict=True)
    return starmap(Piece, zip(positions, frameworks, competencies, *columns, strict=True))


def _standing(values: Sequence[Any]) -> Standing:
    """A standing from its columns in the order of `_ASKED`."""
    level, points, previous, reason, rule, policy, version, counted, tally_x, tally_y, last = values
    return Standing(level, points, previous, reason, rule, policy, version, Tally(counted, tally_x, tally_y), last)


def _person(row: asyncpg.Record) -> Student:
    return Student(
        _enrolment(row),
        _programmes(row),
        position=row["position"],
        whole=False,
        into=row["merged_into"],
        chapter=row["chapter"],
    )


def _programmes(row: asyncpg.Record) -> dict[str, Programme]:
    if not row["programmes"]:
        return {}
    columns = zip(*(row[name] for name in ("programmes", "programme_levels", "programme_since", "programme_until")), strict=True)
    return {values[0]: Programme(*values) for values in columns}


def _enrolment(row: asyncpg.Record) -> Enrolment | None:
    if row["school"] is None:
        return None
    return Enrolment(row["school"], row["grade"], row["cohort"], tuple(row["classes"]), row["since"], row["enrolled"])
