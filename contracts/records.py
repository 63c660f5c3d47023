"""Records: which evidence counts where pieces correct, withdraw or copy one another (see `events/corrections.py`). Pure.

Every view that counts evidence folds corrections with these functions, so that all of them count the same. Nothing is ever
taken out of a story: what counts no more stays, with the position of the event that says so, and what was known at an earlier
position can be told.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from contracts.envelope import Data, Event
from contracts.events.corrections import AssessorRevoked, EvidenceRetracted, EvidenceSuperseded
from contracts.events.evidence import Evidence, EvidenceCarried, EvidenceSubmitted
from contracts.events.identities import StudentMerged, StudentUnmerged


class Note(NamedTuple):
    """What is to be known of a piece beyond its content. A piece without a note is a record of its own. Numbers are positions.

    `place`: where it stands in a story, which of a copy is not its own position. `target`: the place of the piece it
    supersedes. `key`: its publisher's `sourcekey`. `owner`: the pseudonym that it belongs to, None: hers in whose story it is.
    `joined`: the merge or unmerge that brought a copy to life. `left`: the unmerge that took it out of this story. `revoked`:
    what revoked its assessor.
    """

    place: int
    target: int | None = None
    key: str | None = None
    owner: str | None = None
    joined: int | None = None
    left: int | None = None
    revoked: int | None = None


class Retraction(NamedTuple):
    """A retraction in a story, at its `place`. `whole`: of the record whose first piece is at `target`, as sent before this."""

    position: int
    place: int
    target: int
    whole: bool
    sequence: int | None
    joined: int | None = None
    left: int | None = None


class Piece(Protocol):
    """What of a piece of evidence decides whether it counts; a named tuple of its view's own. `sequence` is its publisher's."""

    @property
    def position(self) -> int: ...
    @property
    def source(self) -> str: ...
    @property
    def id(self) -> str: ...
    @property
    def sequence(self) -> int | None: ...
    @property
    def note(self) -> Note | None: ...


P = TypeVar("P", bound=Piece)


class Record(NamedTuple, Generic[P]):
    """Linked pieces by place, all of them and those that are live."""

    pieces: tuple[P, ...]
    live: tuple[P, ...]

    @property
    def counted(self) -> P | None:
        """The piece that counts: each takes over from the one before, unless its publisher's sequence is below the highest."""
        counts: P | None = None
        highest = 0
        for piece in self.live:
            if piece.sequence is None or piece.sequence >= highest:
                counts, highest = piece, piece.sequence or highest
        return counts

    @property
    def placed(self) -> P | None:
        """The piece that counts, standing where the record's first live one does: what a fold orders and adds up."""
        counts = self.counted
        if counts is None or (counts is self.live[0] and counts.note is None):
            return counts
        first = self.live[0]
        return _replaced(counts, position=place_of(first), source=first.source, sequence=first.sequence, id=first.id, note=None)


def note_of(piece: Piece) -> Note:
    """A piece's note: that of one alone, unless it has another."""
    return piece.note or Note(piece.position)


def place_of(piece: Piece) -> int:
    """Where a piece stands in a story."""
    return piece.note.place if piece.note else piece.position


def is_here(position: int, at: Note | Retraction) -> bool:
    """Whether it is part of the story: no copy whose merge is yet to come, and not gone again."""
    return at.left is None and (at.place == position or at.joined is not None)


def records(pieces: Sequence[P], retractions: Sequence[Retraction] = ()) -> list[Record[P]]:
    """A story's records, by the place of their first piece."""
    if not retractions and all(piece.note is None for piece in pieces):
        return [Record((piece,), (piece,)) for piece in pieces]
    groups = _linked([piece for piece in pieces if is_here(piece.position, note_of(piece))])
    dead = _dead(groups, [each for each in retractions if is_here(each.position, each)])
    return [Record(tuple(group), tuple(piece for piece in group if _is_live(piece, dead))) for group in groups]


