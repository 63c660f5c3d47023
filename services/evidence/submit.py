"""Where every door leads: items of a publisher become drafts, holds or refusals, and those become one append.

Owns: the way from items to outcomes. Must not: know HTTP or JSON's spelling, or hold SQL.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import NamedTuple

import prometheus_client

from services.chassis.errors import Conflict, Rejected, Transient
from services.chassis.telemetry import traceparent
from services.evidence.admit import Admitted, Key, Resolution, admit, draft, held_key, hold, keyed, refusal
from services.evidence.corrections import CORRECTIONS, UNKNOWN_TARGET, Found, Named, objection
from services.evidence.deduplication import OTHER_STUDENT
from services.evidence.domain import (
    Abandoned,
    Batch,
    Conflicting,
    Cursor,
    Delivery,
    Draft,
    Foreign,
    Held,
    Hold,
    Outcome,
    Receipt,
    RecordBegun,
    Refusal,
    Told,
    Valid,
)
from services.evidence.gather import Gatherer
from services.evidence.grants import Publisher
from services.evidence.ledger import Ledger
from services.evidence.parse import Item
from services.evidence.vault import STAFF, STUDENT, Vault

UNKNOWN_STUDENT, UNKNOWN_STAFF = "unknown-student", "unknown-staff"
# A merge is rare, and each takes one more try. More in a row means that something else is wrong.
MOST_RESOLUTIONS = 5

outcomes = prometheus_client.Counter("cairn_submissions_total", "Items submitted, by what became of them", ["publisher", "outcome"])

# The schools at which students are enrolled now, by pseudonym.
SchoolsOf = Callable[[Collection[str]], Awaitable[Mapping[str, frozenset[str]]]]
# What events and records of the log are named; unknown ones are left out.
Find = Callable[[Collection[Named]], Awaitable[Mapping[Named, Found]]]


class Answer(NamedTuple):
    """What became of one item. `source` and `id` are None where they could not be read. A `Rejected` was refused here."""

    source: str | None
    id: str | None
    outcome: Outcome | Rejected | Valid

    @property
    def word(self) -> str:
        """The counter that it went to; `valid` goes to none."""
        match self.outcome:
            case Valid():
                return "valid"
            case Receipt(duplicate=False):
                return "accepted"
            case Receipt() | Held(duplicate=True):
                return "duplicate"
            case Held():
                return "held"
            case Conflicting() | Foreign() | Abandoned() | Rejected():
                return "rejected"


@dataclass(frozen=True, slots=True)
class TurnedAway:
    """An item that did not pass, with what is kept of it."""

    refusal: Refusal
    rejected: Rejected


Placed = Draft | Hold | TurnedAway


@dataclass(frozen=True, slots=True)
class Arrival:
    """Items from an inbox: the cursor that moves with them, and how their answers are told. Both in the ledger's transaction."""

    cursor: Cursor
    tell: Callable[[Sequence[Answer]], Sequence[Told]]


class Door:
    """The way into the ledger, shared by all doors of a process. `key` is the vault's key of submission hashes."""

    def __init__(self, ledger: Ledger, vault: Vault, schools_of: SchoolsOf, find: Find, key: bytes) -> None:
        self.ledger = ledger
        self.vault = vault
        self.find = find
        self._gatherer = Gatherer(ledger)
        self._schools_of = schools_of
        self._sameness = keyed(key)

    async def submit(
        self, publisher: Publisher, items: Sequence[Item], *, atomic: bool = False, arrival: Arrival | None = None
    ) -> list[Answer]:
        """An answer for each item, in order. Everything accepted or held is durable once this returns.

        `Taken`: the items arrived in an inbox, and somebody else has taken them.
        """
        passed = [self.admit(item, publisher) for item in items]
        for _ in range(MOST_RESOLUTIONS):
            try:
                placed = await self.place(passed, publisher)
                answers = await self._append(placed, atomic=atomic, arrival=arrival)
            except RecordBegun:
                continue
            except Conflict:
                await self.vault.refresh()
                continue
            for word, count in Counter(answer.word for answer in answers).items():
                outcomes.labels(publisher.name, word).inc(count)
            return answers
        raise Transient("identifiers are being merged")

    async def validate(self, publisher: Publisher, items: Sequence[Item]) -> list[Answer]:
        """What is wrong with each item, if anything, or that it would wait. Nothing is taken, kept or counted."""
        placed = await self.place([self.admit(item, publisher) for item in items], publisher)
        return [_answer(each, iter([Held() if isinstance(each, Hold) else Valid()])) for each in placed]

    async def refuse(self, publisher: Publisher, body: bytes, rejected: Rejected) -> None:
        """Count and keep a body that could not be split into items: one received, one rejected."""
        await self.ledger.append(Batch(refusals=(refusal(Item(body), publisher, rejected),)))
        outcomes.labels(publisher.name, "rejected").inc()

    def admit(self, item: Item, publisher: Publisher, *, held: bool = False) -> Admitted | TurnedAway:
        """The item checked as far as it can be without looking anything up."""
        try:
            return admit(item, publisher, self._sameness)
        except Rejected as rejected:
            return TurnedAway(refusal(item, publisher, rejected, held=held), rejected)

    async def place(self, passed: Sequence[Admitted | TurnedAway], publisher: Publisher, *, held: bool = False) -> list[Placed]:
        """What is to become of each item, now that its people and what it corrects are looked up.

        `Conflict`: people were merged meanwhile, so that the one and the other look-up don't fit; look them up again.
        """
        students = {key for each in passed if isinstance(each, Admitted) for key in each.students}
        staff = {key for each in passed if isinstance(each, Admitted) for key in each.staff}
        resolution = await self._resolve(publisher, students, staff)
        names = {each.names for each in passed if isinstance(each, Admitted) and each.names}
        found = await self.find(names) if names else {}
        outside = await self._outside_grant(passed, publisher, resolution)
        placing = _Placing(publisher, resolution, found, outside, None if held else traceparent(), held)
        placed = [each if isinstance(each, TurnedAway) else placing.place(each) for each in passed]
        codes = {each.rejected.code for each in placed if isinstance(each, TurnedAway)}
        if OTHER_STUDENT in codes and await self.vault.moved_since(resolution.merges):
            raise Conflict("identifiers were merged meanwhile: resolve again")
        return placed

    async def _resolve(self, publisher: Publisher, students: Set[Key], staff: Set[Key]) -> Resolution:
        """Who is meant. In a sandbox it is whoever is named, and nobody that a roster knows."""
        if publisher.sandbox:
            return await self.vault.make_believe(publisher.name, students, staff)
        return await self.vault.resolve(students | staff)

    async def _outside_grant(
        self, passed: Sequence[Admitted | TurnedAway], publisher: Publisher, resolution: Resolution
    ) -> frozenset[str]:
        """The students, among those spoken about, who are at none of the publisher's schools."""
        if publisher.schools is None:
            return frozenset()
        told = {key for each in passed if isinstance(each, Admitted) for key in each.students}
        students = {resolution.pseudonyms[key] for key in told if key in resolution.pseudonyms}
        schools = await self._schools_of(students)
        return frozenset(each for each in students if not publisher.may_speak_about_student_at(schools.get(each, frozenset())))

    async def _append(self, placed: Sequence[Placed], *, atomic: bool, arrival: Arrival | None) -> list[Answer]:
        """One append for all; a single draft shares one with others that are under way."""
        if len(placed) == 1 and isinstance(placed[0], Draft) and arrival is None:
            return [Answer(placed[0].source, placed[0].id, await self._gatherer.submit(placed[0]))]
        drafts = tuple(each for each in placed if isinstance(each, Draft))
        holds = tuple(each for each in placed if isinstance(each, Hold))
        refusals = tuple(each.refusal for each in placed if isinstance(each, TurnedAway))
        delivery = None if arrival is None else Delivery(arrival.cursor, lambda found: arrival.tell(_answers(placed, found)))
        return _answers(placed, await self.ledger.append(Batch(drafts, refusals, holds, atomic, delivery)))


