"""A district's roster compared with what was stated, and the changes appended through the ledger like any submission.

Order: people into the vault, schools, calendars, staff, classes, then students, 500 events an append. What is stated is kept
after each append; an import that was killed in between states those events once more, under the same ids, as duplicates.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time

import orjson

from contracts.codec import prepare
from contracts.envelope import Data
from contracts.ids import derived_id
from contracts.submissions import SUBMISSIONS
from services.chassis.postgres import Pool, passing
from services.chassis.telemetry import traceparent
from services.evidence.admit import Key, hashed, keyed
from services.evidence.domain import Batch, Draft, Receipt
from services.evidence.grants import Publisher, short
from services.evidence.ledger import Ledger
from services.evidence.roster.district import District
from services.evidence.roster.folder import BadRow
from services.evidence.roster.guard import SCHEME, chunks, person
from services.evidence.roster.rows import User
from services.evidence.roster.statements import absent, as_json, changes, digest
from services.evidence.roster.students import statements_of
from services.evidence.roster.things import Things, closed, things_of
from services.evidence.stated import StatedStudent, Statement
from services.evidence.store import publishers, roster
from services.evidence.vault import STAFF, STUDENT, Kind, Vault

# The publisher of what rosters say. It has no key: this is its only door.
ROSTER = Publisher("roster", frozenset(SUBMISSIONS))
AT_ONCE = 500
PEOPLE_AT_ONCE = 5000
BAD_SHOWN = 10
# All that rosters state is deduplicated under one day: an id says which statement it is, whenever it is stated again. For the
# same reason the time, which for things is that of the import, is no part of what tells a resend from a conflict.
DAY = date(1970, 1, 1)
OTHER_KIND = "expected a student or a member of staff, as in earlier rosters"


@dataclass(slots=True)
class Summary:
    """What an import did. `events` by type; `duplicates` were in the log already, from an import that was stopped."""

    read: dict[str, int]
    bad: list[BadRow]
    events: Counter[str] = field(default_factory=Counter)
    duplicates: int = 0
    unchanged: int = 0
    people: int = 0
    released: int = 0

    def as_json(self) -> dict[str, object]:
        """The summary as plain JSON. No row's content is in it."""
        bad = [{"file": each.file, "line": each.line, "reason": each.reason} for each in self.bad]
        counts = {"duplicates": self.duplicates, "unchanged": self.unchanged, "people": self.people, "released": self.released}
        return {"rows": self.read, "events": dict(self.events), **counts, "bad": bad}

    def as_text(self) -> str:
        """The summary for a person, with the first bad rows."""
        rows = ", ".join(f"{count:,} {file}" for file, count in self.read.items())
        events = ", ".join(f"{count:,} {name}" for name, count in sorted(self.events.items()) if count) or "nothing"
        lines = [f"Read {rows}.", f"Added {events}; {self.unchanged:,} unchanged, {self.people:,} people new or changed."]
        if self.released:
            lines.append(f"{self.released:,} submissions that waited for somebody were let in or refused.")
        if self.bad:
            lines.append(f"{len(self.bad):,} rows were not taken:")
            lines += [f"  {each.file}, line {each.line}: {each.reason}" for each in self.bad[:BAD_SHOWN]]
            lines += ["  … (all of them with --json)"] if len(self.bad) > BAD_SHOWN else []
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class Stated:
    """An event to append: about whom (None for a reference event) and when; `key` and `version` make its id."""

    data: Data
    key: str
    version: int
    subject: str | None
    time: datetime


