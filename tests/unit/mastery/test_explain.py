"""What a level rests on adds up: every step's numbers, what did not count and why, and how the level was read."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.mastery.explain import Explanation, explain, lines_of, points
from services.mastery.worlds import rules_at
from tests.unit.mastery.events import ADA, an_evidence_submitted, at
from tests.unit.mastery.folding import Folded
from tests.unit.mastery.test_domain import a_log
from tests.unit.mastery.test_order import METHODS, PIECES, Pieces, a_log_of


def explained(folded: Folded, student: str = ADA, competency: str = "MA.1") -> Explanation:
    state = folded.students[student]
    rule = rules_at(folded.reference.at(10**9))("math", competency, state.school)
    return explain(lines_of(state, ("math", competency)), rule, folded.standing(student, competency))


@pytest.mark.parametrize(
    ("policy", "parameters", "lines", "reading"),
    [
        ("latest", {}, ["2", "3 is the last"], "3 is rounded to 3, at or above 3, below 4: level 3"),
        ("highest", {}, ["2", "the higher of 2 and 3 = 3"], "3 is rounded to 3, at or above 3, below 4: level 3"),
        ("average", {}, ["2", "(2 + 3) / 2 = 2.5"], "2.5 is rounded to 2.5, at or above 2, below 3: level 2"),
        (
            "weighted",
            {"weight": 65},
            ["2", "65 % × 3 + 35 % × (2 / 1) = 2.65"],
            "2.65 is rounded to 2.65, at or above 2, below 3: level 2",
        ),
        (
            "decaying",
            {"weight": 65},
            ["2", "35 % × 2 + 65 % × 3 = 2.65"],
            "2.65 is rounded to 2.65, at or above 2, below 3: level 2",
        ),
        (
            "n_mastery",
            {"results": 2, "mastery": 3000},
            ["2 is below 3: 0 of 2, mean none yet", "3 is at or above 3: 1 of 2, mean none yet"],
            "no value: not-yet-mastered",
        ),
    ],
)
def test_each_step_is_a_line_of_arithmetic(policy: str, parameters: dict[str, int], lines: list[str], reading: str) -> None:
    log = a_log(policy, **parameters)
    log.add(an_evidence_submitted(2.0), ADA, time=at(0))
    log.add(an_evidence_submitted(3.0), ADA, time=at(1))
    found = explained(Folded(log.entries))
    assert [step.arithmetic for step in found.steps] == lines
    assert found.reading == reading


def test_what_did_not_count_is_there_in_its_place_with_the_reason() -> None:
    log = a_log("average")
    log.add(an_evidence_submitted(3.0), ADA, time=at(2))
    log.add(an_evidence_submitted(4.0, kind="practice"), ADA, time=at(1))
    log.add(an_evidence_submitted(90, scale="percent"), ADA, time=at(3))
    found = explained(Folded(log.entries))
    assert [step.reason for step in found.steps] == ["practice", None, "no-conversion"]


def test_below_the_lowest_level_is_said_so() -> None:
    log = a_log("latest")
    log.add(an_evidence_submitted(0.5), ADA)
    assert explained(Folded(log.entries)).reading == "0.5 is rounded to 0.5, below the lowest level (1)"


def test_without_a_policy_the_evidence_is_there_and_nothing_counts() -> None:
    log = a_log("latest", framework="science")
    log.add(an_evidence_submitted(3.0), ADA)
    found = explained(Folded(log.entries))
    assert [step.reason for step in found.steps] == ["no-policy"]
    assert found.result.reason == "no-policy"


@settings(max_examples=100)
@given(PIECES, st.sampled_from(range(len(METHODS))), st.sampled_from(["occurred", "recorded"]))
def test_the_last_step_and_the_reading_are_the_students_standing(pieces: Pieces, method: int, order: str) -> None:
    folded = Folded(a_log_of(list(enumerate(pieces)), method, order).entries)
    for who, student in folded.students.items():
        for (_, competency), standing in student.standings.items():
            found = explained(folded, who, competency)
            assert (found.result.level, found.result.value, found.result.reason) == (
                standing.level,
                standing.value,
                standing.reason,
            )
            assert len(found.steps) == len([piece for piece in student.pieces if piece.competency == competency])
            assert sum(step.worth is not None for step in found.steps) == standing.tally.n
            if standing.value is not None:
                assert f"rounded to {points(standing.value)}," in found.reading
