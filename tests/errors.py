"""The same evidence told twice: once clean, and once with every kind of error and what puts it right, at odd times."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import NamedTuple

from contracts.events import EvidenceCarried, EvidenceSubmitted
from contracts.events.frameworks import PolicyPublished
from tests.histories import History
from tests.story import Story, a_student
from tests.unit.mastery.events import FIRST, TEACHER, a_framework, a_policy, a_scale, a_school, an_evidence_submitted, at, enrolled

PEOPLE = 3
ALIAS = 10  # person p is published as p + ALIAS, too, by whoever does not know better
IMPOSTOR = "p-" + "i" * 26

# The kinds of error, which are functions of `Mistaken`.
ERRORS = (
    "wrong_then_superseded",
    "wrong_then_told_again",
    "right_then_wrongly_superseded",
    "right_then_wrongly_retracted",
    "with_one_too_many",
    "with_a_record_too_many",
    "as_somebody_else",
    "with_an_impostor",
    "while_merged_by_mistake",
)


class Submission(NamedTuple):
    """A piece as it should be: whose, its score in half points, its competency, second and publisher's sequence."""

    person: int
    halves: int
    competency: int
    second: int
    sequence: int | None


def a_beginning(partitions: int, order: str, *, method: str = "decaying") -> History:
    history = History(Story(partitions))
    history.story.tick(days=40)
    history.story.tell(a_school())
    history.story.tell(a_framework(competencies=("MA.1", "MA.2", "MA.3")))
    history.story.tell(a_scale())
    policy: PolicyPublished = a_policy(method, order=order)
    history.story.tell(policy)
    for person in range(PEOPLE):
        enrol(history, person)
    return history


def enrol(history: History, who: int) -> None:
    history.story.tell(enrolled("HS1", FIRST), student=a_student(who))


def told_clean(submissions: Sequence[Submission], partitions: int = 1, order: str = "occurred") -> Story:
    history = a_beginning(partitions, order)
    for number, each in enumerate(submissions):
        submit(history, each.person, each, f"piece-{number}")
    history.story.tick(days=1)
    return history.story


def told_with_errors(
    submissions: Sequence[Submission], chance: random.Random, partitions: int = 1, order: str = "occurred"
) -> Story:
    return Mistaken(a_beginning(partitions, order), chance).tell(submissions)


def told_with_one_error(each: Submission, error: str, *, mended: bool) -> Story:
    """One piece with one kind of error, which is put right or not."""
    mistaken = Mistaken(a_beginning(1, "occurred"), random.Random(1))
    getattr(mistaken, error)(each, "piece-0")
    return mistaken.end(mended=mended)


def submit(history: History, identity: int, each: Submission, id: str, *, wrong: int = 0, key: str | None = None) -> int:
    arguments = {"time": at(seconds=each.second), "id": id, "sourcesequence": each.sequence}
    return history.submit(identity, a_piece(each, wrong), key=key, **arguments)


def a_piece(each: Submission, wrong: int = 0) -> EvidenceSubmitted:
    competency = f"MA.{1 + (each.competency + wrong) % 3 if wrong else 1 + each.competency}"
    return an_evidence_submitted(
        (each.halves + wrong) % 9 / 2, competency=competency, assessor=TEACHER if each.halves % 2 else None
    )


class Mistaken:
    """Tells submissions with errors. `later` holds what puts them right."""

    def __init__(self, history: History, chance: random.Random) -> None:
        self.history = history
        self.chance = chance
        self.later: list[Callable[[], object]] = []

    def tell(self, submissions: Sequence[Submission]) -> Story:
        for number, each in enumerate(submissions):
            getattr(self, self.chance.choice(("right", *ERRORS)))(each, f"piece-{number}")
            while self.later and self.chance.random() < 0.3:
                self.later.pop(self.chance.randrange(len(self.later)))()
        return self.end(mended=True)

    def end(self, *, mended: bool) -> Story:
        while self.later and mended:
            self.later.pop(0)()
        self.history.story.tick(days=1)
        return self.history.story

    def right(self, each: Submission, id: str) -> int:
        return submit(self.history, each.person, each, id)

    def wrong_then_superseded(self, each: Submission, id: str) -> None:
        wrong = submit(self.history, each.person, each, id, wrong=1)
        self.later.append(lambda: self.history.supersede(wrong, a_piece(each), time=at(seconds=each.second)))

    def wrong_then_told_again(self, each: Submission, id: str) -> None:
        submit(self.history, each.person, each, id, wrong=2, key=f"key-{id}")
        self.later.append(lambda: submit(self.history, each.person, each, f"{id}-again", key=f"key-{id}"))

    def right_then_wrongly_superseded(self, each: Submission, id: str) -> None:
        right = self.right(each, id)
        wrong = self.history.supersede(right, a_piece(each, 1), time=at(seconds=each.second + 1))
        self.later.append(lambda: self.history.retract(wrong))

    def right_then_wrongly_retracted(self, each: Submission, id: str) -> None:
        retraction = self.history.retract(self.right(each, id), record=self.chance.random() < 0.5)
        self.later.append(lambda: self.history.retract(retraction))

    def with_one_too_many(self, each: Submission, id: str) -> None:
        carried = EvidenceCarried(framework="math", competency="MA.3", level=4, scale="d4")
        extra = (
            self.history.submit(each.person, carried, time=at(seconds=each.second))
            if self.chance.random() < 0.3
            else submit(self.history, each.person, each, f"{id}-extra", wrong=1)
        )
        self.right(each, id)
        self.later.append(lambda: self.history.retract(extra))

    def with_a_record_too_many(self, each: Submission, id: str) -> None:
        extra = submit(self.history, each.person, each, f"{id}-extra", wrong=1, key=f"extra-{id}")
        self.right(each, id)
        submit(self.history, each.person, each, f"{id}-extra-again", wrong=2, key=f"extra-{id}")
        self.later.append(lambda: self.history.retract(extra, record=True))

    def as_somebody_else(self, each: Submission, id: str) -> None:
        """Under a second pseudonym, which is merged with the first when somebody notices. She may be enrolled under it, too."""
        alias = each.person + ALIAS
        if alias not in self.history.stories and self.chance.random() < 0.5:
            enrol(self.history, alias)
        known = alias in self.history.stories
        submit(self.history, alias, each, id)
        if not known:
            self.later.append(lambda: self._merge_alias(each.person))

    def _merge_alias(self, person: int) -> None:
        if person in self.history.into:  # not now: she is taken for another
            self.later.append(lambda: self._merge_alias(person))
        else:
            self.history.merge(person, person + ALIAS)

    def with_an_impostor(self, each: Submission, id: str) -> None:
        extra = a_piece(each, 1).model_copy(update={"assessor": IMPOSTOR})
        self.history.submit(each.person, extra, time=at(seconds=each.second), id=f"{id}-extra")
        self.right(each, id)
        self.later.append(lambda: self.history.revoke(IMPOSTOR))

    def while_merged_by_mistake(self, each: Submission, id: str) -> None:
        """She is taken for another for a while, and gets her evidence under that one's pseudonym."""
        others = [who for who in range(PEOPLE) if who not in self.history.into and who != each.person]
        if each.person in self.history.into or each.person in self.history.into.values() or not others:
            self.right(each, id)
            return
        self.history.merge(self.chance.choice(others), each.person)
        self.right(each, id)
        self.later.append(lambda: self._part(each.person))

    def _part(self, person: int) -> None:
        if self.history.into[person] in self.history.into:  # not before the other is somebody again
            self.later.append(lambda: self._part(person))
            return
        self.history.unmerge(person)
        enrol(self.history, person)
