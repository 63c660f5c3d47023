"""What a batch brought is retracted, piece by piece, in its publisher's name: what those pieces had replaced counts again.

A retraction is a submission like any other. It names the student by an identifier that leads to her, which the vault gives; of what
still waits at the door, by the one that it waits with.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from contracts.codec import timestamp
from contracts.events import EvidenceRetracted
from contracts.ids import derived_id
from services.chassis.errors import Rejected
from services.chassis.postgres import passing
from services.chassis.telemetry import span
from services.evidence.corrections import Named
from services.evidence.files.importing import AT_ONCE, publisher_of, the_only_import
from services.evidence.files.pace import wait_for_a_gap
from services.evidence.opening import Opened
from services.evidence.parse import Item, parse
from services.evidence.store import files as store
from services.evidence.store.files import Import

Person = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Undone:
    """What undoing a batch did. `outcomes` of the retractions; `gone`: what was refused after all, so there is nothing to undo."""

    batch: str
    outcomes: Counter[str]
    gone: int

    def as_json(self) -> dict[str, object]:
        """As plain JSON."""
        return {"batch": self.batch, "retracted": self.outcomes["accepted"], "waiting": self.outcomes["held"], "gone": self.gone}

    def as_text(self) -> str:
        """For a person."""
        waiting = f", {self.outcomes['held']:,} will be when they come in" if self.outcomes["held"] else ""
        return f"Batch {self.batch}: {self.outcomes['accepted']:,} events retracted{waiting}. What they had replaced counts again."


async def undo_import(has: Opened, batch: str, advance: Callable[[int], None] = lambda _: None) -> Undone:
    """Retract what the batch brought. One that was stopped goes on when it is run again. Raises `Rejected`."""
    with passing():
        of = await store.find(has.pool, batch)
    if of is None:
        raise Rejected("unknown-batch", "the name of a batch (`cairn evidence imports`)")
    publisher = await publisher_of(has, of.publisher)
    outcomes: Counter[str] = Counter()
    gone = 0
    with span("file undo"), passing():
        async with the_only_import(has, of.publisher):
            began = await store.begin_undoing(has.pool, batch)
            while ids := await store.brought(has.pool, batch, AT_ONCE):
                people = await _people(has, of, ids)
                items = [_retraction(of, began, id, people[id]) for id in ids if id in people]
                await wait_for_a_gap(has.pool)
                answers = await has.door.submit(publisher, items) if items else []
                _stop_at_refused([answer.outcome for answer in answers])
                outcomes.update(answer.word for answer in answers)
                gone += len(ids) - len(items)
                await store.undo(has.pool, of, ids)
                advance(len(ids))
    return Undone(batch, outcomes, gone)


def _stop_at_refused(outcomes: Sequence[object]) -> None:
    """A grant that was narrowed since may forbid to retract what it allowed to send."""
    for outcome in outcomes:
        if isinstance(outcome, Rejected):
            raise outcome


async def _people(has: Opened, of: Import, ids: Sequence[str]) -> dict[str, Person]:
    """An identifier of the student whom each of these events is about; of those that are nowhere, none."""
    found = await has.door.find([Named(of.source, id=id) for id in ids])
    identifiers = await has.vault.identifiers_of({each.person for each in found.values()})
    people: dict[str, Person] = {}
    for name, each in found.items():
        if name.id is not None and each.person in identifiers:
            people[name.id] = identifiers[each.person]._asdict()
    waiting = [id for id in ids if id not in people]
    for id, payload in (await store.payloads(has.pool, of.source, waiting)).items() if waiting else ():
        people[id] = orjson.loads(payload)["data"]["student"]
    return people


def _retraction(of: Import, began: datetime, id: str, student: Person) -> Item:
    said: dict[str, Any] = {
        "specversion": "1.0",
        "id": derived_id("undo", of.batch, of.number, id),
        "source": of.source,
        "type": EvidenceRetracted.TYPE,
        "time": timestamp(began),
        "data": {"student": student, "target": {"id": id}, "reason": "entered-in-error"},
    }
    return parse(orjson.dumps(said), "event").items[0]
