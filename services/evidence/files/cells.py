"""From a cell's text to a JSON value of the field that it is for. Pure: `BadCell` says what was expected, never what was there."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime, time, tzinfo

PERSON, NUMBER, INSTANT, LIST = "person", "number", "instant", "list"
# Fields that are not plain text.
FORMS: Mapping[str, str] = {
    "student": PERSON,
    "assessor": PERSON,
    "score": NUMBER,
    "level": NUMBER,
    "attempt": NUMBER,
    "language_demand": NUMBER,
    "due": INSTANT,
    "entered": INSTANT,
    "accommodations": LIST,
}
# No exponent, no thousands' separators: either is a guess. As long as the door's own numerals.
_NUMERAL = re.compile(r"[+-]?(\d{1,18})(\.\d{1,18})?")

Scalar = str | int | float


class BadCell(ValueError):  # noqa: N818 - named for what it found
    """A cell cannot be used. `expected` is what would have been accepted in `column`."""

    def __init__(self, expected: str, column: str) -> None:
        super().__init__(f"expected {expected} in {column}")
        self.expected = f"{expected} in the column {column}"


def number(text: str, column: str) -> int | float:
    """A decimal number; a whole one as an integer, so that 4 and 4.0 are the same."""
    if not _NUMERAL.fullmatch(text):
        raise BadCell("a number such as 3.5", column)
    found = float(text)
    return int(found) if found.is_integer() else found


def instant(text: str, column: str, *, format: str | None, zone: tzinfo, at: time) -> str:
    """RFC 3339. A date gets the time of day `at`; a time without its zone is one of `zone`."""
    try:
        found = datetime.strptime(text, format) if format else datetime.fromisoformat(text)
    except ValueError:
        raise BadCell(f"a date or time written {format}" if format else "a date or time in ISO 8601", column) from None
    if _is_date(text, format):
        found = datetime.combine(found.date(), at)
    if found.tzinfo is None:
        found = found.replace(tzinfo=zone)
    if not date(1900, 1, 1) <= found.date() < date(2200, 1, 1):
        raise BadCell("a date from 1900 to 2199", column)
    return found.isoformat()


def _is_date(text: str, format: str | None) -> bool:
    """Whether only a day is told, no time of day."""
    return len(text) == len("2026-11-24") if format is None else not any(sign in format for sign in ("%H", "%I", "%c", "%X", "%T"))


def parts(text: str) -> list[str]:
    """The parts of a list in one cell, separated by semicolons."""
    return [part.strip() for part in text.split(";") if part.strip()]
