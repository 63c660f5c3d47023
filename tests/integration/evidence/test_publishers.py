"""Publishers: a key once, a grant in types and schools, revocation; operators apart."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from click.testing import CliRunner

from contracts.submissions import SUBMISSIONS
from services.evidence.cli import publisher
from services.evidence.store import publishers as store
from tests.integration.evidence.gateway import Gateway, a_gateway, an_event, over_http
from tests.stack import Stack

pytestmark = pytest.mark.stack

POLICY = {
    "policy": "p",
    "version": 1,
    "framework": "hs",
    "method": {"name": "latest"},
    "order": "occurred",
    "scale": "d4",
}


@pytest.fixture
async def gateway(stack: Stack) -> AsyncIterator[Gateway]:
    async with a_gateway(stack) as opened:
        yield opened


async def test_a_grant_names_other_types_and_their_people_become_pseudonyms(gateway: Gateway) -> None:
    await gateway.publisher("office", SUBMISSIONS)
    students, staff = await gateway.students("104"), await gateway.staff("t1")
    sis = {"scheme": "sis", "value": "104"}
    events = [
        ("cairn.policy.published.v1", POLICY),
        ("cairn.student.enrolled.v1", {"student": sis, "school": "HS1", "grade": "09", "effective": "2026-03-02"}),
        ("cairn.staff.registered.v1", {"staff": {"scheme": "sis", "value": "t1"}, "role": "teacher", "schools": ["HS1"]}),
    ]
    batch = [an_event(f"o-{n}", source="office") | {"type": type, "data": data} for n, (type, data) in enumerate(events)]
    answer = await gateway.send(batch, publisher="office")
    assert [result["outcome"] for result in answer.json()["results"]] == ["accepted"] * 3, answer.text
    assert (await gateway.record("o-1", "office"))["subject"] == students["104"]
    teacher = await gateway.record("o-2", "office")
    assert ("subject" in teacher, teacher["data"]["staff"]) == (False, staff["t1"])


async def test_a_publisher_of_some_schools_speaks_about_their_students_only(gateway: Gateway) -> None:
    await gateway.publisher("local", schools=["HS1"])
    students = await gateway.students("104", "105")
    await gateway.app.state.pool.execute(
        "INSERT INTO public.roster_students (pseudonym, school, version, digests) VALUES ($1, 'HS1', 1, '{}'), ($2, 'H2', 1, '{}')",
        students["104"],
        students["105"],
    )
    mine = await gateway.send(an_event("e-1", source="local"), publisher="local")
    other = await gateway.send(an_event("e-2", source="local", student={"scheme": "sis", "value": "105"}), publisher="local")
    assert (mine.status_code, other.status_code, other.json()["code"], other.json()["pointer"]) == (
        201,
        403,
        "outside-grant",
        "/data/student",
    )
    assert await gateway.counts("local") == (2, 1, 0, 1, 0)


async def test_a_programme_is_stated_by_a_publisher_of_the_students_school(gateway: Gateway) -> None:
    type_ = "cairn.programme.changed.v1"
    await gateway.publisher("local", types=[type_], schools=["HS1"])
    students = await gateway.students("104", "105")
    await gateway.app.state.pool.execute(
        "INSERT INTO public.roster_students (pseudonym, school, version, digests) VALUES ($1, 'HS1', 1, '{}'), ($2, 'H2', 1, '{}')",
        students["104"],
        students["105"],
    )
    codes = []
    for id, student in (("p-1", "104"), ("p-2", "105")):
        data = {"student": {"scheme": "sis", "value": student}, "programme": "IEP", "effective": "2026-03-02"}
        event = an_event(id, source="local") | {"type": type_, "data": data}
        codes.append((await gateway.send(event, publisher="local")).status_code)
    assert codes == [201, 403]


async def test_a_revoked_key_is_taken_no_more(gateway: Gateway) -> None:
    assert (await gateway.send(an_event("e-1"))).status_code == 201
    await store.revoke(gateway.app.state.pool, "algebra")
    gateway.app.state.publishers._known.clear()  # as five seconds would
    assert (await gateway.send(an_event("e-2"))).status_code == 401


async def test_only_the_hash_of_a_key_is_kept(gateway: Gateway) -> None:
    rows = await gateway.app.state.pool.fetch("SELECT publishers::text FROM public.publishers")
    assert gateway.keys["algebra"] not in str(rows)


async def test_counters_of_publishers_are_told_and_add_up(gateway: Gateway) -> None:
    await gateway.send([an_event("e-1"), an_event("e-1"), an_event("e-2", score=None)])
    [counts] = (await gateway.client.get("/v1/publishers")).json()["publishers"]
    assert counts == {"publisher": "algebra", "received": 3, "accepted": 1, "duplicate": 1, "rejected": 1, "held": 0}


async def test_outside_local_mode_operators_need_their_key_and_the_vault_needs_its_own(stack: Stack) -> None:
    async with a_gateway(stack, mode="production", operator_key="sesame", vault_key="ab" * 32) as gateway:
        asked: list[tuple[str, dict[str, object]]] = [
            ("/v1/vault/names", {"json": {"pseudonyms": []}}),
            ("/v1/vault/search", {"json": {"text": "a"}}),
            ("/v1/ticks", {}),
            ("/v1/log/republish", {"json": {"partition": 0, "sequence": 0}}),
        ]
        for path, body in asked:
            for key, status in ((None, 401), ("wrong", 401), (gateway.keys["algebra"], 401), ("sesame", None)):
                headers = {"authorization": f"Bearer {key}"} if key else {}
                answer = await gateway.client.post(path, headers=headers, **body)  # type: ignore[arg-type]
                assert answer.status_code == status if status else answer.is_success
        assert (await gateway.client.get("/v1/publishers")).status_code == 401
        kept = await gateway.vault.pool.fetchrow("SELECT key, fingerprint FROM vault.keys")
        assert kept is not None
        assert kept["key"] is None
        assert bytes.fromhex("ab" * 32) not in kept["fingerprint"]


def test_the_commands_add_list_and_revoke(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAIRN_EVIDENCE_DATABASE", stack.fresh_database("evidence"))
    run = CliRunner().invoke
    added = run(publisher, ["add", "quiz-app", "--types", "evidence.submitted", "--schools", "HS1,HS2", "--json"])
    assert added.exit_code == 0, added.output
    told = json.loads(added.stdout)
    assert (told["publisher"], told["key"][:6], told["schools"]) == ("quiz-app", "cairn_", ["HS1", "HS2"])
    listed = json.loads(run(publisher, ["list", "--json"]).stdout)
    assert [(each["publisher"], each["types"], each["revoked"]) for each in listed] == [
        ("quiz-app", ["cairn.evidence.submitted.v1"], None)
    ]
    assert "quiz-app" in run(publisher, ["list"]).stdout
    assert told["key"] not in run(publisher, ["list"]).stdout
    assert run(publisher, ["add", "quiz-app"]).exception is not None
    assert run(publisher, ["add", "cairn"]).exit_code == 2
    assert run(publisher, ["add", "other", "--types", "mastery.changed"]).exit_code == 2
    assert run(publisher, ["revoke", "quiz-app"]).exit_code == 0
    assert run(publisher, ["revoke", "quiz-app"]).exception is not None


async def test_the_printed_command_works_as_it_is_printed(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    async with over_http(gateway) as url:
        monkeypatch.setenv("CAIRN_EVIDENCE_DATABASE", gateway.settings.dsn())
        monkeypatch.setenv("CAIRN_EVIDENCE_URL", url)
        added = await asyncio.to_thread(CliRunner().invoke, publisher, ["add", "quiz-app"])
        command = added.stdout.splitlines()[-1]
        ran = await asyncio.create_subprocess_shell(command, stdout=asyncio.subprocess.PIPE)
        told, _ = await ran.communicate()
    assert json.loads(told)["outcome"] == "held"  # nobody knows the student of the example
    assert await gateway.counts("quiz-app") == (0, 0, 0, 0, 0)
