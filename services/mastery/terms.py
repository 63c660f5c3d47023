"""The canonical terms of a student, from which the view's digests are summed. Pure.

Each enrolment, programme, level and piece is a term of its own: a text of its parts. The exact form holds all that a read
may return and the tallies that the next piece goes on from; the meaning form only what counts now, without positions.
"""

from __future__ import annotations

from collections.abc import Iterator

from services.mastery.domain import Enrolment, Key, Piece, Programme, Standing, Student

# No code, id or number holds it: between parts, so that no two lists of parts give the same text.
_BETWEEN = "\x1f"


# One thing's text in each of the two digests: exact, meaning. Codes are never empty, so an empty part says that there is none.
Terms = tuple[str, str]


def changed(subject: str, before: Student, after: Student) -> Iterator[tuple[int, Terms]]:
    """The terms that a change takes away (-1) and brings (1)."""
    if before.enrolment is not after.enrolment:
        if before.enrolment is not None:
            yield -1, enrolment_terms(subject, before.enrolment)
        if after.enrolment is not None:
            yield 1, enrolment_terms(subject, after.enrolment)
    if before.programmes is not after.programmes:
        for name, programme in after.programmes.items():
            if (old := before.programmes.get(name)) is not None:
                yield -1, programme_terms(subject, old)
            yield 1, programme_terms(subject, programme)
    for key, standing in after.standings.items():
        was = before.standings.get(key)
        if was is standing:
            continue
        if was is not None:
            yield -1, standing_terms(subject, key, was)
        yield 1, standing_terms(subject, key, standing)
    for piece in after.pieces[len(before.pieces) :]:
        yield 1, piece_terms(subject, piece)


def whole(subject: str, student: Student) -> Iterator[Terms]:
    """Every term of a student who was loaded whole."""
    return (terms for _, terms in changed(subject, Student(), student))


def enrolment_terms(subject: str, enrolment: Enrolment) -> Terms:
    """Where she is enrolled."""
    text = _join("enrolment", subject, *_values(enrolment))
    return text, text


def programme_terms(subject: str, programme: Programme) -> Terms:
    """One of her programmes."""
    text = _join("programme", subject, programme.programme, programme.level, programme.since, programme.until)
    return text, text


def standing_terms(subject: str, key: Key, standing: Standing) -> Terms:
    """Where she stands in a competency."""
    level, value, previous, reason, rule, policy, version, (n, x, y), last = standing
    meaning = (
        f"level\x1f{subject}\x1f{key[0]}\x1f{key[1]}\x1f{level}\x1f{value}\x1f{reason or ''}\x1f{policy or ''}\x1f{version}\x1f{n}"
    )
    return f"{meaning}\x1f{rule}\x1f{previous}\x1f{x!r}\x1f{y}\x1f{last.timestamp() if last else None}", meaning


def piece_terms(subject: str, piece: Piece) -> Terms:
    """One piece of evidence."""
    position, framework, competency, time, source, id, sequence, score, scale, kind, assessor, context, attempt = piece
    meaning = (
        f"piece\x1f{subject}\x1f{framework}\x1f{competency}\x1f{time.timestamp()}\x1f{source}\x1f{id}\x1f{sequence}\x1f{score}"
        f"\x1f{scale}\x1f{kind}\x1f{assessor or ''}\x1f{context or ''}\x1f{attempt}"
    )
    return f"{meaning}\x1f{position}", meaning


def _values(enrolment: Enrolment) -> tuple[object, ...]:
    e = enrolment
    return e.school, e.grade, e.cohort, e.since, e.enrolled, *e.classes


def _join(*parts: object) -> str:
    return _BETWEEN.join("" if part is None else str(part) for part in parts)
