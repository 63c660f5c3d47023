"""What evidence a student holds, and what of it goes over when people are merged and unmerged. Pure: a companion of `domain.py`.

A story is the events placed with a student, in log order (see `contracts.events.corrections`). Everything of a record goes
together: its pieces and their corrections, the retracted ones too, so that a retraction can still be retracted afterwards.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from contracts.codec import prepare
from contracts.envelope import Data, Event
from contracts.events import EvidenceCarried, EvidenceRetracted, EvidenceSubmitted, EvidenceSuperseded, StudentUnmerged
from services.evidence.domain import Draft

# What a story is read for.
TYPES = (EvidenceSubmitted.TYPE, EvidenceSuperseded.TYPE, EvidenceRetracted.TYPE, EvidenceCarried.TYPE, StudentUnmerged.TYPE)


@dataclass(frozen=True, slots=True)
class Told:
    """An event of evidence in a story. `place`: where it first stood; `owner`: the pseudonym that its record belongs to."""

    event: Event[Data]
    place: int
    owner: str


Story = Mapping[int, Told]


def story_of(student: str, events: Iterable[Event[Data]]) -> Story:
    """What she holds after these events, which are all that are placed with her, in log order; by place."""
    held: dict[int, Told] = {}
    keys: dict[tuple[str, str], str] = {}
    for event in events:
        data = event.data
        if isinstance(data, StudentUnmerged):
            if event.subject == student:
                held = {place: told for place, told in held.items() if told.owner not in data.returned}
            continue
        place = int(event.originalposition or event.position)
        if place not in held:
            held[place] = Told(event, place, _owner(event, held, keys))
    return held


def _owner(event: Event[Data], held: Story, keys: dict[tuple[str, str], str]) -> str:
    """Whose the event's record is: a record belongs to the pseudonym that its first piece belongs to."""
    own = event.resolvedfrom or event.subject
    assert own is not None
    if isinstance(event.data, EvidenceRetracted | EvidenceSuperseded):
        target = held.get(int(event.data.target))
        return target.owner if target else own
    if event.sourcekey is not None:
        return keys.setdefault((event.source, event.sourcekey), own)
    return own


def given(story: Story, receiver: Story, owners: Collection[str] | None = None) -> list[Told]:
    """What of a story its receiver does not hold yet, by place: all of it, or the records that belong to `owners`."""
    return [told for place, told in sorted(story.items()) if place not in receiver and (owners is None or told.owner in owners)]


def copy_for(student: str, told: Told) -> Draft:
    """The copy of an event under another student. It is numbered and published, and neither counted nor seen: it was sent once."""
    event = told.event
    prepared = prepare(
        event.data,
        id=event.id,
        source=event.source,
        time=event.time,
        subject=student,
        correlationid=event.correlationid,
        causationid=event.causationid,
        submissionhash=event.submissionhash,
        actor=event.actor,
        sourcesequence=event.sourcesequence,
        sourcekey=event.sourcekey,
        resolvedfrom=told.owner if told.owner != student else None,
        originalposition=str(told.place),
    )
    return Draft(event.source, event.source, event.id, date.min, student, event.data.TYPE, b"", prepared, merges=0)
