"""The ways to fail, each with one treatment.

`Rejected`     the caller's mistake: answer with a problem (RFC 9457), count it, go on.
`Conflict`     somebody else was first: decide again from fresh state.
`Unavailable`  a part we need is away or not as it must be: refuse, and say what to do.
`Transient`    a passing fault: the same work is tried again, nothing is skipped.
`Poison`       an event that deterministically cannot be folded: park it and its student.
`Paused`       an unknown event type, or too many students parked: stand still, skip nothing, until somebody mends it.
"""

from __future__ import annotations


class Rejected(Exception):  # noqa: N818 - a refusal is an answer, not an error
    """A refusal the caller can act on.

    `code` is stable and machine-readable, `pointer` a JSON pointer to the field at fault ("" for the whole),
    `expected` what would have been accepted. None of the three ever holds a value the caller sent. `retry_after`: in how
    many seconds the same may be accepted.
    """

    def __init__(self, code: str, expected: str, *, pointer: str = "", status: int = 422, retry_after: int | None = None) -> None:
        super().__init__(f"{code}: expected {expected}" + (f" at {pointer}" if pointer else ""))
        self.code = code
        self.expected = expected
        self.pointer = pointer
        self.status = status
        self.retry_after = retry_after


class Conflict(Exception):  # noqa: N818
    """The state a decision was taken on has moved: reload and decide again."""


class Unavailable(Exception):  # noqa: N818
    """Something this process depends on is missing or not as it must be; the message says what to do."""


class Transient(Exception):  # noqa: N818
    """A passing fault: try the same work again."""


class Poison(Exception):  # noqa: N818
    """A deterministic failure of one event. `reason` is a code, never a value."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Paused(Exception):  # noqa: N818
    """A projection must stand still until somebody mends the cause; `reason` says what to do, without any value."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
