"""SQL of merges: who is merged into whom now, and the stories that go over.

Owns: `merges`, and the copies in `holders`. Runs in the ledger's transaction, under the head's lock.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from services.chassis.postgres import Connection
from services.evidence.stories import TYPES

OF = "SELECT survivor, position FROM public.merges WHERE other = $1"

WITHIN = """
WITH RECURSIVE within (student) AS (
    VALUES ($1::text)
    UNION ALL
    SELECT m.other FROM within w JOIN public.merges m ON m.survivor = w.student
)
SELECT student FROM within
"""

# Her own events, found by millions of positions (see the index `ledger_stories`), and those that others share with her.
STORY = """
SELECT l.record FROM (
    SELECT o.position FROM generate_series(0, $2::bigint >> 20) AS g (million),
    LATERAL (
        SELECT position FROM public.ledger WHERE (position >> 20) = g.million AND subject = $1 AND type = ANY ($3::text[])
    ) o
    UNION
    SELECT position FROM public.holders WHERE holder = $1 AND copy IS NULL
) held JOIN public.ledger l USING (position) WHERE l.type = ANY ($3::text[]) ORDER BY l.position
"""

MERGE = "INSERT INTO public.merges (other, survivor, position) VALUES ($1, $2, $3)"
UNMERGE = "DELETE FROM public.merges WHERE other = $1"

KEEP_COPIES = """
INSERT INTO public.holders (position, holder, copy)
SELECT place, $3, copy FROM unnest($1::bigint[], $2::bigint[]) AS c (place, copy)
ON CONFLICT (position, holder) DO UPDATE SET copy = excluded.copy
"""


class Merge(NamedTuple):
    """A merge that is in force, and the position of the event that says so."""

    survivor: str
    position: int


async def of(connection: Connection, student: str) -> Merge | None:
    """Into whom she is merged now, if she is."""
    row = await connection.fetchrow(OF, student)
    return None if row is None else Merge(*row)


async def within(connection: Connection, student: str) -> list[str]:
    """She, and everybody who is merged into her now, through others too."""
    return [row[0] for row in await connection.fetch(WITHIN, student)]


async def story(connection: Connection, student: str, position: int) -> list[bytes]:
    """The records of evidence placed with a student, and of unmerges, in log order; the log ends before `position`."""
    return [row[0] for row in await connection.fetch(STORY, student, position, TYPES)]


async def merge(connection: Connection, other: str, survivor: str, position: int) -> None:
    await connection.execute(MERGE, other, survivor, position)


async def unmerge(connection: Connection, other: str) -> None:
    await connection.execute(UNMERGE, other)


async def keep_copies(connection: Connection, holder: str, places: Sequence[int], first: int) -> None:
    """Keep that she holds copies of what stands at these places, from position `first` on."""
    await connection.execute(KEEP_COPIES, list(places), list(range(first, first + len(places))), holder)
