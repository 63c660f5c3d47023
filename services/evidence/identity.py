"""Whether two descriptions can be of one person. Pure.

A student information system sometimes gives a number that was somebody's to somebody else. Nothing here merges or parts people:
it says when a human being has to look.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Described:
    """What tells people apart. `born`: the date of birth as the roster writes it, None where it does not."""

    given: str
    family: str
    born: str | None


def is_somebody_else(known: Described, told: Described) -> bool:
    """Whether the number of the one who is `known` seems to have been given to another.

    People change a name, and clerks mend a date of birth; both at once is another person. Where a date of birth is missing,
    it is another person when neither name is the same.
    """
    same_given, same_family = _plain(known.given) == _plain(told.given), _plain(known.family) == _plain(told.family)
    if known.born and told.born:
        return known.born != told.born and not (same_given and same_family)
    return not same_given and not same_family


def _plain(name: str) -> str:
    """Letters alone, without case and accents: `O’Brien-Núñez` and `OBRIEN NUNEZ` are the same."""
    apart = unicodedata.normalize("NFKD", name.casefold())
    return "".join(sign for sign in apart if sign.isalpha())
