"""The canonical terms of a student, from which the view's digests are summed. Pure.

Each enrolment, programme, level and piece is a term of its own: a text of its parts. The exact form holds all that a read
may return and the tallies that the next piece goes on from; the meaning form only what counts now, without positions.
"""

from __future__ import annotations

from collections.abc import Iterator

from services.mastery.domain import Chapter, Enrolment, Programme, Student, evidence
from services.mastery.standings import Key, Piece, Standing

# No code, id or number holds it: between parts, so that no two lists of parts give the same text.
_BETWEEN = "\x1f"


# One thing's text in each of the two digests: exact, meaning; empty where it has none in that one.
# Codes are never empty, so an empty part says that there is none.
Terms = tuple[str, str]


def changed(subject: str, before: Student, after: Student) -> Iterator[tuple[int, Terms]]:
    """The terms that a change takes away (-1) and brings (1)."""
    if after.chapters:
        yield from ((-1, terms) for terms in person_terms(subject, before))
        yield from ((1, terms) for terms in person_terms(subject, after))
        if before.chapter == after.chapters[0].position:
            yield -1, chapter_terms(subject, Chapter(before.chapter, before.enrolment, before.programmes, before.into))
        yield from ((1, chapter_terms(subject, chapter)) for chapter in after.chapters)
    for key, was in before.standings.items():
        if after.standings.get(key) is not was:
            yield -1, standing_terms(subject, key, was)
    for key, standing in after.standings.items():
        if before.standings.get(key) is not standing:
            yield 1, standing_terms(subject, key, standing)
    yield from _evidence(subject, before, after)


def _evidence(subject: str, before: Student, after: Student) -> Iterator[tuple[int, Terms]]:
    """The terms of evidence: exact ones of all that is kept, meaning ones of what counts, a record one piece in its place."""
    kept = len(before.pieces)
    added = after.pieces[kept:]
    simple = after.into is None and before.into is None and after.retractions is before.retractions
    if simple and after.pieces[:kept] == before.pieces and all(piece.note is None for piece in added):
        yield from ((1, (exact_piece(subject, piece), meaning_of(subject, piece))) for piece in added)
        return
    yield from _kept(subject, before, -1)
    yield from _kept(subject, after, 1)


def _kept(subject: str, student: Student, sign: int) -> Iterator[tuple[int, Terms]]:
    """All terms of a student's evidence."""
    for piece in student.pieces:
        yield sign, (exact_piece(subject, piece), "")
    for each in student.retractions:
        yield sign, (_join("retraction", subject, *each), "")
    for pieces in evidence(student).values():
        for piece in pieces:
            yield sign, ("", meaning_of(subject, piece))


def whole(subject: str, student: Student) -> Iterator[Terms]:
    """Every term of a student who was loaded whole."""
    return (terms for _, terms in changed(subject, Student(), student))


def person_terms(subject: str, student: Student) -> Iterator[Terms]:
    """Where she is enrolled, and her programmes: what of her last chapter counts now."""
    if student.enrolment is not None:
        yield "", _join("enrolment", subject, *_enrolled(student.enrolment))
    yield from (("", _join("programme", subject, *_stated(each))) for each in student.programmes.values())


def chapter_terms(subject: str, chapter: Chapter) -> Terms:
    """Who she was from a position on."""
    enrolment = _enrolled(chapter.enrolment) if chapter.enrolment else ()
    programmes = [part for _, each in sorted(chapter.programmes.items()) for part in _stated(each)]
    return _join("chapter", subject, chapter.position, chapter.into, len(enrolment), *enrolment, *programmes), ""


def standing_terms(subject: str, key: Key, standing: Standing) -> Terms:
    """Where she stands in a competency."""
    level, value, previous, reason, rule, policy, version, (n, x, y), last = standing
    meaning = (
        f"level\x1f{subject}\x1f{key[0]}\x1f{key[1]}\x1f{level}\x1f{value}\x1f{reason or ''}\x1f{policy or ''}\x1f{version}\x1f{n}"
    )
    return f"{meaning}\x1f{rule}\x1f{previous}\x1f{x!r}\x1f{y}\x1f{last.timestamp() if last else None}", meaning


def exact_piece(subject: str, piece: Piece) -> str:
    """One piece of evidence as it is kept, with what was noted of it."""
    meaning = f"{meaning_of(subject, piece)}\x1f{piece.position}"
    return meaning if piece.note is None else _join(meaning, *piece.note)


def meaning_of(subject: str, piece: Piece) -> str:
    """What a piece says."""
    _, framework, competency, time, source, id, sequence, score, scale, kind, assessor, context, attempt, _ = piece
    return (
        f"piece\x1f{subject}\x1f{framework}\x1f{competency}\x1f{time.timestamp()}\x1f{source}\x1f{id}\x1f{sequence}\x1f{score}"
        f"\x1f{scale}\x1f{kind}\x1f{assessor or ''}\x1f{context or ''}\x1f{attempt}"
    )


def _enrolled(enrolment: Enrolment) -> tuple[object, ...]:
    e = enrolment
    return e.school, e.grade, e.cohort, e.since, e.enrolled, *e.classes


def _stated(programme: Programme) -> tuple[object, ...]:
    return programme.programme, programme.level, programme.since, programme.until


def _join(*parts: object) -> str:
    return _BETWEEN.join("" if part is None else str(part) for part in parts)
