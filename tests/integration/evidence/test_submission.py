"""What is sent comes into the log once, gets the same receipt however it looks, and is counted."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import AsyncIterator

import pytest

from contracts.codec import decode
from services.chassis.telemetry import configure
from tests.integration.evidence.gateway import Gateway, a_gateway, an_event
from tests.stack import Stack

pytestmark = pytest.mark.stack


@pytest.fixture
async def gateway(stack: Stack) -> AsyncIterator[Gateway]:
    async with a_gateway(stack) as opened:
        yield opened


async def test_one_event_gets_a_receipt_and_its_record_holds_a_pseudonym_only(gateway: Gateway) -> None:
    students = await gateway.students("104")
    answer = await gateway.send(an_event("e-1", assessor={"scheme": "sis", "value": "t1"}))
    assert answer.status_code == 201, answer.text
    record = await gateway.record("e-1")
    assert (record["subject"], record["data"]["score_thousandths"]) == (students["104"], 3500)
    assert record["data"]["assessor"].startswith("p-")
    assert record["position"] == answer.json()["position"]
    assert "104" not in json.dumps(record["data"])
    decode(json.dumps(record).encode())


async def test_a_resend_in_another_spelling_gets_the_same_receipt(gateway: Gateway) -> None:
    first = await gateway.send(an_event("e-1", score=3.5, due="2026-03-03T12:00:00Z"))
    event = an_event("e-1", due="2026-03-03T13:00:00.000+01:00", kind="assessment", time="2026-03-02T05:00:00.0-05:00")
    event["datacontenttype"] = "application/json"
    spelled = json.dumps(dict(reversed(event.items())), indent=3).replace("3.5", "35e-1")
    again = await gateway.send(spelled.encode())
    packed = await gateway.send(gzip.compress(b"[" + spelled.encode() + b"]"), encoding="gzip")
    assert (first.status_code, again.status_code, packed.status_code) == (201, 200, 200)
    receipt = ("position", "leaf", "recordedtime")
    assert all(first.json()[name] == again.json()[name] == packed.json()["results"][0][name] for name in receipt)
    assert await gateway.counts() == (3, 1, 2, 0, 0)


async def test_other_content_under_the_same_id_is_a_conflict_and_the_first_stays(gateway: Gateway) -> None:
    await gateway.send(an_event("e-1", score=3))
    answer = await gateway.send(an_event("e-1", score=4))
    assert (answer.status_code, answer.json()["code"], answer.json()["pointer"]) == (409, "conflict", "/id")
    assert (await gateway.record("e-1"))["data"]["score_thousandths"] == 3000
    assert await gateway.counts() == (2, 1, 0, 1, 0)


@pytest.mark.parametrize(
    ("content_type", "form"),
    [
        ("application/json", "array"),
        ("application/cloudevents-batch+json; charset=UTF-8", "array"),
        ("application/x-ndjson", "lines"),
    ],
)
async def test_one_bad_item_spoils_no_other(gateway: Gateway, content_type: str, form: str) -> None:
    good, bad, other = an_event("e-1"), an_event("e-2", score="3.5"), an_event("e-3")
    texts = [json.dumps(each) for each in (good, bad, other)]
    body = "\n".join(texts) if form == "lines" else f"[{','.join(texts)}]"
    answer = await gateway.send(body.encode(), content_type=content_type)
    assert answer.status_code == 207, answer.text
    results = answer.json()["results"]
    assert [result["outcome"] for result in results] == ["accepted", "rejected", "accepted"]
    assert results[1]["problem"]["pointer"] == "/data/score"
    assert "a JSON number" in results[1]["problem"]["expected"]
    assert int(results[2]["position"]) == int(results[0]["position"]) + 1
    assert await gateway.counts() == (3, 2, 0, 1, 0)


async def test_an_atomic_batch_is_all_or_none(gateway: Gateway) -> None:
    batch = [an_event("e-1"), an_event("e-2", score="3.5"), an_event("e-3", student={"scheme": "sis", "value": "nobody"})]
    answer = await gateway.send(batch, query="?atomic=true")
    assert (answer.status_code, answer.json()["code"]) == (422, "batch-refused")
    assert [result["outcome"] for result in answer.json()["results"]] == ["rejected"] * 3
    assert await gateway.counts() == (3, 0, 0, 3, 0)
    good = await gateway.send([batch[0], an_event("e-4")], query="?atomic=true")
    assert (good.status_code, [result["outcome"] for result in good.json()["results"]]) == (200, ["accepted"] * 2)
    assert await gateway.counts() == (5, 2, 0, 3, 0)


async def test_an_atomic_batch_with_a_conflict_is_refused_whole(gateway: Gateway) -> None:
    await gateway.send(an_event("e-1", score=1))
    answer = await gateway.send([an_event("e-0"), an_event("e-1", score=2)], query="?atomic=true")
    codes = [result["problem"]["code"] for result in answer.json()["results"]]
    assert (answer.status_code, codes) == (422, ["abandoned", "conflict"])
    assert await gateway.counts() == (3, 1, 0, 2, 0)


async def test_an_id_sent_twice_in_one_batch_is_one_event(gateway: Gateway) -> None:
    answer = await gateway.send([an_event("e-1"), an_event("e-1"), an_event("e-1", score=1)])
    results = answer.json()["results"]
    assert [result["outcome"] for result in results] == ["accepted", "duplicate", "rejected"]
    assert results[0]["position"] == results[1]["position"]
    assert await gateway.counts() == (3, 1, 1, 1, 0)


async def test_status_of_an_event_is_its_receipt_its_refusal_that_it_waits_or_unknown(gateway: Gateway) -> None:
    receipt = (await gateway.send(an_event("e/1"))).json()
    await gateway.send(an_event("e-2", score=None))
    await gateway.send(an_event("e-3", student={"scheme": "sis", "value": "nobody"}))
    headers = {"authorization": f"Bearer {gateway.keys['algebra']}"}

    async def ask(id: str, source: str = "algebra") -> dict[str, object]:
        found: dict[str, object] = (await gateway.client.get(f"/v1/events/{id}?source={source}", headers=headers)).json()
        return found

    assert await ask("e/1") == receipt
    refused = await ask("e-2")
    assert (refused["outcome"], refused["problem"]) == (
        "rejected",
        {
            "code": "invalid-field",
            "pointer": "/data/score",
            "expected": "this field to be there",
            "docs": "/docs/problems/invalid-field",
        },
    )
    assert (await ask("e-3"))["outcome"] == "held"
    assert (await ask("e-4"))["outcome"] == "unknown"
    assert (await ask("e-4", "other"))["code"] == "foreign-source"


async def test_every_openapi_reference_resolves_and_submissions_are_described(gateway: Gateway) -> None:
    document = (await gateway.client.get("/openapi.json")).json()
    text = json.dumps(document)
    schemas = document["components"]["schemas"]
    named = {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}
    assert named <= schemas.keys()
    assert schemas["EvidenceSubmittedSubmission"]["additionalProperties"] is False
    assert schemas["EvidenceData"]["properties"]["score"]["type"] == "number"


async def test_ticks_and_the_log_are_told(gateway: Gateway) -> None:
    tick = (await gateway.client.post("/v1/ticks")).json()
    log = (await gateway.client.get("/v1/log")).json()
    assert (log["position"], log["tick"], log["partitions"]) == (tick["position"], tick["position"], 4)


async def test_a_callers_trace_goes_on_in_the_ledger_beside_the_record_and_not_in_it(gateway: Gateway) -> None:
    configure("test", gateway.settings, stream=io.StringIO())
    trace = "0af7651916cd43dd8448eb211c80319c"
    headers = {"authorization": f"Bearer {gateway.keys['algebra']}", "traceparent": f"00-{trace}-b7ad6b7169203331-01"}
    for body in (an_event("e-1"), [an_event("e-2"), an_event("e-3")]):
        assert (await gateway.client.post("/v1/evidence", json=body, headers=headers)).status_code in (200, 201)
    rows = await gateway.app.state.pool.fetch("SELECT traceparent, record FROM public.ledger WHERE subject IS NOT NULL")
    assert len(rows) == 3
    assert all(row["traceparent"].split("-")[1] == trace and trace.encode() not in row["record"] for row in rows)


async def test_validate_only_says_what_is_wrong_and_takes_keeps_and_counts_nothing(gateway: Gateway) -> None:
    stranger = an_event("e-2", student={"scheme": "sis", "value": "999"})
    batch = [an_event("e-1"), stranger, an_event("e-3", score="high")]
    answer = await gateway.send(batch, query="?validate_only=true")
    assert answer.status_code == 207
    results = answer.json()["results"]
    assert [result["outcome"] for result in results] == ["valid", "held", "rejected"]
    assert results[2]["problem"]["docs"] == "/docs/problems/invalid-field"
    single = await gateway.send(an_event("e-1"), query="?validate_only=true")
    assert (single.status_code, single.json()) == (200, {"source": "algebra", "id": "e-1", "outcome": "valid"})
    assert (await gateway.send(stranger, query="?validate_only=true")).status_code == 202
    assert (await gateway.send(b"[", query="?validate_only=true")).status_code == 400
    atomic = await gateway.send(batch, query="?validate_only=true&atomic=true")
    assert (atomic.status_code, atomic.json()["code"]) == (422, "batch-refused")
    assert await gateway.counts() == (0, 0, 0, 0, 0)
    assert await gateway.ledger.status("algebra", "e-3") is None
    assert (await gateway.send(an_event("e-1"))).status_code == 201
