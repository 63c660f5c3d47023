"""What a roster must not do unasked: end a school's enrolments in numbers, or give one student's number to another.

Both are mostly mistakes of an export, and both would be true to the log for ever. So an import looks before it changes anything,
and stops with what a human being has to decide. Must not: name a person.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

from services.chassis.errors import Rejected
from services.chassis.postgres import Pool, passing
from services.evidence.admit import Key
from services.evidence.roster.district import District
from services.evidence.roster.rows import User
from services.evidence.roster.students import school_after
from services.evidence.store import roster
from services.evidence.store.vault import Person
from services.evidence.vault import STUDENT, Vault

T = TypeVar("T")

# Of a school's enrolments. Families move all year; more at once is a cut file, or the end of the year.
MOST_ENDED_PERCENT = 5
AT_ONCE = 5000
EVERY_SCHOOL = "*"
SCHEME = "sis"


@dataclass(frozen=True, slots=True)
class Accepted:
    """What the operator has looked at: schools whose enrolments may end (`*`: all), lines of users.csv that are the same person."""

    schools: frozenset[str] = frozenset()
    same_people: frozenset[int] = frozenset()


NOTHING_ACCEPTED = Accepted()


class Guard:
    """Looks at a roster before it is imported."""

    def __init__(self, vault: Vault, pool: Pool, accepted: Accepted) -> None:
        self._vault = vault
        self._pool = pool
        self._accepted = accepted

    async def look(self, district: District) -> None:
        """Raises `Rejected` when somebody has to decide first. Nothing was changed then."""
        students = [user for user in district.users.values() if user.is_student]
        known = await self._known(students)
        await self._stop_at_reused_numbers(students, known)
        await self._stop_at_emptied_schools(district, known)

    async def _known(self, students: Sequence[User]) -> dict[str, str]:
        """The pseudonyms of those who have one already, by sourcedId."""
        known: dict[str, str] = {}
        for users in chunks(students, AT_ONCE):
            found = await self._vault.resolve([Key(SCHEME, user.sourced_id) for user in users])
            known |= {key.value: name for key, name in found.pseudonyms.items() if name.startswith(STUDENT)}
        return known

    async def _stop_at_reused_numbers(self, students: Sequence[User], known: Mapping[str, str]) -> None:
        lines: list[int] = []
        for users in chunks((user for user in students if user.sourced_id in known), AT_ONCE):
            others = await self._vault.strangers([person(user, known[user.sourced_id]) for user in users])
            lines += [user.line for user in users if known[user.sourced_id] in others]
        if unclear := sorted(set(lines) - self._accepted.same_people):
            told = ",".join(map(str, unclear))
            raise Rejected(
                "reused-identifier",
                f"sourcedIds that were never another student's: names and dates of birth say otherwise in users.csv, line {told}. "
                f"Give a new student a number of her own; where it is the same person, --same-person {told}",
            )

    async def _stop_at_emptied_schools(self, district: District, known: Mapping[str, str]) -> None:
        if EVERY_SCHOOL in self._accepted.schools:
            return
        enrolled, ended = await self._endings(district, {name: sourced_id for sourced_id, name in known.items()})
        emptied = {
            school: (count, enrolled[school])
            for school, count in sorted(ended.items())
            if count * 100 > MOST_ENDED_PERCENT * enrolled[school] and school not in self._accepted.schools
        }
        if emptied:
            told = ", ".join(f"{school} ({count:,} of {of:,})" for school, (count, of) in emptied.items())
            raise Rejected(
                "enrolments-would-end",
                f"a roster in which at most {MOST_ENDED_PERCENT} % of a school's enrolments end. This one would end, at {told}. "
                f"If that is meant: --accept {','.join([*sorted(self._accepted.schools), *emptied])}",
            )

    async def _endings(self, district: District, sourced_ids: Mapping[str, str]) -> tuple[Counter[str], Counter[str]]:
        """How many are enrolled at each of the roster's schools, and how many would be there no more."""
        enrolled: Counter[str] = Counter()
        ended: Counter[str] = Counter()
        after = ""
        while True:
            with passing():
                page = await roster.schools_after(self._pool, list(district.schools), after, AT_ONCE)
            if not page:
                return enrolled, ended
            after = page[-1][0]
            for name, school in page:
                user = district.users.get(sourced_ids.get(name, ""))
                enrolled[school] += 1
                ended[school] += user is None or school_after(district, user) != school


def person(user: User, pseudonym: str) -> Person:
    """What the vault is told of somebody."""
    return Person(pseudonym, user.given, user.family, user.lunch, user.demographics)


def chunks(things: Iterable[T], size: int) -> Iterator[list[T]]:
    """The things in lists of `size`."""
    iterator = iter(things)
    while chunk := list(islice(iterator, size)):
        yield chunk