def evidence(pieces: Sequence[P], retractions: Sequence[Retraction] = ()) -> list[P]:
    """What counts of a story: one piece a record, in its place."""
    if not retractions and all(piece.note is None for piece in pieces):
        return list(pieces)
    return [placed for record in records(pieces, retractions) if (placed := record.placed) is not None]


def _linked(pieces: Iterable[P]) -> list[list[P]]:
    """Pieces by record. One that supersedes what the story does not have changes nothing, so it is left out."""
    of_place: dict[int, list[P]] = {}
    of_key: dict[tuple[str, str], list[P]] = {}
    for piece in sorted(pieces, key=place_of):
        note = note_of(piece)
        if note.place in of_place or (note.target is not None and note.target not in of_place):
            continue
        group = of_place[note.target] if note.target is not None else []
        if note.key is not None and (same := of_key.get((piece.source, note.key))) is not None and same is not group:
            group = _joined(group, same, of_place, of_key)
        group.append(piece)
        of_place[note.place] = group
        if note.key is not None:
            of_key[piece.source, note.key] = group
    return list({id(group): group for group in of_place.values()}.values())


def _joined(group: list[P], same: list[P], of_place: dict[int, list[P]], of_key: dict[tuple[str, str], list[P]]) -> list[P]:
    """Two records that a piece links are one."""
    whole = sorted([*group, *same], key=place_of)
    for piece in whole:
        of_place[place_of(piece)] = whole
        if (key := note_of(piece).key) is not None:
            of_key[piece.source, key] = whole
    return whole


def _dead(groups: Iterable[Sequence[Piece]], retractions: Iterable[Retraction]) -> set[int]:
    """The places that a retraction in force takes out: settled from the last retraction to the first."""
    named: set[int] = set()
    in_force = []
    for each in sorted(retractions, key=lambda each: each.place, reverse=True):
        if each.place not in named:
            in_force.append(each)
            if not each.whole:
                named.add(each.target)
    record_of = {place_of(piece): group for group in groups for piece in group} if any(each.whole for each in in_force) else {}
    for each in in_force:
        if each.whole:
            named |= {place_of(piece) for piece in record_of.get(each.target, ()) if _sent_before(piece, each)}
    return named


def _sent_before(piece: Piece, retraction: Retraction) -> bool:
    if piece.sequence is not None and retraction.sequence is not None:
        return piece.sequence < retraction.sequence
    return place_of(piece) < retraction.place


def _is_live(piece: Piece, dead: Collection[int]) -> bool:
    return place_of(piece) not in dead and (piece.note is None or piece.note.revoked is None)


# How a story is told: notes and retractions of events, and what merges and unmerges do to them.


def retells(event: Event[Data]) -> bool:
    """Whether an event may touch evidence that came before it: a correction, a copy, a merge, a level that is carried."""
    if type(event.data) is not EvidenceSubmitted:
        return isinstance(event.data, Evidence | EvidenceCarried | EvidenceRetracted | StudentMerged | StudentUnmerged)
    return event.originalposition is not None or event.sharedwith is not None


def note_in(story_of: str, event: Event[Data], position: int) -> Note | None:
    """The note of a piece in a student's story, None for a plain one."""
    owner = event.resolvedfrom or event.subject
    supersedes = type(event.data) is EvidenceSuperseded  # cheaper than asking a model whether it is of a class that it isn't of
    if event.sourcekey is None and event.originalposition is None and owner == story_of and not supersedes:
        return None
    return Note(
        place=position if event.originalposition is None else int(event.originalposition),
        target=int(event.data.target) if isinstance(event.data, EvidenceSuperseded) else None,
        key=event.sourcekey,
        owner=None if owner == story_of else owner,
    )