def _answers(placed: Sequence[Placed], found: Sequence[Outcome]) -> list[Answer]:
    """An answer for each item, from the ledger's outcomes: of the drafts, then of the holds."""
    drafts = sum(isinstance(each, Draft) for each in placed)
    of_drafts, of_holds = iter(found[:drafts]), iter(found[drafts:])
    return [_answer(each, of_drafts if isinstance(each, Draft) else of_holds) for each in placed]


def _answer(placed: Placed, found: Iterator[Outcome | Valid]) -> Answer:
    if isinstance(placed, TurnedAway):
        return Answer(placed.refusal.source, placed.refusal.id, placed.rejected)
    return Answer(placed.source, placed.id, next(found))


@dataclass(frozen=True, slots=True)
class _Placing:
    """What was looked up for some items of a publisher. `outside`: students at none of the schools that are granted."""

    publisher: Publisher
    people: Resolution
    found: Mapping[Named, Found]
    outside: frozenset[str]
    trace: str | None
    held: bool

    def place(self, admitted: Admitted) -> Placed:
        """What is to become of an item: it waits for a person, then for its target; it is turned away; or it is a draft."""
        return self._people(admitted) or self._target(admitted) or self._draft(admitted)

    def _people(self, admitted: Admitted) -> Placed | None:
        known = self.people.pseudonyms
        for keys, kind, reason, pointer in (
            (admitted.students, STUDENT, UNKNOWN_STUDENT, "/data/student"),
            (admitted.staff, STAFF, UNKNOWN_STAFF, "/data"),
        ):
            for key in keys:
                if (pseudonym := known.get(key)) is None:
                    return hold(admitted, self.publisher, reason, held_key(key))
                if not pseudonym.startswith(kind):
                    return self._refused(admitted, _wrong_kind(kind, pointer))
                if pseudonym in self.outside:
                    expected = "a student of a school that is granted"
                    return self._refused(admitted, Rejected("outside-grant", expected, pointer=pointer, status=403))
        return None

    def _target(self, admitted: Admitted) -> Placed | None:
        names, type = admitted.names, admitted.submission.type
        if names is None:
            return None
        if (found := self.found.get(names)) is None:
            return hold(admitted, self.publisher, UNKNOWN_TARGET, names.held_key) if type in CORRECTIONS else None
        rejected = objection(type, found, self.people.pseudonyms[admitted.students[0]])
        return None if rejected is None else self._refused(admitted, rejected)

    def _draft(self, admitted: Admitted) -> Draft:
        found = self.found.get(admitted.names) if admitted.names else None
        return draft(admitted, self.publisher, self.people, self.trace, found=found, held=self.held)

    def _refused(self, admitted: Admitted, rejected: Rejected) -> TurnedAway:
        return TurnedAway(refusal(admitted.item, self.publisher, rejected, held=self.held), rejected)


def _wrong_kind(kind: str, pointer: str) -> Rejected:
    who = "a student's identifier" if kind == STUDENT else "identifiers of staff where staff is named"
    return Rejected("wrong-person", who, pointer=pointer)
