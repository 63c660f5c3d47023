"""A publisher's afternoon: its sandbox, what it sees of its rejections, its scorecard, and what is told of them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from contracts.codec import decode
from contracts.events import SubmissionRejected
from services.evidence.scorecards import Expectation
from services.evidence.silence import Silence, silent
from services.evidence.store import scorecards
from tests.integration.evidence.gateway import Gateway, a_gateway, an_event
from tests.stack import Stack

pytestmark = pytest.mark.stack


@pytest.fixture
async def gateway(stack: Stack) -> AsyncIterator[Gateway]:
    async with a_gateway(stack) as opened:
        yield opened


async def test_a_sandbox_needs_no_student_and_meets_none(gateway: Gateway) -> None:
    await gateway.publisher("my-app", sandbox=True)
    await gateway.publisher("your-app", sandbox=True)
    real = (await gateway.students("104"))["104"]
    subjects = []
    for name in ("my-app", "your-app"):
        event = an_event("e-1", source=name, student={"scheme": "sis", "value": "104"}, assessor={"scheme": "sis", "value": "new"})
        sent, again = await gateway.send(event, publisher=name), await gateway.send(event, publisher=name)
        assert (sent.status_code, again.status_code, again.json()["position"]) == (201, 200, sent.json()["position"])
        record = await gateway.record("e-1", name)
        assert record["type"] == "cairn.sandbox.submitted.v1"
        assert record["data"]["evidence"]["score_thousandths"] == 3500
        assert record["data"]["evidence"]["assessor"].startswith("p-")
        subjects.append(record["subject"])
    assert len({real, *subjects}) == 3
    outside = await gateway.send(an_event("e-2", student={"scheme": "~my-app/sis", "value": "104"}))
    assert (outside.status_code, outside.json()["pointer"]) == (422, "/data/student/scheme")


async def test_a_publisher_sees_its_own_rejections_and_nobody_elses(gateway: Gateway) -> None:
    await gateway.publisher("other")
    await gateway.send([an_event("e-1", score="high"), an_event("e-2", competency="no code"), an_event("e-3", source="other")])
    await gateway.send(an_event("o-1", source="other", score=None), publisher="other")
    told = (await gateway.mine("rejections")).json()
    assert [(it["id"], it["code"], it["pointer"]) for it in told["rejections"]] == [
        ("e-1", "invalid-field", "/data/score"),
        ("e-2", "invalid-field", "/data/competency"),
        ("e-3", "foreign-source", "/source"),
    ]
    assert {it["docs"] for it in told["rejections"]} == {"/docs/problems/invalid-field", "/docs/problems/foreign-source"}
    assert [it["id"] for it in (await gateway.mine("rejections?code=foreign-source")).json()["rejections"]] == ["e-3"]
    assert (await gateway.mine("rejections?since=2999-01-01T00:00:00Z")).json() == {"rejections": [], "next": None}
    page = (await gateway.mine("rejections?limit=2")).json()
    assert [it["id"] for it in (await gateway.mine(f"rejections?after={page['next']}")).json()["rejections"]] == ["e-3"]
    first = told["rejections"][0]["number"]
    assert json.loads((await gateway.mine(f"rejections/{first}")).json()["payload"])["data"]["score"] == "high"
    foreign = await gateway.mine(f"rejections/{first}", "other")
    assert (foreign.status_code, foreign.json()["code"]) == (404, "unknown-rejection")


async def test_what_waits_is_shown_without_whom_it_waits_for(gateway: Gateway) -> None:
    await gateway.send(an_event("e-1", student={"scheme": "sis", "value": "stranger-77"}))
    answer = await gateway.mine("held")
    assert [(it["id"], it["reason"]) for it in answer.json()["held"]] == [("e-1", "unknown-student")]
    assert "stranger-77" not in answer.text
    heaps = (await gateway.client.get("/v1/quarantine")).json()["quarantine"]
    assert [(it["publisher"], it["standing"], it["reason"], it["count"]) for it in heaps] == [
        ("algebra", "held", "unknown-student", 1)
    ]


async def test_a_scorecard_adds_up_by_reason_and_counts_what_is_late(gateway: Gateway) -> None:
    now = datetime.now(UTC)
    fresh, old = now.isoformat(), (now - timedelta(days=7, minutes=1)).isoformat()
    await gateway.send([an_event("e-1", time=fresh), an_event("e-2", time=old), an_event("e-2", time=old)])
    await gateway.send([an_event("e-1", time=fresh, score=1), an_event("e-4", score=None), an_event("e-5", source="x")])
    await gateway.send(b"{")
    await gateway.send(an_event("e-6", time=old, student={"scheme": "sis", "value": "108"}))
    await gateway.students("108")
    assert await gateway.look_at_held() == 1
    card = (await gateway.mine("scorecard")).json()
    assert [card[name] for name in ("received", "accepted", "duplicate", "rejected", "held")] == [8, 3, 1, 4, 0]
    assert (card["late"], card["conflicts"]) == (2, 1)
    assert card["reasons"] == {"conflict": 1, "foreign-source": 1, "invalid-field": 1, "invalid-json": 1}
    assert abs(datetime.fromisoformat(card["last_seen"]) - now) < timedelta(hours=1)
    assert (card["expected_by"], card["silent"]) == (None, False)


async def test_a_publisher_of_whom_a_delivery_is_missed_is_silent_until_it_comes(gateway: Gateway) -> None:
    pool = gateway.opened.pool
    assert await scorecards.expect(pool, "algebra", Expectation(timedelta(hours=24)))
    await pool.execute("UPDATE public.publishers SET created = created - interval '25 hours'")
    await Silence(pool).look()
    assert (await gateway.mine("scorecard")).json()["silent"] is True
    assert silent.labels("algebra")._value.get() == 1
    await gateway.send(an_event("e-1"))
    await Silence(pool).look()
    assert (await gateway.mine("scorecard")).json()["silent"] is False
    assert silent.labels("algebra")._value.get() == 0


async def test_every_rejection_is_told_once_without_what_was_sent(gateway: Gateway) -> None:
    await gateway.send([an_event("e-1", score="planted-77"), an_event("e-2"), an_event("e-3", planted_88=1)])
    await gateway.send(b"planted-99")
    records = [row[0] for row in await gateway.opened.pool.fetch("SELECT record FROM public.outbox ORDER BY sequence")]
    told = [decode(record).data for record in records]
    assert [(it.submissionid, it.code, it.pointer) for it in told if isinstance(it, SubmissionRejected)] == [
        ("e-1", "invalid-field", "/data/score"),
        ("e-3", "invalid-field", "/data"),
        (None, "invalid-json", ""),
    ]
    assert all(word not in record for record in records for word in (b"planted-77", b"planted_88", b"planted-99"))
    numbers = [it["number"] for it in (await gateway.mine("rejections")).json()["rejections"]]
    assert [it.rejection for it in told if isinstance(it, SubmissionRejected)] == [str(number) for number in numbers]
