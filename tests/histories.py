"""Legal histories of evidence and its corrections, appended the way the ledger appends them: what tests of folds are told in.

Knows who is merged into whom, who holds what, and which copies a merge needs. Names people by number: `identity` is whom a
publisher names, which leads to the student who is that person now.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import Any

from contracts.codec import decode
from contracts.envelope import Data
from contracts.events import (
    AssessorReinstated,
    AssessorRevoked,
    Evidence,
    EvidenceCarried,
    EvidenceRetracted,
    EvidenceSubmitted,
    EvidenceSuperseded,
    StudentMerged,
    StudentUnmerged,
)
from tests.story import Story, a_student


@dataclass
class Told:
    """An event as the log has it first: what was said, whose it is, and which record it belongs to."""

    place: int
    data: Data
    owner: int
    record: int  # the place of the record's first piece; of a retraction that of what it names
    arguments: dict[str, Any]


@dataclass
class History:
    """A log of several people. `into` says whom a person was merged into; `stories` are the places that a student holds."""

    story: Story = field(default_factory=lambda: Story(2))
    told: dict[int, Told] = field(default_factory=dict)
    stories: dict[int, set[int]] = field(default_factory=dict)
    into: dict[int, int] = field(default_factory=dict)
    keys: dict[tuple[str, str, int], int] = field(default_factory=dict)

    def now(self, identity: int) -> int:
        """Who a person is now."""
        while identity in self.into:
            identity = self.into[identity]
        return identity

    def submit(self, identity: int, data: Evidence | EvidenceCarried, *, key: str | None = None, **arguments: Any) -> int:
        """A piece, of the record of `key` if there is one; its place."""
        source = str(arguments.get("source", "app:test"))
        who = self.now(identity)
        record = self.keys.get((source, key, who)) if key is not None else None
        place = self._append(identity, data, record, sourcekey=key, **arguments)
        if key is not None:
            self.keys.setdefault((source, key, who), place)
        return place

    def supersede(self, target: int, data: EvidenceSubmitted, **arguments: Any) -> int:
        """Another content for the record of the piece at `target`; its place."""
        said = EvidenceSuperseded(**dict(data), target=str(target), reason="wrong-score")
        return self._append(self.told[target].owner, said, self.told[target].record, **arguments)

    def retract(self, target: int, *, record: bool = False, **arguments: Any) -> int:
        """Withdraw the event at `target`, or its record as it is now; the retraction's place."""
        of = self.told[target].record
        said = EvidenceRetracted(target=str(of if record else target), scope="record" if record else "event", reason="other")
        return self._append(self.told[target].owner, said, of, **arguments)

    def merge(self, survivor: int, other: int) -> None:
        """Two students who are somebody become one."""
        copies = sorted(self.stories.get(other, set()) - self.stories.get(survivor, set()))
        self._copy(survivor, copies)
        said = StudentMerged(other=a_student(other), copies=len(copies), reason="other")
        self.story.tell(said, student=a_student(survivor), sharedwith=a_student(other))
        self.into[other] = survivor
        for (source, key, who), place in list(self.keys.items()):
            if who == other:
                self.keys.setdefault((source, key, survivor), place)

    def unmerge(self, other: int) -> None:
        """A student who was merged into one who is somebody comes back, with those who had been merged into her."""
        survivor = self.into.pop(other)
        returned = [who for who in self.stories | self.into | {other: 0} if self.now(who) == other]
        gone = {place for place in self.stories.get(survivor, set()) if self.told[self.told[place].record].owner in returned}
        copies = sorted(gone - self.stories.get(other, set()))
        self._copy(other, copies)
        names = tuple(a_student(who) for who in sorted(returned))
        said = StudentUnmerged(other=a_student(other), returned=names, copies=len(copies), reason="other")
        self.story.tell(said, student=a_student(survivor), sharedwith=a_student(other))
        self.stories[survivor] = self.stories.get(survivor, set()) - gone
        for (source, key, who), place in list(self.keys.items()):
            if who == survivor and place in gone:
                del self.keys[source, key, who]
                self.keys.setdefault((source, key, other), place)

    def revoke(self, assessor: str, since: dt.datetime | None = None) -> None:
        self.story.tell(AssessorRevoked(assessor=assessor, since=since, reason="other"))

    def reinstate(self, assessor: str) -> None:
        self.story.tell(AssessorReinstated(assessor=assessor, reason="other"))

    def _append(self, identity: int, data: Data, record: int | None, **arguments: Any) -> int:
        subject = self.now(identity)
        holders = [who for who, places in self.stories.items() if record is not None and record in places and who != subject]
        place = self.story.tell(
            data,
            student=a_student(subject),
            resolvedfrom=a_student(identity) if identity != subject else None,
            sharedwith=" ".join(a_student(who) for who in holders) or None,
            **arguments,
        )
        self.told[place] = Told(place, data, identity, place if record is None else record, arguments)
        for who in (subject, *holders):
            self.stories.setdefault(who, set()).add(place)
        return place

    def _copy(self, to: int, places: list[int]) -> None:
        log = self.story.records
        for place in places:
            first, told = decode(log[place]), self.told[place]
            self.story.tell(
                first.data,
                student=a_student(to),
                time=first.time,
                id=first.id,
                source=first.source,
                sourcekey=first.sourcekey,
                sourcesequence=first.sourcesequence,
                resolvedfrom=a_student(told.owner),
                originalposition=str(place),
            )
            self.stories.setdefault(to, set()).add(place)
