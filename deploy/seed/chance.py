"""Chance that is the same everywhere: numbers drawn from a hash of what they are for.

Draws for different purposes never share a stream, so adding one moves no other; and the numbers don't depend on Python's
version, as those of `random` may.
"""

from __future__ import annotations

import hashlib
import math
import struct
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")

_WORDS = struct.Struct(">8Q")  # 64 bits a draw, eight draws a hash


class Chance:
    """A stream of draws named by its parts, e.g. `Chance(seed, "names", student)`."""

    def __init__(self, *parts: object) -> None:
        self._name = "\x1f".join(str(part) for part in parts).encode()
        self._block = 0
        self._words: list[int] = []

    def fraction(self) -> float:
        """Uniform in [0, 1)."""
        if not self._words:
            digest = hashlib.blake2b(self._name, salt=self._block.to_bytes(16, "big")).digest()
            self._words = list(_WORDS.unpack(digest))
            self._block += 1
        return (self._words.pop() >> 11) / (1 << 53)

    def integer(self, low: int, high: int) -> int:
        """Uniform among low..high, both included."""
        return low + int(self.fraction() * (high - low + 1))

    def happens(self, probability: float) -> bool:
        return self.fraction() < probability

    def one_of(self, choices: Sequence[T]) -> T:
        return choices[int(self.fraction() * len(choices))]

    def shuffled(self, items: Sequence[T]) -> list[T]:
        """A permutation (Fisher-Yates)."""
        shuffled = list(items)
        for last in range(len(shuffled) - 1, 0, -1):
            other = self.integer(0, last)
            shuffled[last], shuffled[other] = shuffled[other], shuffled[last]
        return shuffled

    def normal(self, mean: float = 0.0, deviation: float = 1.0) -> float:
        """Normally distributed (Box-Muller)."""
        radius = math.sqrt(-2.0 * math.log(1.0 - self.fraction()))
        return mean + deviation * radius * math.cos(2.0 * math.pi * self.fraction())
