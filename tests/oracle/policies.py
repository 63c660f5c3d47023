"""The methods once more, from their definitions in domain.md, with fractions: imports nothing of ours.

Scores and thresholds are fractions of a point, in the policy's order; so is the value, before rounding. None: no value.
"""

from __future__ import annotations

from fractions import Fraction
from math import floor


def latest(scores: list[Fraction]) -> Fraction | None:
    return scores[-1] if scores else None


def highest(scores: list[Fraction]) -> Fraction | None:
    return max(scores, default=None)


def average(scores: list[Fraction]) -> Fraction | None:
    return sum(scores, Fraction(0)) / len(scores) if scores else None


def weighted(scores: list[Fraction], weight: int) -> Fraction | None:
    if len(scores) < 2:
        return latest(scores)
    mean = average(scores[:-1])
    assert mean is not None
    return Fraction(weight, 100) * scores[-1] + Fraction(100 - weight, 100) * mean


def decaying(scores: list[Fraction], weight: int) -> Fraction | None:
    """Spelt out, not a recurrence: aₙ = (1-w)ⁿ⁻¹·s₁ + Σₖ₌₂ⁿ w·(1-w)ⁿ⁻ᵏ·sₖ."""
    if not scores:
        return None
    w, n = Fraction(weight, 100), len(scores)
    rest = (w * (1 - w) ** (n - k) * scores[k - 1] for k in range(2, n + 1))
    return (1 - w) ** (n - 1) * scores[0] + sum(rest, Fraction(0))


def n_mastery(scores: list[Fraction], n: int, mastery: Fraction) -> Fraction | None:
    mastered = [score for score in scores if score >= mastery]
    return None if len(scores) < n or len(mastered) < n else average(mastered)


def half_up(value: Fraction, decimals: int) -> Fraction:
    """4.125 to two decimals is 4.13; halves go up, below zero too."""
    return Fraction(floor(value * 10**decimals + Fraction(1, 2)), 10**decimals)


def level(value: Fraction, cuts: dict[int, Fraction]) -> int | None:
    """The highest level whose cut is at or below the value."""
    reached = [(cut, number) for number, cut in cuts.items() if cut <= value]
    return max(reached)[1] if reached else None
