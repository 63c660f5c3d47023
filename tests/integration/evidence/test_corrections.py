"""Corrections at the door: their targets are resolved, checked and waited for, and a key leads to one student's record."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from services.evidence.domain import Held
from tests.integration.evidence.gateway import Gateway, a_gateway, a_retraction, a_superseding, an_event
from tests.integration.log.ledgers import the_ledger_holds
from tests.stack import Stack

pytestmark = pytest.mark.stack

UUID7 = "01957a30-6d5a-7000-8000-000000000001"


@pytest.fixture
async def gateway(stack: Stack) -> AsyncIterator[Gateway]:
    async with a_gateway(stack) as opened:
        yield opened
        await the_ledger_holds(opened.app.state.pool)


async def position_of(gateway: Gateway, id: str) -> str:
    position: str = (await gateway.record(id))["position"]
    return position


@pytest.mark.parametrize("id", ["e-1", UUID7])
async def test_a_retraction_names_its_target_by_position(gateway: Gateway, id: str) -> None:
    student = (await gateway.students("104"))["104"]
    await gateway.send(an_event(id))
    assert (await gateway.retract("r-1", target={"id": id})).status_code == 201
    record = await gateway.record("r-1")
    wanted = {"target": await position_of(gateway, id), "scope": "event", "reason": "entered-in-error"}
    assert (record["subject"], record["data"]) == (student, wanted)
    assert await gateway.counts() == (2, 2, 0, 0, 0)


async def test_a_superseding_piece_is_whole_and_names_its_target(gateway: Gateway) -> None:
    await gateway.send(an_event("e-1", score=3.5))
    assert (await gateway.send(a_superseding("e-2", target={"id": "e-1"}, score=2.5, competency="MA.2"))).status_code == 201
    data = (await gateway.record("e-2"))["data"]
    assert (data["target"], data["score_thousandths"], data["competency"]) == (await position_of(gateway, "e-1"), 2500, "MA.2")


async def test_a_correction_can_be_retracted_and_no_retraction_superseded(gateway: Gateway) -> None:
    await gateway.send([an_event("e-1"), an_event("e-2")])
    await gateway.retract("r-1", target={"id": "e-1"})
    assert (await gateway.retract("r-2", target={"id": "r-1"})).status_code == 201
    assert (await gateway.record("r-2"))["data"]["target"] == await position_of(gateway, "r-1")
    refused = await gateway.send(a_superseding("e-3", target={"id": "r-1"}))
    assert (refused.status_code, refused.json()["code"], refused.json()["pointer"]) == (422, "not-correctable", "/data/target")


async def test_new_content_under_a_known_key_belongs_to_the_record_and_a_retraction_by_key_withdraws_it(gateway: Gateway) -> None:
    await gateway.send(an_event("e-1") | {"sourcekey": "row 17"})
    assert (await gateway.send(an_event("e-2", score=2) | {"sourcekey": "row 17"})).status_code == 201
    assert (await gateway.send(a_superseding("e-3", target={"sourcekey": "row 17"}))).status_code == 201
    assert (await gateway.retract("r-1", target={"sourcekey": "row 17"})).status_code == 201
    first = await position_of(gateway, "e-1")
    assert (await gateway.record("e-3"))["data"]["target"] == first
    retracted = (await gateway.record("r-1"))["data"]
    assert (retracted["target"], retracted["scope"]) == (first, "record")
    rows = await gateway.app.state.pool.fetch("SELECT record FROM public.records")
    assert [str(row["record"]) for row in rows] == [first] * 3


async def test_a_correction_waits_for_its_target_and_comes_in_by_itself(gateway: Gateway) -> None:
    held = [
        await gateway.retract("r-1", target={"id": "e-1"}),
        await gateway.retract("r-2", target={"sourcekey": "row 17"}),
        await gateway.retract("r-3", target={"id": "r-1"}),
    ]
    assert [answer.status_code for answer in held] == [202] * 3
    assert await gateway.counts() == (3, 0, 0, 0, 3)
    assert await gateway.look_at_held() == 0
    assert await gateway.ledger.status("algebra", "r-1") == Held(duplicate=True)
    again = await gateway.retract("r-1", target={"id": "e-1"})
    assert (again.status_code, again.json()["outcome"]) == (200, "duplicate")
    await gateway.send([an_event("e-1"), an_event("e-2") | {"sourcekey": "row 17"}])
    while await gateway.look_at_held():
        pass
    assert await gateway.counts() == (6, 5, 1, 0, 0)
    assert (await gateway.record("r-3"))["data"]["target"] == await position_of(gateway, "r-1")


async def test_a_correction_that_waited_is_refused_when_its_target_turns_out_to_be_another_students(gateway: Gateway) -> None:
    await gateway.retract("r-1", target={"id": "e-1"}, student="105")
    await gateway.send(an_event("e-1"))
    assert await gateway.look_at_held() == 1
    assert await gateway.counts() == (2, 1, 0, 1, 0)


async def test_a_correction_may_come_in_one_request_with_its_target(gateway: Gateway) -> None:
    answer = await gateway.send([an_event("e-1"), a_retraction("r-1", target={"id": "e-1"})])
    assert [result["outcome"] for result in answer.json()["results"]] == ["accepted", "held"]
    assert await gateway.look_at_held() == 1
    assert await gateway.counts() == (2, 2, 0, 0, 0)


async def test_it_waits_for_its_student_first(gateway: Gateway) -> None:
    await gateway.send(an_event("e-1", student={"scheme": "sis", "value": "900"}))
    await gateway.retract("r-1", target={"id": "e-1"}, student="900")
    await gateway.students("900")
    while await gateway.look_at_held():
        pass
    assert await gateway.counts() == (2, 2, 0, 0, 0)


@pytest.mark.parametrize(
    ("event", "code", "pointer"),
    [
        (a_retraction("x", target={"id": "e-1"}, student="105"), "other-student", "/data/target"),
        (a_superseding("x", target={"id": "e-1"}, student={"scheme": "sis", "value": "105"}), "other-student", "/data/target"),
        (a_retraction("x", target={"sourcekey": "row 17"}, student="105"), "other-student", "/data/target"),
        (an_event("x", student={"scheme": "sis", "value": "105"}) | {"sourcekey": "row 17"}, "other-student", "/sourcekey"),
        (a_retraction("x", target={"source": "geometry", "id": "g-1"}), "foreign-source", "/data/target/source"),
        (a_retraction("x", target={"id": "e-1", "sourcekey": "row 17"}), "inconsistent", "/data/target"),
        (a_retraction("x", target={}), "inconsistent", "/data/target"),
        (a_retraction("x", target={"id": "e-1"}) | {"sourcekey": "row 18"}, "inconsistent", "/sourcekey"),
        (
            a_retraction("x", target={"source": "algebra/quiz", "id": "e-1"}) | {"sourcesequence": 4},
            "inconsistent",
            "/sourcesequence",
        ),
        (a_retraction("x", target={"id": "e-1"}) | {"data": {"reason": "she moved away"}}, "invalid-field", "/data/student"),
    ],
)
async def test_what_may_not_be_corrected_is_refused_with_the_field(
    gateway: Gateway, event: dict[str, Any], code: str, pointer: str
) -> None:
    await gateway.publisher("geometry")
    await gateway.send(an_event("g-1", source="geometry"), publisher="geometry")
    await gateway.send(an_event("e-1") | {"sourcekey": "row 17"})
    refused = await gateway.send(event)
    assert (refused.json()["code"], refused.json()["pointer"]) == (code, pointer)
    assert await gateway.counts() == (2, 1, 0, 1, 0)


async def test_a_reason_is_a_code_and_never_words(gateway: Gateway) -> None:
    event = a_retraction("x", target={"id": "e-1"})
    event["data"]["reason"] = "she moved away"
    refused = await gateway.send(event)
    assert (refused.json()["code"], refused.json()["pointer"]) == ("invalid-field", "/data/reason")
    assert "moved" not in refused.text


# Keys


async def test_one_request_cannot_begin_records_of_two_students_under_one_key(gateway: Gateway) -> None:
    other = an_event("e-2", student={"scheme": "sis", "value": "105"}) | {"sourcekey": "row 17"}
    answer = await gateway.send([an_event("e-1") | {"sourcekey": "row 17"}, other, an_event("e-3") | {"sourcekey": "row 17"}])
    outcomes = [(result["outcome"], result.get("problem", {}).get("code")) for result in answer.json()["results"]]
    assert outcomes == [("accepted", None), ("rejected", "other-student"), ("accepted", None)]
    assert await gateway.counts() == (3, 2, 0, 1, 0)


async def test_an_atomic_request_with_a_key_of_two_students_is_refused_whole(gateway: Gateway) -> None:
    other = an_event("e-2", student={"scheme": "sis", "value": "105"}) | {"sourcekey": "row 17"}
    answer = await gateway.send([an_event("e-1") | {"sourcekey": "row 17"}, other], query="?atomic=true")
    assert answer.status_code == 422
    assert await gateway.counts() == (2, 0, 0, 2, 0)


async def test_a_key_that_many_claim_at_once_leads_to_one_students_record(gateway: Gateway) -> None:
    def claim(n: int, student: str) -> dict[str, Any]:
        return an_event(f"e-{n}-{student}", student={"scheme": "sis", "value": student}) | {"sourcekey": f"row {n}"}

    claims = [claim(n, student) for n in range(20) for student in ("104", "105")]
    answers = await asyncio.gather(*(gateway.send(each) for each in claims), *(gateway.send([each]) for each in claims))
    assert {answer.status_code for answer in answers} <= {200, 201, 207, 422}
    owners: dict[str, set[str]] = {}
    for row in await gateway.app.state.pool.fetch("SELECT record FROM public.ledger WHERE subject IS NOT NULL"):
        record = json.loads(row["record"])
        owners.setdefault(record["sourcekey"], set()).add(record["subject"])
    assert [len(students) for students in owners.values()] == [1] * 20
    received, accepted, duplicate, rejected, _ = await gateway.counts()
    assert (received, accepted, duplicate, rejected) == (80, 20, 20, 40)
