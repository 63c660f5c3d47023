"""Whatever is sent, corrected, merged and unmerged in any legal order: each person holds her own records, whole and once."""

from __future__ import annotations

import random
from datetime import UTC, datetime

import pytest
from hypothesis import given as given_any
from hypothesis import settings
from hypothesis import strategies as st

from contracts.codec import decode, finish, prepare, timestamp
from contracts.envelope import Data, Event
from contracts.events import EvidenceRetracted, EvidenceSubmitted, EvidenceSuperseded, StudentUnmerged
from services.evidence.stories import Story, copy_for, given, story_of

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
STUDENTS = [f"s-{n:026d}" for n in range(5)]


class Log:
    """A log in memory with the rules of the ledger: who is merged into whom, who holds what, whose each record is."""

    def __init__(self) -> None:
        self.placed: dict[str, list[Event[Data]]] = {student: [] for student in STUDENTS}
        self.into: dict[str, str] = {}
        self.owners: dict[int, str] = {}  # of what every place belongs to
        self.firsts: dict[int, int] = {}  # the first piece of its record
        self.keys: dict[str, int] = {}
        self.position = 0

    def path(self, student: str) -> list[str]:
        return [student, *self.path(self.into[student])] if student in self.into else [student]

    def person(self, student: str) -> str:
        return self.path(student)[-1]

    def within(self, student: str) -> list[str]:
        return [student, *(each for other, into in self.into.items() if into == student for each in self.within(other))]

    def story(self, student: str) -> Story:
        return story_of(student, self.placed[student])

    def put(self, prepared: bytes) -> int:
        event = decode(finish(prepared, self.position, timestamp(NOON)))
        for holder in event.holders:
            self.placed[holder].append(event)
        self.position += 1
        return self.position - 1

    def send(self, student: str, data: Data, *, target: int | None = None, key: str | None = None) -> None:
        """By an identifier of a student: a piece, or a correction of what stands at `target`."""
        named = self.keys.get(key, target) if key else target
        first = self.firsts[named] if named is not None else None
        owner = student if first is None else self.owners[first]
        person = self.person(student)
        if self.person(owner) != person:
            return  # the ledger refuses it
        others = [each for each in self.path(owner) if first is not None and first in self.story(each) and each != person]
        prepared = prepare(
            data,
            id=str(self.position),
            source="app",
            time=NOON,
            subject=person,
            sourcekey=key,
            resolvedfrom=student if student != person else None,
            sharedwith=" ".join(others) or None,
        )
        place = self.put(prepared)
        self.owners[place], self.firsts[place] = owner, place if first is None else first
        if key:
            self.keys.setdefault(key, place)

    def merge(self, other: str, survivor: str) -> None:
        if other == survivor or other in self.into or survivor in self.into:
            return
        for told in given(self.story(other), self.story(survivor)):
            self.put(copy_for(survivor, told).prepared)
        self.into[other] = survivor

    def unmerge(self, other: str) -> None:
        survivor = self.into.get(other)
        if survivor is None or survivor in self.into:
            return
        returned = tuple(self.within(other))
        copies = given(self.story(survivor), self.story(other), returned)
        for told in copies:
            self.put(copy_for(other, told).prepared)
        data = StudentUnmerged(other=other, returned=returned, copies=len(copies), reason="different-people")
        self.put(prepare(data, id=f"u{self.position}", source="district", time=NOON, subject=survivor, sharedwith=other))
        del self.into[other]

    def act(self, chance: random.Random) -> None:
        student, other = chance.choice(STUDENTS), chance.choice(STUDENTS)
        piece = EvidenceSubmitted(framework="hs", competency="MA.1", score_thousandths=chance.randint(0, 4000), scale="d4")
        target = chance.choice(list(self.owners)) if self.owners else None
        match chance.choice(["piece", "piece", "keyed", "retract", "supersede", "merge", "unmerge"]):
            case "piece":
                self.send(student, piece)
            case "keyed":
                self.send(student, piece, key=chance.choice("klm"))
            case "retract" if target is not None:
                self.send(student, EvidenceRetracted(target=str(target), reason="other"), target=target)
            case "supersede" if target is not None:
                content = piece.model_dump(exclude_unset=True)
                self.send(student, EvidenceSuperseded(**content, target=str(target), reason="other"), target=target)
            case "merge":
                self.merge(other, student)
            case "unmerge":
                self.unmerge(other)


def wanted(log: Log, person: str) -> set[int]:
    return {place for place, owner in log.owners.items() if log.person(owner) == person}


@settings(max_examples=150, deadline=None)
@given_any(st.integers(0, 2**32), st.integers(1, 60))
def test_each_person_holds_the_records_of_all_her_pseudonyms_and_nobody_elses(seed: int, acts: int) -> None:
    log, chance = Log(), random.Random(seed)
    for _ in range(acts):
        log.act(chance)
        for student in STUDENTS:
            if student not in log.into:
                story = log.story(student)
                assert set(story) == wanted(log, student)
                assert all(told.owner == log.owners[place] for place, told in story.items())


@settings(max_examples=100, deadline=None)
@given_any(st.integers(0, 2**32))
def test_when_all_are_unmerged_everybody_has_what_she_would_have_had_without_merges(seed: int) -> None:
    log, chance = Log(), random.Random(seed)
    for _ in range(60):
        log.act(chance)
    while log.into:
        for other in list(log.into):
            log.unmerge(other)
    assert {student: set(log.story(student)) for student in STUDENTS} == {
        student: {place for place, owner in log.owners.items() if owner == student} for student in STUDENTS
    }


@pytest.mark.parametrize("merged", [False, True])
def test_a_copy_keeps_its_place_and_whose_it_is_and_is_a_copy_of_the_first(merged: bool) -> None:
    log = Log()
    a, b, c = STUDENTS[:3]
    log.send(a, EvidenceSubmitted(framework="hs", competency="MA.1", score_thousandths=3500, scale="d4"))
    log.merge(a, b)
    if merged:
        log.merge(b, c)
    copy = log.placed[c if merged else b][-1]
    assert (copy.originalposition, copy.resolvedfrom, copy.id) == ("0", a, "0")
    if merged:
        log.unmerge(b)
        assert log.story(c) == {}
