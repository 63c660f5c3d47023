"""A merge is one moment in the log: identifiers, evidence and the event move together, and an unmerge gives all of it back."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from contracts.codec import decode
from contracts.events import StudentMerged, StudentUnmerged
from contracts.events.identities import MergeReason, UnmergeReason
from contracts.topics import EVIDENCE_LOG
from deploy.local.provision import create_topics
from services.chassis.errors import Rejected
from services.chassis.postgres import Connection
from services.evidence import cli, office
from services.evidence.admit import Key
from services.evidence.corrections import Named
from services.evidence.merging import Merging
from services.evidence.store import vault as vault_store
from services.evidence.stories import story_of
from services.evidence.vault import STAFF, STUDENT
from tests.integration.evidence.gateway import Gateway, a_gateway, a_retraction, an_event
from tests.integration.evidence.rosters import Roster
from tests.integration.evidence.test_roster import imported
from tests.integration.log.ledgers import the_ledger_holds
from tests.stack import Stack
from tests.until import until

pytestmark = pytest.mark.stack

MERGED: MergeReason = "duplicate-registration"
UNMERGED: UnmergeReason = "different-people"


class District(Gateway):
    """A gateway with district IT beside it."""

    @property
    def merging(self) -> Merging:
        return Merging(self.ledger, self.opened.key)

    async def events(self, student: str | None = None) -> list[dict[str, Any]]:
        """Everything of evidence and identities in the log, or what is placed with one student."""
        rows = await self.app.state.pool.fetch("SELECT record FROM public.ledger WHERE subject IS NOT NULL ORDER BY position")
        events = [json.loads(row["record"]) for row in rows]
        return [each for each in events if student is None or student in (each["subject"], *each.get("sharedwith", "").split())]

    async def story(self, student: str) -> set[str]:
        """The ids of the evidence that a student holds."""
        rows = await self.app.state.pool.fetch("SELECT record FROM public.ledger WHERE subject IS NOT NULL ORDER BY position")
        events = [event for row in rows if student in (event := decode(row["record"])).holders]
        events = [event for event in events if not isinstance(event.data, StudentMerged)]
        return {told.event.id for told in story_of(student, events).values()}


@pytest.fixture
async def district(stack: Stack) -> AsyncIterator[District]:
    async with a_gateway(stack) as opened:
        yield District(opened.app, opened.client, opened.settings, opened.topic, opened.keys)
        await the_ledger_holds(opened.app.state.pool)


def by(student: str) -> dict[str, Any]:
    return {"student": {"scheme": "sis", "value": student}}


async def people(district: District) -> tuple[str, str, str]:
    """Pseudonyms of students 104 and 105, and of a teacher."""
    students = await district.students("104", "105")
    return students["104"], students["105"], (await district.staff("t1"))["t1"]


async def test_a_merge_copies_the_evidence_and_leads_the_identifiers_to_the_survivor(district: District) -> None:
    other, survivor, teacher = await people(district)
    await district.send([an_event("e-1"), an_event("e-2", **by("105"))])
    await district.retract("r-1", target={"id": "e-1"})
    done = await district.merging.merge(other, survivor, teacher, MERGED)
    assert (done.copies, done.duplicate) == (2, False)
    *_, first, second, merged = await district.events()
    original = await district.record("e-1")
    assert [(each["id"], each["subject"], each["resolvedfrom"]) for each in (first, second)] == [
        ("e-1", survivor, other),
        ("r-1", survivor, other),
    ]
    assert (first["originalposition"], first["data"]) == (original["position"], original["data"])
    assert (merged["type"], merged["subject"], merged["sharedwith"]) == (StudentMerged.TYPE, survivor, other)
    assert (merged["data"], merged["actor"]) == ({"other": other, "copies": 2, "reason": MERGED}, teacher)
    assert await district.counts() == (3, 3, 0, 0, 0)
    assert await district.counts("district") == (1, 1, 0, 0, 0)
    await district.send(an_event("e-3"))
    record = await district.record("e-3")
    assert (record["subject"], record["resolvedfrom"]) == (survivor, other)
    assert await district.story(survivor) == {"e-1", "r-1", "e-2", "e-3"}


async def test_what_both_hold_is_corrected_by_one_event_in_both_partitions(district: District) -> None:
    other, survivor, teacher = await people(district)
    await district.send(an_event("e-1") | {"sourcekey": "row 1"})
    await district.merging.merge(other, survivor, teacher, MERGED)
    await district.send(an_event("e-2", **by("105")) | {"sourcekey": "row 1"})
    await district.retract("r-1", target={"id": "e-1"}, student="105")
    for id in ("e-2", "r-1"):
        record = await district.record(id)
        assert (record["subject"], record["sharedwith"]) == (survivor, other)
    assert (await district.record("r-1"))["data"]["target"] == (await district.record("e-1"))["position"]
    await district.send(an_event("e-3"))
    await district.retract("r-3", target={"id": "e-3"})
    assert "sharedwith" not in await district.record("r-3"), "what came after the merge is held by the survivor alone"


async def test_an_unmerge_gives_everything_back(district: District) -> None:
    other, survivor, teacher = await people(district)
    await district.send([an_event("e-1"), an_event("e-2", **by("105"))])
    await district.merging.merge(other, survivor, teacher, MERGED)
    await district.send([an_event("e-3"), an_event("e-4", **by("105"))])
    await district.retract("r-3", target={"id": "e-3"}, student="105")
    await district.retract("r-1", target={"id": "e-1"}, student="105")
    await district.look_at_held()
    done = await district.merging.unmerge(other, teacher, UNMERGED)
    assert done.copies == 2, "e-3 and its retraction: e-1 and its own were kept"
    unmerged = (await district.events())[-1]
    assert (unmerged["type"], unmerged["data"]["returned"]) == (StudentUnmerged.TYPE, [other])
    assert await district.story(other) == {"e-1", "r-1", "e-3", "r-3"}
    assert await district.story(survivor) == {"e-2", "e-4"}
    await district.send(an_event("e-5"))
    record = await district.record("e-5")
    assert (record["subject"], "resolvedfrom" in record) == (other, False)
    refused = await district.retract("r-5", target={"id": "e-3"}, student="105")
    assert refused.json()["code"] == "other-student"


async def test_a_decision_that_is_given_again_changes_nothing(district: District) -> None:
    other, survivor, teacher = await people(district)
    merged = await district.merging.merge(other, survivor, teacher, MERGED)
    again = await district.merging.merge(other, survivor, teacher, MERGED)
    assert (again.position, again.duplicate) == (merged.position, True)
    unmerged = await district.merging.unmerge(other, teacher, UNMERGED)
    again = await district.merging.unmerge(other, teacher, UNMERGED)
    assert (again.position, again.duplicate) == (unmerged.position, True)
    assert await district.counts("district") == (2, 2, 0, 0, 0)
    assert not (await district.merging.merge(other, survivor, teacher, MERGED)).duplicate


async def test_what_makes_no_sense_is_refused_and_changes_nothing(district: District) -> None:
    other, survivor, teacher = await people(district)
    third = (await district.students("106"))["106"]
    with pytest.raises(Rejected, match="not-merged"):
        await district.merging.unmerge(other, teacher, UNMERGED)
    with pytest.raises(Rejected, match="same-student"):
        await district.merging.merge(other, other, teacher, MERGED)
    await district.merging.merge(other, survivor, teacher, MERGED)
    with pytest.raises(Rejected, match="merged-already"):
        await district.merging.merge(other, third, teacher, MERGED)
    with pytest.raises(Rejected, match="survivor-merged"):
        await district.merging.merge(third, other, teacher, MERGED)
    await district.merging.merge(survivor, third, teacher, MERGED)
    with pytest.raises(Rejected, match="survivor-merged"):
        await district.merging.unmerge(other, teacher, UNMERGED)
    assert (await district.ledger.head()).merges == 2


async def test_people_are_named_by_what_was_theirs_first_and_by_pseudonyms(district: District) -> None:
    other, survivor, teacher = await people(district)
    await district.merging.merge(other, survivor, teacher, MERGED)
    assert await office.person(district.opened, "sis:104", STUDENT) == other
    assert await office.person(district.opened, other, STUDENT) == other
    for unknown in ("sis:999", "s-" + "z" * 26, "sis:t1", ""):
        with pytest.raises(Rejected, match="unknown-student"):
            await office.person(district.opened, unknown, STUDENT)
    assert await office.person(district.opened, "sis:t1", STAFF) == teacher


# Races and faults


async def test_sends_corrections_and_merges_at_once_leave_everything_with_whom_it_belongs(district: District) -> None:
    other, survivor, teacher = await people(district)
    chance = random.Random(11)

    async def sends(worker: int) -> None:
        for n in range(25):
            id, student = f"e-{worker}-{n}", chance.choice(["104", "105"])
            event = an_event(id, **by(student))
            await until_taken(district, event if n % 2 else [event])
            if n % 5 == 0:
                await until_taken(district, a_retraction(f"r-{worker}-{n}", target={"id": id}, student=student))

    async def merges() -> None:
        for _ in range(6):
            await district.merging.merge(other, survivor, teacher, MERGED)
            await district.merging.unmerge(other, teacher, UNMERGED)

    await asyncio.gather(*(sends(worker) for worker in range(4)), merges())
    while await district.look_at_held():
        pass
    received, accepted, _, rejected, held = await district.counts()
    assert (received, accepted, rejected, held) == (120, 120, 0, 0)
    await every_event_is_with_whoever_its_identifier_led_to(district)
    stories = await district.story(other), await district.story(survivor)
    assert len(stories[0]) + len(stories[1]) == 120 and not stories[0] & stories[1]


async def until_taken(district: District, body: object) -> None:
    """Send as a client does: again, after a pause, when the gateway cannot answer, as when people are merged all the time.

    The pause matters: client and gateway share an event loop here, and a refusal alone gives nobody else a turn.
    """

    async def taken() -> bool:
        return (await district.send(body)).status_code != 503

    await until(taken, 120)


async def every_event_is_with_whoever_its_identifier_led_to(district: District) -> None:
    """At its own place in the log, that is: merges before it are in force, later ones not."""
    into: dict[str, str] = {}
    for event in await district.events():
        if event["type"] == StudentMerged.TYPE:
            into[event["data"]["other"]] = event["subject"]
        elif event["type"] == StudentUnmerged.TYPE:
            del into[event["data"]["other"]]
        elif "originalposition" not in event:
            own = event.get("resolvedfrom", event["subject"])
            assert into.get(own, own) == event["subject"]


@pytest.mark.parametrize("fault", ["an error", "a lost connection"])
async def test_a_merge_that_fails_half_way_leaves_nothing_behind(
    district: District, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    other, survivor, teacher = await people(district)
    await district.send(an_event("e-1"))
    before, tried, lead = await district.ledger.head(), [0], vault_store.lead

    async def failing(connection: Connection, *args: str) -> None:
        await lead(connection, *args)
        tried[0] += 1
        if fault == "an error":
            raise RuntimeError("after everything was written")
        if tried[0] == 1:
            await connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    monkeypatch.setattr(vault_store, "lead", failing)
    if fault == "an error":
        with pytest.raises(RuntimeError):
            await district.merging.merge(other, survivor, teacher, MERGED)
        after = await district.ledger.head()
        assert (after.merges, len(await district.events())) == (before.merges, 1)
        assert (await district.vault.resolve([Key("sis", "104")])).pseudonyms == {Key("sis", "104"): other}
    else:
        assert (await district.merging.merge(other, survivor, teacher, MERGED)).copies == 1
        assert tried == [2]
        assert [each["type"] for each in await district.events()].count(StudentMerged.TYPE) == 1


# District IT corrects


async def test_district_it_retracts_what_anybody_sent_once_and_again_after_a_change_of_heart(district: District) -> None:
    student, _, teacher = await people(district)
    await district.send(an_event("e-1"))
    first = await office.retract(district.opened, Named("algebra", "e-1"), teacher, "not-own-work")
    again = await office.retract(district.opened, Named("algebra", "e-1"), teacher, "other")
    assert (again.position, again.duplicate) == (first.position, True)
    event = (await district.events())[-1]
    assert (event["source"], event["subject"], event["actor"]) == ("district", student, teacher)
    undone = await office.retract(district.opened, Named("district", event["id"]), teacher, "correction-was-wrong")
    assert not undone.duplicate
    assert not (await office.retract(district.opened, Named("algebra", "e-1"), teacher, "not-own-work")).duplicate
    with pytest.raises(Rejected, match="unknown-target"):
        await office.retract(district.opened, Named("algebra", "e-9"), teacher, "other")


async def test_a_record_is_retracted_again_only_when_something_came_after(district: District) -> None:
    _, _, teacher = await people(district)
    named = Named("algebra", sourcekey="row 1")
    await district.send(an_event("e-1") | {"sourcekey": "row 1"})
    assert not (await office.retract(district.opened, named, teacher, "deleted-at-source")).duplicate
    assert (await office.retract(district.opened, named, teacher, "deleted-at-source")).duplicate
    await district.send(an_event("e-2") | {"sourcekey": "row 1"})
    assert not (await office.retract(district.opened, named, teacher, "deleted-at-source")).duplicate


async def test_an_assessor_is_revoked_and_reinstated_once_each(district: District) -> None:
    _, _, teacher = await people(district)
    since = datetime(2026, 1, 1, tzinfo=UTC)
    first = await office.revoke(district.opened, teacher, since, teacher, "not-certified")
    again = await office.revoke(district.opened, teacher, since, teacher, "not-certified")
    assert (again.position, again.duplicate) == (first.position, True)
    assert not (await office.revoke(district.opened, teacher, None, teacher, "not-certified")).duplicate
    assert not (await office.reinstate(district.opened, teacher, teacher, "revoked-in-error")).duplicate
    assert not (await office.revoke(district.opened, teacher, since, teacher, "not-certified")).duplicate
    assert await district.counts("district") == (5, 4, 1, 0, 0)


@pytest.fixture
def kafka(stack: Stack) -> Iterator[str]:
    """A Kafka with the log's own topic, which commands look at: under that name it would harm others on the shared one."""
    with stack.own_kafka() as own:
        create_topics(own.bootstrap, [EVIDENCE_LOG], 4)
        yield own.bootstrap