class Importer:
    """One import. `today` is the district's date, `advance` is told how many things were compared."""

    def __init__(
        self,
        ledger: Ledger,
        vault: Vault,
        pool: Pool,
        key: bytes,
        *,
        today: date,
        advance: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._ledger = ledger
        self._vault = vault
        self._pool = pool
        self._sameness = keyed(key)
        self._today = today
        self._advance = advance
        self._merges = 0

    async def run(self, district: District) -> Summary:
        """Import all of it. `Conflict` when people were merged meanwhile: run it again, nothing is stated twice."""
        summary = Summary(dict(district.read), list(district.bad))
        with passing():
            await publishers.add(self._pool, ROSTER, None)
        self._merges = (await self._ledger.head()).merges
        names = await self._people(district, summary)
        for kind, things in things_of(district, names):
            await self._state_things(kind, things, frozenset(district.schools), summary)
        await self._state_students(district, names, summary)
        return summary

    # People

    async def _people(self, district: District, summary: Summary) -> dict[str, str]:
        """Everybody into the vault; pseudonyms by sourcedId. Somebody who was the other kind of person before is left out."""
        names: dict[str, str] = {}
        for kind, wanted in ((STUDENT, True), (STAFF, False)):
            for users in chunks((user for user in district.users.values() if user.is_student is wanted), PEOPLE_AT_ONCE):
                names |= await self._register(kind, users, summary)
        return names

    async def _register(self, kind: Kind, users: Sequence[User], summary: Summary) -> dict[str, str]:
        found = await self._vault.register(kind, [Key(SCHEME, user.sourced_id) for user in users])
        names = {key.value: name for key, name in found.items() if name.startswith(kind)}
        known = [user for user in users if user.sourced_id in names]
        summary.bad += [BadRow("users.csv", user.line, OTHER_KIND) for user in users if user.sourced_id not in names]
        await self._vault.link({Key(*each): Key(SCHEME, user.sourced_id) for user in known for each in user.identifiers})
        people = {names[user.sourced_id]: person(user, names[user.sourced_id]) for user in known}
        summary.people += await self._vault.describe(list(people.values()))
        return names

    # Reference events

    async def _state_things(self, kind: str, things: Things, schools: frozenset[str], summary: Summary) -> None:
        """State the things of a kind that are new or changed, and close those that are gone from these schools."""
        with passing():
            before = await roster.stated(self._pool, kind)
        now = dict(things) | closed(before, things, schools)
        changed: list[Statement] = []
        for key, (where, data) in now.items():
            told, last = digest(data), before.get(key)
            if last is None or last.digest != told:
                changed.append(Statement(kind, key, where, last.version + 1 if last else 1, told, as_json(data)))
        summary.unchanged += len(now) - len(changed)
        self._advance(len(now) - len(changed))
        midnight = datetime.combine(self._today, time(), UTC)
        for statements in chunks(changed, AT_ONCE):
            events = [Stated(now[each.key][1], f"{kind} {each.key}", each.version, None, midnight) for each in statements]
            await self._append(events, summary)
            with passing():
                await roster.state(self._pool, statements)
            self._advance(len(statements))

    # Students

    async def _state_students(self, district: District, names: Mapping[str, str], summary: Summary) -> None:
        students = [user for user in district.users.values() if user.is_student and user.sourced_id in names]
        for users in chunks(students, AT_ONCE):
            with passing():
                before = await roster.students(self._pool, [names[user.sourced_id] for user in users])
            made = [self._student(district, user, before.get(names[user.sourced_id]), names) for user in users]
            await self._state_changes(made, summary)
        there = {names[user.sourced_id] for user in students}
        after = ""
        while True:
            with passing():
                enrolled = await roster.enrolled_at(self._pool, list(district.schools), after, AT_ONCE)
            if not enrolled:
                return
            after = enrolled[-1].pseudonym
            gone = [absent(each, self._today) for each in enrolled if each.pseudonym not in there]
            await self._state_changes([(each.stated, each.events) for each in gone], summary)

    def _student(
        self, district: District, user: User, before: StatedStudent | None, names: Mapping[str, str]
    ) -> tuple[StatedStudent, Sequence[Data]]:
        stated = before or StatedStudent(names[user.sourced_id])
        first = min((row.begin for row in district.enrolments.get(user.sourced_id, [])), default=None)
        made = changes(stated, statements_of(district, user), user.programmes, first, self._today)
        return made.stated, made.events

    async def _state_changes(self, made: Sequence[tuple[StatedStudent, Sequence[Data]]], summary: Summary) -> None:
        changed = [(stated, events) for stated, events in made if events]
        summary.unchanged += len(made) - len(changed)
        events = [
            Stated(data, stated.pseudonym, stated.version - len(theirs) + number, stated.pseudonym, _midnight(data))
            for stated, theirs in changed
            for number, data in enumerate(theirs, 1)
        ]
        for chunk in chunks(events, AT_ONCE):
            await self._append(chunk, summary)
        if changed:
            with passing():
                await roster.state_students(self._pool, [stated for stated, _ in changed])
        self._advance(len(made))

    # The log

    async def _append(self, events: Sequence[Stated], summary: Summary) -> None:
        trace = traceparent()
        drafts = tuple(self._draft(each, trace) for each in events)
        for draft, outcome in zip(drafts, await self._ledger.append(Batch(drafts=drafts)), strict=True):
            if not isinstance(outcome, Receipt):
                raise AssertionError(f"an event of the roster was not accepted: {type(outcome).__name__}")
            summary.duplicates += outcome.duplicate
            summary.events[short(draft.type)] += not outcome.duplicate

    def _draft(self, stated: Stated, trace: str | None) -> Draft:
        told = as_json(stated.data)
        source = ROSTER.name
        id = derived_id(source, stated.key, stated.version, digest(stated.data).hex())
        meaning = {"source": source, "id": id, "subject": stated.subject, "data": told}
        sameness = hashed(self._sameness, orjson.dumps(meaning, option=orjson.OPT_SORT_KEYS))
        prepared = prepare(
            stated.data, id=id, source=source, time=stated.time, subject=stated.subject, submissionhash=sameness.hex()
        )
        return Draft(
            publisher=source,
            source=source,
            id=id,
            day=DAY,
            subject=stated.subject,
            type=stated.data.TYPE,
            submissionhash=sameness,
            prepared=prepared,
            merges=self._merges,
            traceparent=trace,
            payload=orjson.dumps(told),
        )


def _midnight(data: Data) -> datetime:
    """The time of a student's statement: the beginning of its day, in UTC, so that stating it again is the same event."""
    effective: date = data.effective  # type: ignore[attr-defined]
    return datetime.combine(effective, time(), UTC)
