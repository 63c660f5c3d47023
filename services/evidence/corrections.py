"""Who may correct what, decided from what was found of the event that is named. Pure: a companion of `domain.py`.

Owns: how corrections and keys name events, and the reasons for which a correction is refused. Must not: look anything up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from contracts.envelope import Data, Event
from contracts.events import EvidenceCarried, EvidenceRetracted, EvidenceSubmitted, EvidenceSuperseded
from services.chassis.errors import Rejected
from services.evidence.deduplication import OTHER_STUDENT
from services.evidence.domain import Link

UNKNOWN_TARGET = "unknown-target"
PIECES = frozenset({EvidenceSubmitted.TYPE, EvidenceSuperseded.TYPE, EvidenceCarried.TYPE})
# What bears a key that makes it part of a record.
KEYED = frozenset({EvidenceSubmitted.TYPE, EvidenceCarried.TYPE})
CORRECTIONS = frozenset({EvidenceRetracted.TYPE, EvidenceSuperseded.TYPE})


class Named(NamedTuple):
    """An event by `id`, or a record by `sourcekey`, of a source."""

    source: str
    id: str | None = None
    sourcekey: str | None = None

    @property
    def held_key(self) -> str:
        """The text under which a correction waits for it; unambiguous, since a source has no spaces."""
        return f"id {self.source} {self.id}" if self.id is not None else f"key {self.source} {self.sourcekey}"


def named_in(held_key: str) -> Named:
    """What a held correction waits for."""
    kind, source, name = held_key.split(" ", 2)
    return Named(source, id=name) if kind == "id" else Named(source, sourcekey=name)


@dataclass(frozen=True, slots=True)
class Found:
    """An event that is named by another. `record`: where its record begins; `owner`: the pseudonym that this belongs to.

    `person`: the pseudonym that the owner is known by now; `holders`: the students who hold the record, she among them.
    """

    position: int
    type: str
    record: int
    owner: str
    person: str
    holders: tuple[str, ...]

    @property
    def link(self) -> Link:
        """How what corrects it belongs to its record."""
        return Link(None, self.record)

    def sharers(self, subject: str) -> tuple[str, ...]:
        """The other students who hold what belongs to this record."""
        return tuple(holder for holder in self.holders if holder != subject)


def objection(type: str, found: Found, subject: str) -> Rejected | None:
    """Why an event of this type, about this student, may not belong to the record that was found; None: it may."""
    if found.type not in (PIECES | CORRECTIONS if type == EvidenceRetracted.TYPE else PIECES):
        what = "a piece of evidence or a correction" if type == EvidenceRetracted.TYPE else "a piece of evidence"
        return Rejected("not-correctable", what, pointer="/data/target")
    if found.person != subject:
        pointer, whose = ("/sourcekey", "a key of") if type in KEYED else ("/data/target", "an event of")
        return Rejected(OTHER_STUDENT, f"{whose} no other student's record", pointer=pointer)
    return None


def standing_retraction(events: Sequence[Event[Data]], target: int, *, whole: bool) -> int | None:
    """The position of a retraction that has done already what a new one of `target` would do, given its record's events in order.

    A retraction is in force unless one in force names it. One of the whole record is done if no piece came after it.
    """
    named: set[int] = set()
    for event in reversed(events):
        position, data = int(event.position), event.data
        if isinstance(data, EvidenceRetracted) and position not in named:
            if data.scope == "event":
                named.add(int(data.target))
            if (data.scope == "record") == whole and int(data.target) == target:
                return position
        elif whole and event.type in PIECES:
            return None
    return None
