"""SQL of what roster imports stated last: things by kind and key, students by pseudonym."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from datetime import date
from typing import Any

from services.chassis.postgres import Queryable
from services.evidence.stated import ABSENT, StatedStudent, Statement

SCHOOLS_OF = "SELECT pseudonym, school FROM public.roster_students WHERE pseudonym = ANY ($1::text[]) AND school IS NOT NULL"

END = "UPDATE public.roster_students SET school = NULL, digests = array_append(digests, $2::bytea) WHERE pseudonym = $1"
STATED = "SELECT kind, key, schools, version, digest, data FROM public.roster_statements WHERE kind = $1"
STATE = """
INSERT INTO public.roster_statements (kind, key, schools, version, digest, data)
SELECT kind, key, schools::text[], version, digest, data::jsonb
FROM unnest($1::text[], $2::text[], $3::text[], $4::int[], $5::bytea[], $6::text[]) AS s (kind, key, schools, version, digest, data)
ON CONFLICT (kind, key) DO UPDATE
SET schools = excluded.schools, version = excluded.version, digest = excluded.digest, data = excluded.data
"""
STUDENTS = "SELECT pseudonym, school, version, digests, programmes FROM public.roster_students WHERE pseudonym = ANY ($1::text[])"
ENROLLED_AT = """
SELECT pseudonym, school, version, digests, programmes FROM public.roster_students
WHERE school = ANY ($1::text[]) AND pseudonym > $2 ORDER BY pseudonym LIMIT $3
"""
SCHOOLS_AFTER = """
SELECT pseudonym, school FROM public.roster_students
WHERE school = ANY ($1::text[]) AND pseudonym > $2 ORDER BY pseudonym LIMIT $3
"""
STATE_STUDENTS = """
INSERT INTO public.roster_students (pseudonym, school, version, digests, programmes)
SELECT pseudonym, school, version, digests::bytea[], programmes::jsonb
FROM unnest($1::text[], $2::text[], $3::int[], $4::text[], $5::text[]) AS s (pseudonym, school, version, digests, programmes)
ON CONFLICT (pseudonym) DO UPDATE
SET school = excluded.school, version = excluded.version, digests = excluded.digests, programmes = excluded.programmes
"""

# The update changes nothing; without it the row that is there would not be returned.
BEGIN_IMPORT = """
INSERT INTO public.roster_imports AS i (roster, today) VALUES ($1, $2)
ON CONFLICT (roster) DO UPDATE SET today = i.today RETURNING today
"""
FINISH_IMPORT = "DELETE FROM public.roster_imports"


async def begin_import(on: Queryable, roster: bytes, today: date) -> date:
    """The date of this roster's import: that of an unfinished one of the same files, else `today`, which is kept."""
    began: date = await on.fetchval(BEGIN_IMPORT, roster, today)
    return began


async def finish_import(on: Queryable) -> None:
    """What was begun before is over: an unfinished import that is run again now finds another state, and is a new one."""
    await on.execute(FINISH_IMPORT)


async def schools_of(on: Queryable, pseudonyms: Collection[str]) -> dict[str, frozenset[str]]:
    """The schools at which these students are enrolled, as far as rosters said."""
    rows = await on.fetch(SCHOOLS_OF, list(pseudonyms))
    return {row[0]: frozenset({row[1]}) for row in rows}


async def end(connection: Queryable, student: str) -> None:
    """She is somebody else from now on: enrolled nowhere, and stated anew if she should come back."""
    await connection.execute(END, student, ABSENT)


async def stated(on: Queryable, kind: str) -> dict[str, Statement]:
    """The last statements of a kind, by key."""
    rows = await on.fetch(STATED, kind)
    return {row["key"]: Statement(row[0], row[1], tuple(row[2]), row[3], row[4], json.loads(row[5])) for row in rows}


async def state(on: Queryable, statements: Sequence[Statement]) -> None:
    """Keep these as the last statements."""
    await on.execute(
        STATE,
        [each.kind for each in statements],
        [each.key for each in statements],
        [_array(each.schools) for each in statements],
        [each.version for each in statements],
        [each.digest for each in statements],
        [json.dumps(each.data) for each in statements],
    )


async def students(on: Queryable, pseudonyms: Collection[str]) -> dict[str, StatedStudent]:
    """What was stated of these students; those of whom nothing was are left out."""
    rows = await on.fetch(STUDENTS, list(pseudonyms))
    return {row["pseudonym"]: _student(row) for row in rows}


async def enrolled_at(on: Queryable, schools: Collection[str], after: str, limit: int) -> list[StatedStudent]:
    """Students enrolled at one of these schools, by pseudonym."""
    return [_student(row) for row in await on.fetch(ENROLLED_AT, list(schools), after, limit)]


async def schools_after(on: Queryable, schools: Collection[str], after: str, limit: int) -> list[tuple[str, str]]:
    """(pseudonym, school) of students enrolled at one of these schools, by pseudonym."""
    return [(row[0], row[1]) for row in await on.fetch(SCHOOLS_AFTER, list(schools), after, limit)]


async def state_students(on: Queryable, stated: Sequence[StatedStudent]) -> None:
    """Keep these as what was last stated of the students."""
    await on.execute(
        STATE_STUDENTS,
        [each.pseudonym for each in stated],
        [each.school for each in stated],
        [each.version for each in stated],
        [_array("\\\\x" + digest.hex() for digest in each.digests) for each in stated],
        [json.dumps(each.programmes) for each in stated],
    )


def _student(row: Any) -> StatedStudent:
    programmes = {name: (level, since) for name, (level, since) in json.loads(row["programmes"]).items()}
    return StatedStudent(row["pseudonym"], row["school"], row["version"], tuple(row["digests"]), programmes)


def _array(parts: Any) -> str:
    """A Postgres array literal of codes or of bytes in hexadecimal, which need no quoting beyond the quotes."""
    return "{" + ",".join(f'"{part}"' for part in parts) + "}"
