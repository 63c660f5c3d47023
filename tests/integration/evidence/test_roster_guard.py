"""A roster that would empty a school, or give a number to somebody else, stops before it has changed anything."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.chassis.errors import Rejected
from services.evidence.admit import Key
from services.evidence.roster.guard import Accepted
from tests.integration.evidence.gateway import Gateway, a_gateway
from tests.integration.evidence.rosters import Roster, a_class, a_student, enrolled
from tests.integration.evidence.test_roster import LATER, events, imported, told
from tests.stack import Stack

pytestmark = pytest.mark.stack


@pytest.fixture
async def gateway(stack: Stack) -> AsyncIterator[Gateway]:
    async with a_gateway(stack, people=False) as opened:
        yield opened


def a_school_of(count: int, *, move: int = 0) -> Roster:
    """A roster of HS1 with the first `count` of its students, and HS2 with the last `move` of those."""
    students = [f"s{number}" for number in range(count)]
    at = {student: "HS2" if number >= count - move else "HS1" for number, student in enumerate(students)}
    roster = Roster(demographics=[])
    roster.orgs.append({"sourcedId": "HS2", "name": "Other", "type": "school"})
    roster.classes.append(a_class("D1", schoolSourcedId="HS2"))
    roster.users = [a_student(student, f"Given{student}", "Family", orgSourcedIds=at[student]) for student in students]
    begin = {"HS1": "2025-09-03", "HS2": "2026-01-12"}
    roster.enrollments = [enrolled(each, "D1" if at[each] == "HS2" else "C1", begin[at[each]]) for each in students]
    return roster


async def test_one_in_twenty_may_leave_and_one_more_stops_naming_the_school(gateway: Gateway, tmp_path: Path) -> None:
    await imported(gateway, a_school_of(40).write(tmp_path / "1"))
    assert (await imported(gateway, a_school_of(38).write(tmp_path / "2"), LATER)).events["student.withdrawn"] == 2
    before = await events(gateway)
    fewer = a_school_of(36)
    fewer.users.append(a_student("new", "Nia", "Oak"))
    with pytest.raises(Rejected, match=r"enrolments-would-end.*HS1 \(2 of 38\).*--accept HS1$"):
        await imported(gateway, fewer.write(tmp_path / "3"), LATER)
    assert await events(gateway) == before
    assert not (await gateway.vault.resolve([Key("sis", "new")])).pseudonyms
    assert await gateway.app.state.pool.fetchval("SELECT count(*) FROM public.roster_imports") == 0


@pytest.mark.parametrize("accepted", ["HS1", "*"])
async def test_what_was_looked_at_goes_through(gateway: Gateway, tmp_path: Path, accepted: str) -> None:
    await imported(gateway, a_school_of(10).write(tmp_path / "1"))
    with pytest.raises(Rejected, match="HS1"):
        await imported(gateway, a_school_of(5).write(tmp_path / "2"), LATER, Accepted(frozenset({"HS2"})))
    summary = await imported(gateway, a_school_of(5).write(tmp_path / "2"), LATER, Accepted(frozenset({accepted})))
    assert summary.events["student.withdrawn"] == 5


async def test_who_goes_to_another_school_leaves_the_first(gateway: Gateway, tmp_path: Path) -> None:
    await imported(gateway, a_school_of(10).write(tmp_path / "1"))
    with pytest.raises(Rejected, match=r"HS1 \(1 of 10\)"):
        await imported(gateway, a_school_of(10, move=1).write(tmp_path / "2"), LATER)


async def test_a_late_transfer_keeps_its_date_and_is_in_force_at_once(gateway: Gateway, tmp_path: Path) -> None:
    await imported(gateway, a_school_of(40).write(tmp_path / "1"))
    moved = a_school_of(40, move=1)
    moved.enrollments.append(enrolled("s39", "C1", "2025-09-03", "2026-01-11"))
    await imported(gateway, moved.write(tmp_path / "2"), LATER)
    last = (await told(gateway, "s39"))[-1]
    assert (last["type"], last["data"]["school"]) == ("cairn.student.transferred.v1", "HS2")
    assert last["data"]["effective"] == "2026-01-12"
    assert last["recordedtime"] > last["time"]
    assert sum((await imported(gateway, moved.write(tmp_path / "3"), LATER)).events.values()) == 0


BORN = {"birthDate": "2010-05-05"}


async def test_a_number_given_to_somebody_else_stops_and_names_the_line_alone(gateway: Gateway, tmp_path: Path) -> None:
    roster = a_school_of(3)
    roster.demographics = [{"sourcedId": "s1"} | BORN]
    await imported(gateway, roster.write(tmp_path / "1"))
    before = await gateway.vault.search("Givens1", "s-")
    roster.users[1] = a_student("s1", "Quill", "Reed")
    roster.demographics = [{"sourcedId": "s1", "birthDate": "2013-01-31"}]
    with pytest.raises(Rejected, match="reused-identifier") as stopped:
        await imported(gateway, roster.write(tmp_path / "2"), LATER)
    assert "line 3." in str(stopped.value)
    assert not any(secret in str(stopped.value) for secret in ("Quill", "Reed", "s1", "2013"))
    assert await gateway.vault.search("Givens1", "s-") == before
    await imported(gateway, roster.write(tmp_path / "2"), LATER, Accepted(same_people=frozenset({3})))
    assert [each.pseudonym for each in await gateway.vault.search("Quill", "s-")] == [before[0].pseudonym]


async def test_who_changes_a_name_or_has_her_date_of_birth_mended_is_the_same(gateway: Gateway, tmp_path: Path) -> None:
    roster = a_school_of(3)
    roster.demographics = [{"sourcedId": "s1"} | BORN]
    await imported(gateway, roster.write(tmp_path / "1"))
    roster.users[1] = a_student("s1", "Quill", "Reed")
    assert (await imported(gateway, roster.write(tmp_path / "2"), LATER)).people == 1
    roster.demographics = [{"sourcedId": "s1", "birthDate": "2010-05-06"}]
    assert (await imported(gateway, roster.write(tmp_path / "3"), LATER)).people == 1
