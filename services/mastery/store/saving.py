"""What changed, written with the fewest bytes: new students and evidence by COPY, a standing by its elements of the arrays."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence

from services.chassis.postgres import Connection
from services.chassis.projection import stories
from services.chassis.projection.view import Change
from services.mastery.domain import Chapter, Student
from services.mastery.standings import Key, Piece, Standing

# Pieces in a row of evidence: enough that a year of a competency is a few rows, few enough that a row stays in its page.
PACK = 64

_PERSON_COLUMNS = (
    *("school", "enrolled", "grade", "cohort", "classes", "since"),
    *("programmes", "programme_levels", "programme_since", "programme_until", "merged_into"),
)
_STUDENT = (
    *("partition", "student", *_PERSON_COLUMNS, "chapter", "position"),
    *("keys", "levels", "points", "previous", "reasons", "rules", "counted", "tally_x", "tally_y", "last"),
)
_PIECES = (
    *("partition", "student", "first", "positions", "keys", "times", "sources", "ids", "sequences", "scores", "scales"),
    *("kinds", "assessors", "contexts", "attempts"),
)

# A whole row is rewritten from so many changed standings on. Each alone costs an update of the row (some 50 µs in all) and reads
# nothing else of her; a whole row of 49 costs a dozen times that in reading and encoding its arrays.
MANY = 12

_WHOLE = f"""
UPDATE students SET {", ".join(f"{name} = ${place}" for place, name in enumerate(_STUDENT[2:], start=3))}
WHERE partition = $1 AND student = $2
"""

_PERSON = f"""
UPDATE students
SET {", ".join(f"{name} = ${place}" for place, name in enumerate((*_PERSON_COLUMNS, "chapter", "position"), start=3))}
WHERE partition = $1 AND student = $2
"""

_CHAPTER = f"""
INSERT INTO chapters (partition, student, position, {", ".join(_PERSON_COLUMNS)})
VALUES ({", ".join(f"${place}" for place in range(1, len(_PERSON_COLUMNS) + 4))})
ON CONFLICT (partition, student, position) DO UPDATE SET {", ".join(f"{name} = excluded.{name}" for name in _PERSON_COLUMNS)}
"""

# Where a competency is in a student's arrays: its place, or the next free one.
_AT = "coalesce(array_position(s.keys, u.key), cardinality(s.keys) + 1)"
_STANDINGS = f"""
UPDATE students AS s
SET position = u.position, keys[{_AT}] = u.key, levels[{_AT}] = u.level, points[{_AT}] = u.points,
    previous[{_AT}] = u.previous, reasons[{_AT}] = u.reason, rules[{_AT}] = u.rule,
    counted[{_AT}] = u.counted, tally_x[{_AT}] = u.tally_x, tally_y[{_AT}] = u.tally_y, last[{_AT}] = u.last
FROM unnest($2::text[], $3::bigint[], $4::int[], $5::smallint[], $6::int[], $7::smallint[], $8::text[], $9::bigint[],
            $10::int[], $11::float8[], $12::int[], $13::timestamptz[])
  AS u (student, position, key, level, points, previous, reason, rule, counted, tally_x, tally_y, last)
WHERE s.partition = $1 AND s.student = u.student
"""

_COUNTS = """
INSERT INTO school_levels AS c (partition, school, framework, competency, level, students)
SELECT $1, * FROM unnest($2::text[], $3::text[], $4::text[], $5::smallint[], $6::int[])
ON CONFLICT (school, framework, competency, level, partition) DO UPDATE SET students = c.students + excluded.students
"""

Row = tuple[object, ...]


async def students(connection: Connection, partition: int, changes: Sequence[Change[Student]], keys: Mapping[Key, int]) -> None:
    """Write students' rows: whole ones for who is new or changed in much, else what changed."""
    new = [change for change in changes if change.before.position < 0]
    old = [change for change in changes if change.before.position >= 0]
    much, little = [each for each in old if rewritten(each)], [each for each in old if not rewritten(each)]
    if new:
        await connection.copy_records_to_table("students", records=_rows(partition, new, keys), columns=_STUDENT)
    if much:
        await connection.executemany(_WHOLE, _rows(partition, much, keys))
    moved = [
        (partition, each.subject, *_person(each.after), _chapter(each.after), each.after.position)
        for each in little
        if each.after.chapters
    ]
    if moved:
        await connection.executemany(_PERSON, moved)
    for turn in _turns(little, keys):
        await connection.execute(_STANDINGS, partition, *zip(*turn, strict=True))
    begun = [(partition, each.subject, turned.position, *_person(turned)) for each in changes for turned in each.after.chapters]
    if begun:
        await connection.executemany(_CHAPTER, begun)


def rewritten(change: Change[Student]) -> bool:
    """Whether a student's whole row is written, for which all her standings are known."""
    if not change.before.whole or change.before.position < 0:
        return change.before.whole
    if any(key not in change.after.standings for key in change.before.standings):
        return True  # an array can't lose an element by assignment
    return len(change.after.standings) >= MANY and sum(1 for _ in changed(change)) >= MANY


