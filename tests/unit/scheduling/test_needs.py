"""A need is how far a student stands below the top, the lowest levels weighing most; no evidence is not "not met"."""

from __future__ import annotations

import datetime as dt

from hypothesis import given
from hypothesis import strategies as st

from services.scheduling.needs import Adopted, needs_of, targets_of
from tests.unit.scheduling.builders import FRAMEWORK, MONDAY, a_framework, a_policy, a_scale

A = (FRAMEWORK, "A")
SCALES = {"d4": a_scale("d4", 4), "d5": a_scale("d5", 5), "d6": a_scale("d6", 6)}


def weights(**levels: int | None) -> dict[str, int]:
    """Weights by competency, for a student with these levels on four."""
    codes = "ABCDEFG"
    targets = {(FRAMEWORK, code): (1, 2, 3, 4) for code in codes[: max(len(levels), 1) + 1]}
    return {
        need.competency: need.weight for need in needs_of({(FRAMEWORK, code): level for code, level in levels.items()}, targets)
    }


def target(*policies: Adopted, school: str = "HS1", day: dt.date = MONDAY) -> tuple[int, ...] | None:
    return targets_of(school, day, [a_framework("A", "B")], policies, SCALES).get(A)


def test_the_lowest_level_weighs_most_and_the_top_nothing() -> None:
    assert weights(A=1, B=2, C=3, D=4) == {"A": 10, "B": 5, "C": 2, "E": 1}


def test_no_level_in_spite_of_evidence_is_below_the_lowest() -> None:
    assert weights(A=None)["A"] == 17 > weights(A=1)["A"]


def test_no_evidence_weighs_less_than_any_known_gap() -> None:
    assert weights(A=3) == {"A": 2, "B": 1}


def test_needs_come_strongest_first_then_by_code() -> None:
    targets = {(FRAMEWORK, code): (1, 2, 3, 4) for code in "CAB"}
    found = needs_of({(FRAMEWORK, "C"): 1, (FRAMEWORK, "B"): 2, (FRAMEWORK, "A"): 2}, targets)
    assert [(need.competency, need.reason) for need in found] == [
        ("C", "level-1-of-4"),
        ("A", "level-2-of-4"),
        ("B", "level-2-of-4"),
    ]


@given(st.integers(0, 8), st.integers(0, 8), st.sets(st.integers(0, 8), min_size=1))
def test_a_lower_level_never_weighs_less_on_any_scale(one: int, other: int, levels: set[int]) -> None:
    low, high = sorted((one, other))
    target = tuple(sorted(levels))
    of_low, of_high = (sum(need.weight for need in needs_of({A: level}, {A: target})) for level in (low, high))
    assert of_low >= of_high
    assert (of_high == 0) == (high >= target[-1])


def test_a_competency_without_a_policy_has_no_levels_to_climb() -> None:
    assert target() is None
    assert target(a_policy(framework="another")) is None
    assert target(a_policy(scale="unknown")) is None


def test_a_schools_own_policy_goes_before_the_districts() -> None:
    policies = (a_policy(1, scale="d5", school="HS1"), a_policy(2, scale="d4"), a_policy(3, scale="d6", school="HS2"))
    assert target(*policies) == (1, 2, 3, 4, 5)
    assert target(*policies, school="HS3") == (1, 2, 3, 4)


def test_a_policy_that_names_the_competency_goes_before_one_that_does_not() -> None:
    assert target(a_policy(1, scale="d5", competencies=["A"]), a_policy(2)) == (1, 2, 3, 4, 5)
    assert target(a_policy(1, scale="d5", competencies=["B"]), a_policy(2)) == (1, 2, 3, 4)


def test_the_policy_that_came_into_force_last_counts() -> None:
    yesterday, tomorrow = MONDAY - dt.timedelta(days=1), MONDAY + dt.timedelta(days=1)
    dated = a_policy(1, scale="d5", effective=MONDAY)
    assert target(dated, a_policy(2, published=yesterday)) == (1, 2, 3, 4, 5)
    assert target(dated, a_policy(2, published=MONDAY)) == (1, 2, 3, 4)  # adopted during the day that began with the other
    assert target(dated, a_policy(2, published=yesterday), day=yesterday) == (1, 2, 3, 4)
    assert target(a_policy(2), a_policy(3, scale="d6", effective=tomorrow)) == (1, 2, 3, 4)
