"""A level that was carried over from an old system is shown as such until a piece of evidence counts."""

from __future__ import annotations

import pytest

from contracts.events import EvidenceCarried
from services.mastery.explain import explain, lines_of
from services.mastery.standings import Standing
from services.mastery.worlds import rules_at
from tests.histories import History
from tests.story import Story, a_student
from tests.unit.mastery.events import TEACHER, a_policy, a_scale, an_evidence_submitted, at
from tests.unit.mastery.folding import Folded


def a_history() -> History:
    history = History(Story(1))
    history.story.tick(days=1)
    history.story.tell(a_scale())
    history.story.tell(a_scale("quiz", (10, 20, 30, 40), converts_to="d4"))
    history.story.tell(a_policy("average"))
    return history


def carried(level: int, scale: str = "d4", **fields: object) -> EvidenceCarried:
    stated: dict[str, object] = {"framework": "math", "competency": "MA.1", "level": level, "scale": scale}
    return EvidenceCarried.model_validate(stated | fields)


def standing(history: History) -> Standing:
    return Folded(history.story.entries(0)).standing(a_student(0))


def test_a_carried_level_is_hers_with_no_value_and_no_piece_under_it() -> None:
    history = a_history()
    history.submit(0, carried(3))
    found = standing(history)
    assert (found.level, found.value, found.reason, found.tally.n, found.policy) == (3, None, "carried", 0, "district")


def test_the_latest_of_several_is_shown() -> None:
    history = a_history()
    history.submit(0, carried(3), time=at(5))
    history.submit(0, carried(2), time=at(1))
    assert standing(history).level == 3


def test_practice_leaves_it_and_the_first_piece_that_counts_takes_its_place() -> None:
    history = a_history()
    history.submit(0, carried(3))
    history.submit(0, an_evidence_submitted(1.0, kind="practice"))
    assert (standing(history).level, standing(history).reason) == (3, "carried")
    piece = history.submit(0, an_evidence_submitted(2.0))
    assert (standing(history).level, standing(history).reason, standing(history).previous) == (2, None, 3)
    history.retract(piece)
    assert (standing(history).level, standing(history).reason) == (3, "carried")


@pytest.mark.parametrize(("level", "scale", "expected"), [(2, "quiz", (2, "carried")), (2, "percent", (None, "no-conversion"))])
def test_a_level_of_another_scale_is_read_through_what_it_converts_to(level: int, scale: str, expected: tuple[object, str]) -> None:
    history = a_history()
    history.submit(0, carried(level, scale))
    assert (standing(history).level, standing(history).reason) == expected


def test_it_goes_when_whoever_gave_it_is_revoked() -> None:
    history = a_history()
    history.submit(0, carried(3, assessor=TEACHER))
    history.revoke(TEACHER)
    assert Folded(history.story.entries(0)).students[a_student(0)].standings == {}


def test_what_did_not_count_is_explained() -> None:
    history = a_history()
    wrong = history.submit(0, an_evidence_submitted(1.0), time=at(1))
    history.supersede(wrong, an_evidence_submitted(3.0), time=at(1))
    history.retract(history.submit(0, an_evidence_submitted(4.0), time=at(2)))
    history.submit(0, an_evidence_submitted(4.0, assessor=TEACHER), time=at(3))
    history.revoke(TEACHER)
    folded = Folded(history.story.entries(0))
    student = folded.students[a_student(0)]
    rule = rules_at(folded.reference.at(10**9))("math", "MA.1", None)
    found = explain(lines_of(student, ("math", "MA.1")), rule, student.standings["math", "MA.1"])
    assert [(step.reason, step.worth) for step in found.steps] == [
        ("superseded", None),
        (None, 3000),
        ("retracted", None),
        ("assessor-revoked", None),
    ]
    assert found.reading == "3 is rounded to 3, at or above 3, below 4: level 3"