async def test_the_commands_do_it_and_say_where_the_log_has_it(district: District, kafka: str) -> None:
    other, _, teacher = await people(district)
    command = partial(commanded, district, kafka)
    await district.send(an_event("e-1"))
    told = await command(cli.student, "merge", "sis:104", "--into", "sis:105", "--actor", "sis:t1", "--reason", MERGED)
    assert (told["copies"], told["duplicate"]) == (1, False)
    assert (await district.events())[-1]["position"] == told["position"]
    told = await command(cli.student, "unmerge", other, "--actor", teacher, "--reason", UNMERGED)
    assert (told["copies"], told["duplicate"]) == (0, False)
    retract = ("retract", "algebra", "e-1", "--actor", "sis:t1", "--reason", "not-own-work")
    assert [(await command(cli.evidence, *retract))["duplicate"] for _ in range(2)] == [False, True]
    revoke = ("revoke", "sis:t1", "--since", "2026-01-01T00:00:00+0000", "--actor", "sis:t1", "--reason", "not-certified")
    assert not (await command(cli.assessor, *revoke))["duplicate"]
    reinstate = ("reinstate", "sis:t1", "--actor", "sis:t1", "--reason", "revoked-in-error")
    assert not (await command(cli.assessor, *reinstate))["duplicate"]


