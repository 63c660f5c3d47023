"""Students whom a roster has twice and the vault knows to be one: their rows are one student's.

The student information system learns of a merge late or never. Until then her numbers come with their own rows every night.
"""

from __future__ import annotations

from services.evidence.admit import Key
from services.evidence.roster.district import District
from services.evidence.roster.guard import AT_ONCE, SCHEME, chunks
from services.evidence.roster.rows import User
from services.evidence.vault import Vault


async def join_merged(district: District, vault: Vault) -> None:
    """Give each person's enrolments, programmes and further identifiers to one of her numbers, and take the others out.

    That is the number under which she was first known by her present pseudonym; if the roster has it no more, any other.
    """
    merged: dict[str, str] = {}
    students = [user for user in district.users.values() if user.is_student]
    for users in chunks(students, AT_ONCE):
        found = await vault.merged([Key(SCHEME, user.sourced_id) for user in users])
        merged |= {key.value: name for key, name in found.items()}
    if not merged:
        return
    firsts = {name: key.value for key, name in (await vault.first_known(set(merged.values()), SCHEME)).items()}
    kept = {name: number for name, number in firsts.items() if number in district.users}
    for number, name in merged.items():
        one = district.users[kept.setdefault(name, number)]
        if one.sourced_id != number:
            await vault.link({Key(*each): Key(SCHEME, number) for each in district.users[number].identifiers})
            _join(district, one, district.users.pop(number))


def _join(district: District, one: User, other: User) -> None:
    district.enrolments[one.sourced_id] += district.enrolments.pop(other.sourced_id, [])
    one.programmes = {**other.programmes, **one.programmes}