def is_linked(piece: Piece, pieces: Iterable[Piece]) -> bool:
    """Whether a new piece may be of one record with any of these."""
    note = note_of(piece)
    if note.target is not None or note.key is None:
        return note.target is not None
    return any(each.source == piece.source and note_of(each).key == note.key for each in pieces)


def retraction_of(event: Event[Data], data: EvidenceRetracted, position: int) -> Retraction:
    """The retraction that an event makes."""
    place = position if event.originalposition is None else int(event.originalposition)
    return Retraction(position, place, int(data.target), data.scope == "record", event.sourcesequence)


def has_place(pieces: Iterable[Piece], retractions: Iterable[Retraction], place: int) -> bool:
    """Whether something stands at a place of the story, or is about to."""
    return any(place_of(piece) == place and note_of(piece).left is None for piece in pieces) or any(
        each.place == place and each.left is None for each in retractions
    )


def joined(pieces: Iterable[P], retractions: Iterable[Retraction], at: int) -> tuple[tuple[P, ...], tuple[Retraction, ...]]:
    """The story with the copies that waited for the event at this position. What does not change stays the same object."""
    return (
        tuple(_noted(piece, joined=at) if _waits(piece.position, note_of(piece)) else piece for piece in pieces),
        tuple(each._replace(joined=at) if _waits(each.position, each) else each for each in retractions),
    )


def parted(
    pieces: Sequence[P], retractions: Sequence[Retraction], returned: Collection[str], at: int
) -> tuple[tuple[P, ...], tuple[Retraction, ...]]:
    """The story without the records whose first piece belongs to one of `returned`, and without their corrections."""
    gone = {
        place_of(piece)
        for record in records(pieces, retractions)
        if note_of(record.pieces[0]).owner in returned
        for piece in record.pieces
    }
    for each in sorted(retractions, key=lambda each: each.place):
        if each.target in gone:
            gone.add(each.place)
    return (
        tuple(
            _noted(piece, left=at) if place_of(piece) in gone and is_here(piece.position, note_of(piece)) else piece
            for piece in pieces
        ),
        tuple(each._replace(left=at) if each.place in gone and is_here(each.position, each) else each for each in retractions),
    )


def judged(pieces: Iterable[P], revoked: Callable[[P], int | None]) -> tuple[P, ...]:
    """The pieces with what revoked their assessors, as it is now. What does not change stays the same object."""
    return tuple(piece if (at := revoked(piece)) == note_of(piece).revoked else _noted(piece, revoked=at) for piece in pieces)


def revokes(data: Data | None, time: dt.datetime) -> bool:
    """Whether the last version of an assessor's standing takes out a piece of hers that happened at `time`."""
    return isinstance(data, AssessorRevoked) and (data.since is None or time >= data.since)


def as_known(pieces: Iterable[P], retractions: Iterable[Retraction], position: int) -> tuple[tuple[P, ...], tuple[Retraction, ...]]:
    """The story as it was known at a position: what came later is not there. (What was revoked then is for `judged` to say.)"""
    return (
        tuple(_noted(piece, **_unsaid(note_of(piece), position)) for piece in pieces if piece.position <= position),
        tuple(_unsaid_too(each, position) for each in retractions if each.position <= position),
    )


def _unsaid(at: Note | Retraction, position: int) -> dict[str, None]:
    return {name: None for name in ("joined", "left") if (when := getattr(at, name)) is not None and when > position}


def _unsaid_too(retraction: Retraction, position: int) -> Retraction:
    marks: dict[str, Any] = {**_unsaid(retraction, position)}
    return retraction._replace(**marks)


def _waits(position: int, at: Note | Retraction) -> bool:
    return at.left is None and at.place != position and at.joined is None


def _noted(piece: P, **marks: Any) -> P:
    return _replaced(piece, note=note_of(piece)._replace(**marks)) if marks else piece


def _replaced(piece: P, **changes: Any) -> P:
    replaced: P = piece._replace(**changes)  # type: ignore[attr-defined]
    return replaced
