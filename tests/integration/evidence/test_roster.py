"""A roster comes into the log as changes only, people into the vault only, and what waited for somebody is let in."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from services.chassis.errors import Rejected
from services.evidence.admit import Key
from services.evidence.roster.command import import_roster
from services.evidence.roster.guard import NOTHING_ACCEPTED, Accepted
from services.evidence.roster.importing import Summary
from services.evidence.store import roster as store
from tests.integration.evidence.gateway import Gateway, a_gateway, an_event
from tests.integration.evidence.rosters import Roster, a_class, a_student, enrolled
from tests.stack import Stack

pytestmark = pytest.mark.stack

NOW = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)
LATER = datetime(2026, 3, 9, 15, 0, tzinfo=UTC)


class Unseen:
    """Nobody watches the progress."""

    def stage(self, title: str, total: int | None) -> None:
        pass

    def advance(self, done: int) -> None:
        pass


@pytest.fixture
async def gateway(stack: Stack) -> AsyncIterator[Gateway]:
    async with a_gateway(stack, people=False) as opened:
        yield opened


HS1_MAY_EMPTY = Accepted(schools=frozenset({"HS1"}))


async def imported(gateway: Gateway, path: Path, now: datetime = NOW, accepted: Accepted = NOTHING_ACCEPTED) -> Summary:
    return await import_roster(gateway.opened, path, now, Unseen(), accepted)


async def events(gateway: Gateway) -> list[dict[str, Any]]:
    """Everything in the log but ticks and its opening."""
    rows = await gateway.app.state.pool.fetch("SELECT record FROM public.ledger ORDER BY position")
    records = [orjson.loads(row[0]) for row in rows]
    return [record for record in records if not record["type"].startswith("cairn.log.")]


async def told(gateway: Gateway, student: str) -> list[dict[str, Any]]:
    """The events of one student, oldest first."""
    name = (await gateway.vault.resolve([Key("sis", student)])).pseudonyms[Key("sis", student)]
    return [record for record in await events(gateway) if record.get("subject") == name]


async def test_a_roster_becomes_events_and_a_second_import_adds_nothing(gateway: Gateway, tmp_path: Path) -> None:
    path = Roster().write(tmp_path / "roster")
    summary = await imported(gateway, path)
    assert dict(summary.events) == {
        "school.registered": 1,
        "calendar.published": 1,
        "staff.registered": 1,
        "class.registered": 2,
        "student.enrolled": 2,
        "programme.changed": 2,
    }
    assert (summary.bad, summary.people, summary.duplicates) == ([], 3, 0)
    before = await events(gateway)
    again = await imported(gateway, path, LATER)
    assert (sum(again.events.values()), again.people, again.duplicates) == (0, 0, 0)
    assert await events(gateway) == before
    assert await gateway.counts("roster") == (9, 9, 0, 0, 0)


async def test_the_log_holds_pseudonyms_and_no_name_demographic_or_identifier(gateway: Gateway, tmp_path: Path) -> None:
    await imported(gateway, Roster().write(tmp_path / "roster"))
    text = orjson.dumps(await events(gateway)).decode()
    assert not any(secret in text for secret in ("Ada", "Birch", "Tova", "Ash", '"104"', '"t1"', "female"))
    enrolled_as = (await told(gateway, "104"))[0]
    assert enrolled_as["data"] == {"school": "HS1", "grade": "09", "classes": ["C1", "C2"], "effective": "2025-09-03"}
    [class_] = [each["data"] for each in await events(gateway) if each["data"].get("class") == "C1"]
    assert class_["meetings"] == [{"day": "MON", "period": "P1"}, {"day": "TUE", "period": "P2"}]
    assert class_["teachers"][0].startswith("p-")


async def test_names_are_found_in_the_vault_by_their_beginnings(gateway: Gateway, tmp_path: Path) -> None:
    await imported(gateway, Roster().write(tmp_path / "roster"))
    found = (await gateway.client.post("/v1/vault/search", json={"text": "ad bir"})).json()["people"]
    assert [(each["given"], each["family"]) for each in found] == [("Ada", "Birch")]
    names = (await gateway.client.post("/v1/vault/names", json={"pseudonyms": [found[0]["pseudonym"], "s-" + "a" * 26]})).json()
    assert names["people"] == found
    for text, staff, families in (("tov", False, []), ("tov", True, ["Ash"]), ("%", False, []), ("_da", False, [])):
        answer = await gateway.client.post("/v1/vault/search", json={"text": text, "staff": staff})
        assert [each["family"] for each in answer.json()["people"]] == families


async def test_a_stopped_import_states_the_same_events_again_as_duplicates(gateway: Gateway, tmp_path: Path) -> None:
    path = Roster().write(tmp_path / "roster")
    await imported(gateway, path)
    before = await events(gateway)
    await gateway.app.state.pool.execute("TRUNCATE public.roster_statements, public.roster_students")
    again = await imported(gateway, path, LATER)
    assert (sum(again.events.values()), again.duplicates) == (0, 9)
    assert await events(gateway) == before


class Killed(Exception):  # noqa: N818 - named for what happened
    pass


async def test_an_import_killed_and_run_again_days_later_keeps_its_date(
    gateway: Gateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    roster = Roster()
    await imported(gateway, roster.write(tmp_path / "1"))
    gone = Roster(users=roster.users[:2], enrollments=roster.enrollments[:3], demographics=[]).write(tmp_path / "2")

    async def killed(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(store, "state_students", killed)
        with pytest.raises(Killed):
            await imported(gateway, gone, NOW, HS1_MAY_EMPTY)
    await imported(gateway, gone, LATER, HS1_MAY_EMPTY)
    after = [record["type"] for record in await told(gateway, "105")]
    assert after.count("cairn.student.withdrawn.v1") == 1
    ended = [record["data"]["until"] for record in await told(gateway, "104") if "until" in record["data"]]
    assert ended == ["2026-03-02"] * 2
    assert await gateway.app.state.pool.fetchval("SELECT count(*) FROM public.roster_imports") == 0


async def test_only_what_changed_is_stated(gateway: Gateway, tmp_path: Path) -> None:
    roster = Roster()
    await imported(gateway, roster.write(tmp_path / "1"))
    roster.classes[1] = a_class("C2", periods="WED-P3")
    roster.enrollments.append(enrolled("105", "C2", begin="2026-03-01"))
    roster.demographics[0]["metadata.cairn.programmes"] = "ENL=emerging"
    summary = await imported(gateway, roster.write(tmp_path / "2"), LATER)
    assert dict(summary.events) == {"class.registered": 1, "student.enrolled": 1, "programme.changed": 2}
    assert (await told(gateway, "105"))[-1]["data"] == {
        "school": "HS1",
        "grade": "09",
        "classes": ["C1", "C2"],
        "effective": "2026-03-01",
    }
    programmes = [each["data"] for each in (await told(gateway, "104"))[-2:]]
    assert programmes == [
        {"programme": "ENL", "level": "emerging", "effective": "2026-03-09"},
        {"programme": "IEP", "effective": "2025-09-03", "until": "2026-03-09"},
    ]


async def test_who_is_gone_is_withdrawn_and_who_returns_is_enrolled_again(gateway: Gateway, tmp_path: Path) -> None:
    roster = Roster()
    await imported(gateway, roster.write(tmp_path / "1"))
    gone = Roster(users=roster.users[:2], enrollments=roster.enrollments[:3])
    await imported(gateway, gone.write(tmp_path / "2"), LATER, HS1_MAY_EMPTY)
    last = (await told(gateway, "105"))[-1]
    assert (last["type"], last["data"]["reason"], last["data"]["effective"]) == (
        "cairn.student.withdrawn.v1",
        "not-in-roster",
        "2026-03-09",
    )
    assert sum((await imported(gateway, gone.write(tmp_path / "3"), LATER)).events.values()) == 0
    await imported(gateway, roster.write(tmp_path / "4"), LATER)
    last = (await told(gateway, "105"))[-1]
    assert (last["type"], last["data"]["effective"]) == ("cairn.student.enrolled.v1", "2026-03-09")
    assert sum((await imported(gateway, roster.write(tmp_path / "5"), LATER)).events.values()) == 0


async def test_a_roster_of_other_schools_withdraws_nobody_here(gateway: Gateway, tmp_path: Path) -> None:
    await imported(gateway, Roster().write(tmp_path / "1"))
    other = Roster(
        orgs=[{"sourcedId": "HS2", "name": "Other", "type": "school"}],
        classes=[a_class("D1", schoolSourcedId="HS2")],
        users=[a_student("204", "Cy", "Dogwood", orgSourcedIds="HS2")],
        enrollments=[enrolled("204", "D1")],
        demographics=[],
    )
    summary = await imported(gateway, other.write(tmp_path / "2"), LATER)
    assert dict(summary.events) == {"school.registered": 1, "calendar.published": 1, "class.registered": 1, "student.enrolled": 1}


async def test_oneroster_1_2_in_a_zip_file_with_roles(gateway: Gateway, tmp_path: Path) -> None:
    roster = Roster()
    for user in roster.users:
        roster.roles.append(
            {
                "userSourcedId": user["sourcedId"],
                "roleType": "primary",
                "role": user.pop("role"),
                "orgSourcedId": user.pop("orgSourcedIds"),
            }
        )
    roster.users[1]["userIds"] = "{state:NY-7},{two words:x}"
    summary = await imported(gateway, roster.zip(tmp_path / "roster"))
    assert (summary.bad, summary.events["student.enrolled"]) == ([], 2)
    same = await gateway.vault.resolve([Key("sis", "104"), Key("state", "NY-7")])
    assert len(set(same.pseudonyms.values())) == 1


async def test_bad_rows_are_told_with_line_and_reason_and_the_others_are_taken(gateway: Gateway, tmp_path: Path) -> None:
    roster = Roster()
    roster.users += [a_student("", "No", "Id"), a_student("106", "Di", "Elm"), {"sourcedId": "g1", "role": "parent"}]
    roster.classes.append(a_class("C3", schoolSourcedId="HS9"))
    roster.enrollments += [
        enrolled("106", "C9"),
        enrolled("999", "C1"),
        enrolled("106", "C1", begin="yesterday"),
        enrolled("106", "C1", begin="2026-02-01", end="2026-01-01"),
        enrolled("106", "C1", begin="2026-02-01"),
    ]
    summary = await imported(gateway, roster.write(tmp_path / "roster"))
    assert [(each.file, each.line) for each in summary.bad] == [
        ("classes.csv", 4),
        ("users.csv", 5),
        ("enrollments.csv", 6),
        ("enrollments.csv", 7),
        ("enrollments.csv", 8),
        ("enrollments.csv", 9),
    ]
    text = summary.as_text() + orjson.dumps(summary.as_json()).decode()
    assert not any(secret in text for secret in ("No", "Di", "Elm", "yesterday", "999"))
    assert (await told(gateway, "106"))[0]["data"]["effective"] == "2026-02-01"


async def test_a_roster_that_cannot_be_read_is_refused(gateway: Gateway, tmp_path: Path) -> None:
    with pytest.raises(Rejected, match="no-roster"):
        await imported(gateway, tmp_path / "nothing")
    path = Roster().write(tmp_path / "roster")
    (path / "manifest.csv").write_text("propertyName,value\nfile.users,delta\n")
    with pytest.raises(Rejected, match="delta-roster"):
        await imported(gateway, path)
    (path / "manifest.csv").unlink()
    (path / "users.csv").write_bytes(b"sourcedId\n\xff\n")
    with pytest.raises(Rejected, match="unreadable-roster"):
        await imported(gateway, path)
    (path / "users.csv").unlink()
    with pytest.raises(Rejected, match=r"incomplete-roster.*users\.csv"):
        await imported(gateway, path)


async def test_evidence_that_came_before_its_student_is_held_and_let_in_by_the_roster(gateway: Gateway, tmp_path: Path) -> None:
    await gateway.publisher("local", schools=["HS1"])
    await gateway.publisher("foreign", schools=["HS9"])
    first = await gateway.send(an_event("e-1", assessor={"scheme": "sis", "value": "t1"}))
    again = await gateway.send(an_event("e-1", assessor={"scheme": "sis", "value": "t1"}))
    other = await gateway.send(an_event("e-1", score=1))
    for name in ("local", "foreign"):
        await gateway.send(an_event("e-1", source=name), publisher=name)
    await gateway.send(an_event("e-2", student={"scheme": "sis", "value": "unheard-of"}))
    assert [first.status_code, again.status_code, other.status_code] == [202, 200, 409]
    assert await gateway.counts() == (4, 0, 1, 1, 2)
    summary = await imported(gateway, Roster().write(tmp_path / "roster"))
    assert summary.released == 3
    assert await gateway.counts() == (4, 1, 1, 1, 1)
    assert await gateway.counts("local") == (1, 1, 0, 0, 0)
    assert await gateway.counts("foreign") == (1, 0, 0, 1, 0)
    record = await gateway.record("e-1")
    assert record["data"]["assessor"].startswith("p-")
    after = await gateway.send(an_event("e-1", assessor={"scheme": "sis", "value": "t1"}))
    assert (after.status_code, after.json()["position"]) == (200, record["position"])


async def test_what_waits_for_a_student_and_then_for_a_teacher_comes_in_when_both_are_known(gateway: Gateway) -> None:
    await gateway.send(an_event("e-1", assessor={"scheme": "sis", "value": "t1"}))
    await gateway.students("104")
    assert await gateway.look_at_held() == 0
    assert await gateway.counts() == (1, 0, 0, 0, 1)
    await gateway.staff("t1")
    assert await gateway.look_at_held() == 1
    assert await gateway.counts() == (1, 1, 0, 0, 0)