async def commanded(district: District, kafka: str, group: click.Group, *arguments: str) -> dict[str, Any]:
    """What a command answers in JSON, run as its own program would."""
    settings = {"CAIRN_MODE": "local", "CAIRN_EVIDENCE_DATABASE": district.settings.dsn(), "CAIRN_KAFKA": kafka}
    ran = await asyncio.to_thread(CliRunner().invoke, group, [*arguments, "--json"], env=settings, catch_exceptions=False)
    assert ran.exit_code == 0, ran.output
    found: dict[str, Any] = json.loads(ran.output)
    return found


# Rosters


async def test_a_roster_that_has_a_merged_student_twice_states_one(district: District, tmp_path: Path) -> None:
    roster = Roster()
    path = roster.write(tmp_path / "roster")
    await imported(district, path)
    names = (await district.vault.resolve([Key("sis", "104"), Key("sis", "105")])).pseudonyms
    other, survivor = names[Key("sis", "104")], names[Key("sis", "105")]
    teacher = (await district.staff("t1"))["t1"]
    await district.merging.merge(other, survivor, teacher, MERGED)
    await district.vault.refresh()
    summary = await imported(district, path)
    assert summary.bad == []
    stated = [each for each in await district.events(survivor) if each["type"] == "cairn.student.enrolled.v1"]
    assert sorted(stated[-1]["data"]["classes"]) == ["C1", "C2"], "the classes of both rows"
    assert sum((await imported(district, path)).events.values()) == 0
    assert [each.pseudonym for each in await district.vault.search("birch", STUDENT)] == []
    await district.merging.unmerge(other, teacher, UNMERGED)
    await district.vault.refresh()
    await imported(district, path)
    stated = [each for each in await district.events(other) if each["type"] == "cairn.student.enrolled.v1"]
    assert sorted(stated[-1]["data"]["classes"]) == ["C1", "C2"]
    assert len(stated) == 2, "before the merge, and anew"
