"""How evidence becomes a value: one formula a method, each a fold of worths into a bounded tally.

Owns: the arithmetic and its rounding. Must not: know students, scales or which policy is in force (`rules.py`).
Everything is in thousandths of a point. Sums are exact; the one recurrence is in IEEE doubles, evaluated in the policy's
order; there is one rounding, at the end. A tally from all pieces and one that was appended to are the same fold, so the
same bits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

from contracts.events.frameworks import Method

# Why a method gives no value. Codes of the public interface: joined by others, never renamed.
TOO_FEW = "too-few"  # fewer results than n-mastery asks for
NOT_YET_MASTERED = "not-yet-mastered"  # enough results, but fewer than n of them at or above mastery


class Tally(NamedTuple):
    """What a method keeps of the pieces so far: `n` of them, and two numbers whose meaning is the method's.

    `x` is a double, in which a sum of thousandths is exact (below 2**53: nine million pieces of a million points each).
    """

    n: int = 0
    x: float = 0.0
    y: int = 0


class Ratio(NamedTuple):
    """An exact value before it is rounded, in thousandths: both integers, the denominator positive."""

    over: int
    under: int


class Formula(Protocol):
    """A method with its parameters."""

    def add(self, tally: Tally, worth: int) -> Tally:
        """The tally with one more piece, the next in order."""
        ...

    def value(self, tally: Tally) -> Ratio | str:
        """The value, not yet rounded, or the reason why there is none. Never called for an empty tally."""
        ...


@dataclass(frozen=True, slots=True)
class Latest:
    """The last score. `x`: that score. (domain.md, "latest")"""

    def add(self, tally: Tally, worth: int) -> Tally:
        return Tally(tally.n + 1, float(worth))

    def value(self, tally: Tally) -> Ratio | str:
        return Ratio(int(tally.x), 1)


@dataclass(frozen=True, slots=True)
class Highest:
    """The highest score. `x`: that score. (domain.md, "highest")"""

    def add(self, tally: Tally, worth: int) -> Tally:
        return Tally(tally.n + 1, max(tally.x, float(worth)) if tally.n else float(worth))

    def value(self, tally: Tally) -> Ratio | str:
        return Ratio(int(tally.x), 1)


@dataclass(frozen=True, slots=True)
class Average:
    """The mean of all scores. `x`: their sum. (domain.md, "average")"""

    def add(self, tally: Tally, worth: int) -> Tally:
        return Tally(tally.n + 1, tally.x + worth)

    def value(self, tally: Tally) -> Ratio | str:
        return Ratio(int(tally.x), tally.n)


@dataclass(frozen=True, slots=True)
class Weighted:
    """One score: itself; else `w·last + (1-w)·mean(the others)`. `x`: the sum of all, `y`: the last.

    (domain.md, "weighted average": [1,2,3,4,5] at 65 % gives 4.13)
    """

    weight: int

    def add(self, tally: Tally, worth: int) -> Tally:
        return Tally(tally.n + 1, tally.x + worth, worth)

    def value(self, tally: Tally) -> Ratio | str:
        if tally.n == 1:
            return Ratio(tally.y, 1)
        others = int(tally.x) - tally.y
        return Ratio(self.weight * tally.y * (tally.n - 1) + (100 - self.weight) * others, 100 * (tally.n - 1))


@dataclass(frozen=True, slots=True)
class Decaying:
    """`a₁ = s₁; aₖ = (1-w)·aₖ₋₁ + w·sₖ`. `x`: aₖ. (domain.md, "decaying average": [1,2,3,4,5] at 65 % gives 4.47)

    Evaluated as `((100-w)·a + w·s) / 100` in per cent and thousandths: products of whole numbers are exact in a double, so
    short histories give the decimal a person gets by hand. With 0.35 and 0.65, which no double holds, 0.805 became 0.80.
    """

    weight: int

    def add(self, tally: Tally, worth: int) -> Tally:
        if not tally.n:
            return Tally(1, float(worth))
        return Tally(tally.n + 1, ((100 - self.weight) * tally.x + self.weight * worth) / 100)

    def value(self, tally: Tally) -> Ratio | str:
        return Ratio(*tally.x.as_integer_ratio())


@dataclass(frozen=True, slots=True)
class NMastery:
    """The mean of *all* scores at or above mastery, once there are n of them. `x`: their sum, `y`: how many they are.

    (domain.md, "n mastery": none if fewer than n results, or fewer than n at or above mastery)
    """

    results: int
    mastery: int

    def add(self, tally: Tally, worth: int) -> Tally:
        if worth < self.mastery:
            return tally._replace(n=tally.n + 1)
        return Tally(tally.n + 1, tally.x + worth, tally.y + 1)

    def value(self, tally: Tally) -> Ratio | str:
        if tally.n < self.results:
            return TOO_FEW
        if tally.y < self.results:
            return NOT_YET_MASTERED
        return Ratio(int(tally.x), tally.y)


def formula(method: Method) -> Formula | None:
    """The formula that a policy names, or None if it leaves out, or has out of bounds, what its method needs."""
    weight, results, mastery = method.weight, method.results, method.mastery_thousandths
    match method.name:
        case "weighted":
            return Weighted(weight if weight is not None else 65)
        case "decaying":
            return Decaying(weight if weight is not None else 65) if weight is None or weight >= 50 else None
        case "n_mastery":
            return NMastery(results if results is not None else 5, mastery) if mastery is not None else None
        case "latest":
            return Latest()
        case "highest":
            return Highest()
        case "average":
            return Average()


def rounded(value: Ratio, unit: int) -> int:
    """The nearest multiple of `unit` thousandths, half up: 4125 by 10 gives 4130."""
    return (2 * value.over + value.under * unit) // (2 * value.under * unit) * unit