async def pieces(connection: Connection, partition: int, changes: Sequence[Change[Student]], keys: Mapping[Key, int]) -> None:
    """Add rows for the evidence that came, and what was noted of any."""
    rows = [(partition, change.subject, *pack) for change in changes for pack in _packs(added(change), keys)]
    if rows:
        await connection.copy_records_to_table("pieces", records=rows, columns=_PIECES)
    tellings = (
        stories.Telling(
            change.subject,
            (change.before.pieces, change.after.pieces),
            (change.before.retractions, change.after.retractions),
        )
        for change in changes
    )
    await stories.save(connection, partition, tellings)


async def counts(connection: Connection, partition: int, changes: Sequence[Change[Student]]) -> None:
    """Move the counts of schools. Rows are written in one order, whichever students moved."""
    moved: Counter[tuple[str, str, str, int]] = Counter()
    for change in changes:
        _count(moved, change.before, change.after)
    rows = sorted((*place, by) for place, by in moved.items() if by)
    if rows:
        await connection.execute(_COUNTS, partition, *zip(*rows, strict=True))


def added(change: Change[Student]) -> Sequence[Piece]:
    """The pieces that came: they may stand for nothing yet."""
    return change.after.pieces[len(change.before.pieces) :]


def mentioned(changes: Sequence[Change[Student]]) -> set[Key]:
    """The competencies whose numbers a save needs."""
    stood = {key for each in changes for key in (each.after.standings if rewritten(each) else (key for key, _ in changed(each)))}
    return stood | {(piece.framework, piece.competency) for each in changes for piece in added(each)}


def changed(change: Change[Student]) -> Iterator[tuple[Key, Standing]]:
    """The standings that a change touched."""
    before = change.before.standings
    return ((key, standing) for key, standing in change.after.standings.items() if before.get(key) is not standing)


def zip_standings(standings: Mapping[Key, Standing], keys: Mapping[Key, int]) -> Iterator[list[object]]:
    """Standings as the columns of a row, in the order of `_STUDENT` from `keys` on."""
    rows = [_row(keys[key], standing) for key, standing in standings.items()]
    return map(list, zip(*rows, strict=True)) if rows else ([] for _ in range(10))


def _rows(partition: int, changes: Sequence[Change[Student]], keys: Mapping[Key, int]) -> list[Row]:
    return [
        (
            *(partition, each.subject, *_person(each.after), _chapter(each.after), each.after.position),
            *zip_standings(each.after.standings, keys),
        )
        for each in changes
    ]


def _turns(changes: Sequence[Change[Student]], keys: Mapping[Key, int]) -> list[list[Row]]:
    """Rows for as many statements as the student with the most changes needs: one changes a student's row once."""
    turns: dict[int, list[Row]] = defaultdict(list)
    for change in changes:
        for turn, (key, standing) in enumerate(changed(change)):
            turns[turn].append((change.subject, change.after.position, *_row(keys[key], standing)))
    return [turns[turn] for turn in sorted(turns)]


def _row(key: int, standing: Standing) -> Row:
    level, value, previous, reason, rule, _, _, (counted, x, y), last = standing
    return key, level, value, previous, reason, rule, counted, x, y, last


def _chapter(student: Student) -> int:
    """The position of her last chapter."""
    return student.chapters[-1].position if student.chapters else student.chapter


def _person(of: Student | Chapter) -> Row:
    """Who she is as columns, in the order of `_PERSON_COLUMNS`."""
    enrolment, programmes = of.enrolment, list(of.programmes.values())
    place = (
        (enrolment.school, enrolment.enrolled, enrolment.grade, enrolment.cohort, enrolment.classes, enrolment.since)
        if enrolment
        else (None, False, None, None, (), None)
    )
    return (
        *place,
        [programme.programme for programme in programmes],
        [programme.level for programme in programmes],
        [programme.since for programme in programmes],
        [programme.until for programme in programmes],
        of.into,
    )


def _packs(pieces: Sequence[Piece], keys: Mapping[Key, int]) -> Iterator[Row]:
    for start in range(0, len(pieces), PACK):
        pack = [_columns(piece, keys) for piece in pieces[start : start + PACK]]
        yield (pack[0][0], *zip(*pack, strict=True))


def _columns(piece: Piece, keys: Mapping[Key, int]) -> Row:
    position, framework, competency, *rest, _ = piece
    return position, keys[framework, competency], *rest


def _count(moved: Counter[tuple[str, str, str, int]], before: Student, after: Student) -> None:
    """Where a student was counted, less; where she is counted now, more. Only what differs is looked at."""
    same = before.counted_at == after.counted_at
    for student, by in ((before, -1), (after, 1)):
        if student.counted_at is None:
            continue
        other = after if student is before else before
        for key, standing in student.standings.items():
            there = other.standings.get(key)
            if not same or there is None or there.level != standing.level:
                moved[student.counted_at, *key, -1 if standing.level is None else standing.level] += by
