"""Digests of a view: order-independent sums of the hashes of canonical terms.

A digest is the sum modulo 2**256 of SHA-256 over each term (each level, each piece of evidence is its own term). It can be
kept incrementally, does not depend on the order of rows, and a doubled row shows. `exact` covers all that a read at any
known position returns; `meaning` covers what counts now, without positions. Neither holds a wall-clock time or a generation.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

_MODULUS = 1 << 256
_WIDTH = 32


@dataclass(frozen=True, slots=True)
class Digest:
    """A pair of sums, or of differences of sums: they add and subtract term by term."""

    exact: int = 0
    meaning: int = 0

    def __add__(self, other: Digest) -> Digest:
        return Digest((self.exact + other.exact) % _MODULUS, (self.meaning + other.meaning) % _MODULUS)

    def __sub__(self, other: Digest) -> Digest:
        return Digest((self.exact - other.exact) % _MODULUS, (self.meaning - other.meaning) % _MODULUS)

    def __str__(self) -> str:
        return f"{self.exact:064x}"


def term(*parts: object) -> int:
    """The hash of one canonical term as an integer. Parts are joined with a separator that no code or number contains."""
    return text_term("\x1f".join("" if part is None else str(part) for part in parts))


def text_term(text: str) -> int:
    """The hash of a canonical term whose parts are joined already: folds make some for every event."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest(), "big")


def to_bytes(value: int) -> bytes:
    """A sum as it is kept in a row: 32 bytes, big-endian."""
    return (value % _MODULUS).to_bytes(_WIDTH, "big")


def from_bytes(value: bytes) -> int:
    """The sum in a row."""
    return int.from_bytes(value, "big")
