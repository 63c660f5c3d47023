"""Folding entries over loaded states, and what must be written for it. The view's pure functions are called here and only here."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from contracts.envelope import Data
from contracts.events import LogTicked
from contracts.ids import derived_id
from services.chassis.errors import Paused, Poison
from services.chassis.log.outbox import Emission
from services.chassis.projection.parking import Parked, Queued
from services.chassis.projection.reference import World
from services.chassis.projection.view import Change, Entry, Step, View

S = TypeVar("S")
log = logging.getLogger(__name__)


@dataclass(slots=True)
class Folding(Generic[S]):
    """One transaction's fold of a partition: students' states as they were loaded, as they become, and what goes with them.

    `parked` are the subjects that are parked, before or by this transaction.
    """

    view: View[S]
    partition: int
    before: dict[str, S]
    parked: set[str]
    states: dict[str, S] = field(init=False)
    touched: dict[str, None] = field(default_factory=dict)
    emissions: list[Emission] = field(default_factory=list)
    newly_parked: list[Parked] = field(default_factory=list)
    parked_times: list[dt.datetime] = field(default_factory=list)  # when the log took what parked each of them
    queued: list[Queued] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.states = dict(self.before)

    def evolve(self, entry: Entry, world: World, *, trigger: Entry | None = None) -> None:
        """Fold a student's own event, or queue it if she is parked. `trigger`: the tick that brought a dated event in."""
        subject = entry.subject or ""
        at = trigger or entry
        if subject in self.parked:
            self.queued.append(Queued(subject, "event", at.position, entry, trigger))
            return
        try:
            step = self.view.evolve(self.states[subject], entry, world)
        except Exception as error:
            self._park(Queued(subject, "event", at.position, entry, trigger), error)
        else:
            self._keep(subject, step, cause=entry, at=at)

    def refold(self, subject: str, entry: Entry, world: World) -> None:
        """Fold a student again because the reference event or tick `entry` moved her, or queue that if she is parked."""
        if subject in self.parked:
            self.queued.append(Queued(subject, "refold", entry.position, entry))
            return
        try:
            step = self.view.refold(self.states[subject], entry, world)
        except Exception as error:
            self._park(Queued(subject, "refold", entry.position, entry), error)
        else:
            self._keep(subject, step, cause=entry, at=entry)

    def echo(self, entry: Entry, tick: LogTicked) -> None:
        """Tell the output topic that this tick is passed on all inputs."""
        event = entry.event
        id = derived_id(self.view.name, "tick", event.source, event.id)
        self.emissions.append(_emission(tick, id, None, cause=entry, at=entry))

    def changes(self) -> list[Change[S]]:
        """Every student whose state is another than was loaded."""
        return [Change(subject, self.before[subject], self.states[subject]) for subject in self.touched]

    def _keep(self, subject: str, step: Step[S], *, cause: Entry, at: Entry) -> None:
        if step.state is not self.states[subject]:
            self.states[subject] = step.state
            self.touched[subject] = None
        for number, data in enumerate(step.changes):
            id = derived_id(self.view.name, cause.event.source, cause.event.id, at.position, subject, number)
            self.emissions.append(_emission(data, id, subject, cause=cause, at=at))

    def _park(self, item: Queued, error: Exception) -> None:
        if isinstance(error, Paused):
            raise error
        reason = error.reason if isinstance(error, Poison) else type(error).__name__
        log.warning("parked a student before position %d: %s", item.at, reason)
        self.parked.add(item.subject)
        self.newly_parked.append(Parked(item.subject, self.partition, item.at, reason))
        self.parked_times.append((item.trigger or item.entry).event.recordedtime)
        self.queued.append(item)


def _emission(data: Data, id: str, subject: str | None, *, cause: Entry, at: Entry) -> Emission:
    # A change happens when the log takes what caused it: no clock is read, so a refold says the same.
    return Emission(
        data=data,
        id=id,
        subject=subject,
        time=at.event.recordedtime,
        recordedtime=at.event.recordedtime,
        causationid=cause.event.id,
        traceparent=at.traceparent,
    )


def subjects_of(entries: Iterable[Entry]) -> list[str]:
    """The students whom these entries concern, each once, in order of first appearance."""
    return list(dict.fromkeys(entry.subject for entry in entries if entry.subject is not None))
