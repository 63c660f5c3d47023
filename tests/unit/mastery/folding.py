"""The view folded in memory: the engine's order of things without its Postgres, for tests of the rules alone.

Reference events and midnights refold everybody, as a sweep would; a student's event with a later date waits for its tick.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from contracts.envelope import Data
from contracts.events import LogTicked
from contracts.events.mastery import Move
from services.chassis.projection.digest import Digest, term
from services.chassis.projection.reference import Reference, Version, World
from services.chassis.projection.view import Entry, Step, told_of
from services.mastery import terms
from services.mastery.domain import Student, initial
from services.mastery.handlers import MasteryView
from services.mastery.standings import Standing


class Folded:
    """Students after some entries, and what was told on the way."""

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self.view = MasteryView()
        self.reference = Reference()
        self.students: dict[str, Student] = {}
        self.told: list[tuple[str, Data]] = []
        self.waiting: list[tuple[dt.date, int, Entry]] = []
        for entry in entries:
            self.fold(entry)

    def fold(self, entry: Entry) -> None:
        """Apply the next entry."""
        if entry.event.subject is None:
            self._refer(entry)
            return
        world = self.reference.at(entry.position)
        for turn in told_of(entry, 1):
            date, subject = self.view.effective_on(turn), turn.subject or ""
            if date is not None and date > world.date:
                self.waiting.append((date, entry.position, turn))
            else:
                self._keep(subject, self.view.evolve(self._student(subject), turn, world))

    def standing(self, student: str, competency: str = "MA.1", framework: str = "math") -> Standing:
        """Where a student stands."""
        return self.students[student].standings[framework, competency]

    def moves(self, student: str) -> list[Move]:
        """All moves told of a student, in order."""
        return [move for who, data in self.told if who == student for move in data.moves]  # type: ignore[attr-defined]

    @property
    def digest(self) -> Digest:
        """The digests of everybody, from their whole states."""
        texts = [both for who, student in self.students.items() for both in terms.whole(who, student)]
        pairs = ((term(exact) if exact else 0, term(meaning) if meaning else 0) for exact, meaning in texts)
        return sum((Digest(exact, meaning) for exact, meaning in pairs), Digest())

    def _student(self, subject: str) -> Student:
        return self.students.get(subject, initial)

    def _keep(self, subject: str, step: Step[Student]) -> None:
        self.students[subject] = step.state
        self.told += [(subject, data) for data in step.changes]

    def _refer(self, entry: Entry) -> None:
        before = self.reference.at(entry.position - 1)
        if isinstance(entry.event.data, LogTicked):
            if entry.event.data.date == before.date:
                return
            self.reference.add_date(entry.position, entry.event.data.date)
            self._bring_in(entry)
            moved = bool(self.view.moved_at(before, self._world(entry)))
        else:
            named = self.view.version_of(entry)
            if named is None:
                return
            version = Version(*named, entry.position, entry.event.data)
            self.reference.add(version)
            moved = self.view.moved_by(version, before, self._world(entry)) is not None
        if moved:
            for subject, student in sorted(self.students.items()):
                self._keep(subject, self.view.refold(student, entry, self._world(entry)))

    def _bring_in(self, tick: Entry) -> None:
        world = self._world(tick)
        due = sorted(item for item in self.waiting if item[0] <= world.date)
        self.waiting = [item for item in self.waiting if item[0] > world.date]
        for _, _, entry in due:
            subject = entry.event.subject or ""
            self._keep(subject, self.view.evolve(self._student(subject), entry, world))

    def _world(self, entry: Entry) -> World:
        return self.reference.at(entry.position)
