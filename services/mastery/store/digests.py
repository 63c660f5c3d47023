"""The view's digests: what a save moves them by, and what all rows of a partition come to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from services.chassis.postgres import Connection
from services.chassis.projection import stories
from services.chassis.projection.digest import Digest, text_term
from services.chassis.projection.view import Change
from services.mastery import terms
from services.mastery.domain import Student
from services.mastery.store import loading

# Students read at a time by a scan: some ten megabytes of evidence.
_SCAN = 500

_WRONG_COUNTS = """
WITH computed AS (
    SELECT s.school, c.framework, c.competency, coalesce(u.level, -1) AS level, count(*) AS students
    FROM students AS s
    CROSS JOIN LATERAL unnest(s.keys, s.levels) AS u (key, level)
    JOIN competencies AS c ON c.partition = s.partition AND c.key = u.key
    WHERE s.partition = $1 AND s.enrolled
    GROUP BY 1, 2, 3, 4
)
SELECT school, framework, competency, level, kept.students AS kept, computed.students AS computed
FROM (SELECT * FROM school_levels WHERE partition = $1 AND students <> 0) AS kept
FULL JOIN computed USING (school, framework, competency, level)
WHERE kept.students IS DISTINCT FROM computed.students
"""


def moved_by(changes: Sequence[Change[Student]]) -> Digest:
    """What the digests move by when these changes are saved."""
    exact = meaning = 0
    for change in changes:
        for sign, (whole, now) in terms.changed(change.subject, change.before, change.after):
            exact += sign * text_term(whole) if whole else 0
            meaning += sign * text_term(now) if now else 0
    return Digest() + Digest(exact, meaning)


async def scan(connection: Connection, partition: int) -> Digest:
    """The digests computed from the rows. A count of a school that its students' levels don't come to is a term of its own."""
    total = Digest()
    after = ""
    while rows := await connection.fetch(
        "SELECT * FROM students WHERE partition = $1 AND student > $2 ORDER BY student LIMIT $3", partition, after, _SCAN
    ):
        after = rows[-1]["student"]
        subjects = [row["student"] for row in rows]
        evidence = await loading.pieces(connection, partition, subjects)
        taken_out = await stories.retractions(connection, partition, subjects)
        chapters = await loading.chapters(connection, partition, subjects)
        for subject, student in (await loading.wholes(connection, partition, rows, evidence, taken_out)).items():
            total += _digest(terms.whole(subject, replace(student, chapters=chapters.get(subject, ()))))
    wrong = await connection.fetch(_WRONG_COUNTS, partition)
    return total + _digest((text, text) for text in ("\x1f".join(map(str, ("count", *row.values()))) for row in wrong))


def _digest(texts: Iterable[terms.Terms]) -> Digest:
    pairs = ((text_term(whole) if whole else 0, text_term(now) if now else 0) for whole, now in texts)
    return sum((Digest(exact, meaning) for exact, meaning in pairs), Digest())
