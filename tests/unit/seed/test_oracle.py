"""The oracle against cases small enough to work out by hand. It is only worth comparing with if it is right itself."""

from __future__ import annotations

import ast
from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest

from tests.oracle import star as oracle

LEVELS = [{"level": n, "at_thousandths": at} for n, at in ((1, 1000), (2, 1500), (3, 2500), (4, 3500))]
CUTS = [
    {"level": n, "at_thousandths": at, "worth_thousandths": n * 1000} for n, at in ((1, 0), (2, 10_000), (3, 20_000), (4, 30_000))
]
CURRICULUM = {
    "scales": [
        {"scale": "star-4", "levels": LEVELS},
        *({"scale": f"star-{subject}-{grade}", "levels": CUTS} for subject in ("read", "math") for grade in "K123"),
    ],
    "policies": [{"method": {"name": "decaying", "weight": 65}, "scale": "star-4", "decimals": 2}],
}


def a_row(pupil: str, grade: str, *, school: str = "1", read: str = "NA", math: str = "NA") -> dict[str, str]:
    return {"id": pupil, "gr": grade, "sch": school, "read": read, "math": math}


def test_one_to_five_at_65_per_cent_is_4_47() -> None:
    assert oracle.rounded(oracle.decaying([Decimal(n) for n in range(1, 6)], Decimal("0.65")), 2) == Decimal("4.47")


def test_the_recurrence_equals_the_sum_of_its_weights() -> None:
    """The same value by another road: score k of n weighs 0.65 · 0.35ⁿ⁻ᵏ, the first 0.35ⁿ⁻¹."""
    scores, weight = [Decimal(n) for n in (2, 4, 1, 3)], Decimal("0.65")
    weights = [(weight if k else 1) * (1 - weight) ** (len(scores) - 1 - k) for k in range(len(scores))]
    assert oracle.decaying(scores, weight) == sum(w * s for w, s in zip(weights, scores, strict=True))


@pytest.mark.parametrize(("value", "level"), [("1", 1), ("1.49", 1), ("1.50", 2), ("2.49", 2), ("2.5", 3), ("3.5", 4), ("4", 4)])
def test_the_level_is_the_highest_reached(value: str, level: int) -> None:
    found = oracle.reached(Decimal(value), LEVELS)
    assert found is not None
    assert found["level"] == level


def test_halves_go_up_and_only_at_the_end() -> None:
    assert oracle.rounded(Decimal("4.125"), 2) == Decimal("4.13")
    assert oracle.rounded(Decimal("2.105"), 2) == Decimal("2.11")


def test_grades_are_the_order_and_a_missing_score_is_no_evidence() -> None:
    rows = [a_row("a", "1", read="5"), a_row("a", "K", read="30", math="10"), a_row("a", "3", math="31")]
    found = oracle.answer(rows, CURRICULUM)
    assert found.pupils["a"]["READ"] == oracle.Standing(2, Decimal("2.05"), 2)  # 4 then 1: 0.35·4 + 0.65·1
    assert found.pupils["a"]["MATH"] == oracle.Standing(3, Decimal("3.30"), 2)  # 2 then 4
    assert (found.present, found.absent) == (4, 2)


def test_a_school_counts_the_pupils_who_are_still_enrolled() -> None:
    rows = [
        *(a_row("stays", "2", school="1", read="30"), a_row("stays", "3", school="2", read="30")),
        a_row("left", "2", school="1", read="30"),
        a_row("unscored", "3", school="2"),
    ]
    found = oracle.answer(rows, CURRICULUM)
    assert found.schools["1"]["READ"] == Counter()
    assert found.schools["2"]["READ"] == Counter({4: 1})
    assert found.pupils["unscored"] == {}


def test_the_oracle_imports_nothing_of_ours() -> None:
    tree = ast.parse(Path(oracle.__file__).read_text(encoding="utf-8"))
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert names == {"__future__", "collections", "csv", "decimal", "gzip", "io", "json", "pathlib", "typing"}


def test_the_whole_study_adds_up() -> None:
    found = oracle.answer(oracle.read_rows(), oracle.read_curriculum())
    assert (len(found.pupils), len(found.schools)) == (11_598, 80)
    assert (found.present, found.absent) == (48_875, 4_717)
    enrolled = sum(sum(counts["READ"].values()) for counts in found.schools.values())
    assert enrolled == 6_452  # of the 6,802 pupils of grade 3, those with any reading score in four years
