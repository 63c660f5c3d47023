"""What the client does with every answer: nothing is lost, nothing is counted twice, and it knows when to stop."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from contracts.client import AsyncClient, Backoff, Event, NotAdmitted, Sent, Unreachable
from tests.unit.client.gateways import AT_ONCE, FakeGateway, a_client, a_piece, status

IDS = [f"e-{number}" for number in range(7)]


@pytest.fixture
def gateway() -> FakeGateway:
    return FakeGateway()


def test_events_go_in_batches_in_the_order_of_submission(gateway: FakeGateway) -> None:
    with a_client(gateway, batch=3) as client:
        client.submit(*map(a_piece, IDS))
        assert client.flush() == Sent(accepted=7)
    assert [[event["id"] for event in batch] for batch in gateway.requests] == [IDS[:3], IDS[3:6], IDS[6:]]


def test_a_batch_stays_below_the_gateways_bytes(gateway: FakeGateway) -> None:
    large = [a_piece(id) | {"correlationid": "c" * 300_000} for id in IDS]
    with a_client(gateway) as client:
        client.submit(*large)
    assert [len(batch) for batch in gateway.requests] == [3, 3, 1]


@pytest.mark.parametrize("code", [408, 429, 500, 502, 503, 504, 404])
def test_what_may_pass_is_tried_again_with_the_same_ids(code: int) -> None:
    gateway = FakeGateway()
    gateway._script = [status(code), status(code), gateway.accept]
    with a_client(gateway) as client:
        client.submit(*map(a_piece, IDS))
        assert client.flush() == Sent(accepted=7)
    assert [[event["id"] for event in batch] for batch in gateway.requests] == [IDS] * 3


def test_an_answer_that_is_lost_counts_nothing_twice() -> None:
    gateway = FakeGateway()
    gateway._script = [gateway.take_and_lose_the_answer, gateway.accept]
    with a_client(gateway) as client:
        client.submit(*map(a_piece, IDS))
        assert client.flush() == Sent(duplicate=7)
    assert sorted(gateway.accepted) == IDS


def test_a_proxys_page_is_no_answer_of_the_gateways() -> None:
    gateway = FakeGateway()
    gateway._script = [lambda _: httpx.Response(200, text="<h1>Sign in</h1>"), gateway.accept]
    with a_client(gateway) as client:
        client.submit(a_piece("e-1"))
        assert client.flush() == Sent(accepted=1)


def test_results_for_other_events_than_were_sent_settle_nothing() -> None:
    gateway = FakeGateway()
    gateway._script = [lambda events: gateway.accept(events[1:]), gateway.accept]
    with a_client(gateway) as client:
        client.submit(*map(a_piece, IDS))
        sent = client.flush()
    assert (sent.accepted, sent.duplicate) == (1, 6)


def test_one_event_that_spoils_the_batch_is_found_and_refused_alone() -> None:
    gateway = FakeGateway()

    def picky(events: list[Event]) -> httpx.Response:
        if any(event["id"] == "e-4" for event in events):
            problem = {"code": "request-too-large", "expected": "at most 1048576 bytes"}
            return httpx.Response(413, json=problem)
        return gateway.accept(events)

    gateway._script = [picky]
    with a_client(gateway) as client:
        client.submit(*map(a_piece, IDS))
        assert client.flush() == Sent(accepted=6, rejected=1)
        [refused] = client.refused()
    assert (refused.event["id"], refused.code, refused.expected) == ("e-4", "request-too-large", "at most 1048576 bytes")


def test_a_refusal_is_kept_with_its_problem_until_it_is_forgotten(tmp_path: Path) -> None:
    problem = {"code": "invalid-field", "pointer": "/data/score", "expected": "a number", "docs": "/docs/problems/invalid-field"}
    gateway = FakeGateway(lambda events: httpx.Response(207, json={"results": [{"outcome": "rejected", "problem": problem}]}))
    with a_client(gateway, spool=tmp_path / "spool") as client:
        client.submit(a_piece("e-1"))
    with a_client(gateway, spool=tmp_path / "spool") as client:
        [refused] = client.refused()
        assert refused.event["id"] == "e-1"
        assert {name: getattr(refused, name) for name in problem} == problem
        client.forget_refused()
        assert client.refused() == []
        assert client.totals() == {"rejected": 1}


@pytest.mark.parametrize("code", [401, 403])
def test_a_bad_key_ends_it_and_everything_waits_on(code: int) -> None:
    client = a_client(FakeGateway(status(code)))
    client.submit(*map(a_piece, IDS))
    with pytest.raises(NotAdmitted, match=str(code)):
        client.flush()
    assert client.waiting() == 7
    client.close()


def test_patience_ends_before_a_pause_that_is_longer_and_everything_waits_on() -> None:
    gateway = FakeGateway(status(503, **{"retry-after": "3600"}))
    client = a_client(gateway, patience=5.0)
    client.submit(*map(a_piece, IDS))
    with pytest.raises(Unreachable, match="503"):
        client.flush()
    assert (client.waiting(), len(gateway.requests)) == (7, 1)
    client.close()


def test_leaving_in_an_error_sends_nothing_and_keeps_everything(tmp_path: Path, gateway: FakeGateway) -> None:
    with pytest.raises(ZeroDivisionError), a_client(gateway, spool=tmp_path / "spool") as client:
        client.submit(*map(a_piece, IDS))
        raise ZeroDivisionError
    assert gateway.requests == []
    with a_client(gateway, spool=tmp_path / "spool") as client:
        assert client.waiting() == 7


async def test_the_asynchronous_client_keeps_the_same_promises(tmp_path: Path, gateway: FakeGateway) -> None:
    gateway._script = [gateway.take_and_lose_the_answer, status(429), gateway.accept]
    transport = httpx.MockTransport(gateway)
    spool = tmp_path / "spool"
    async with AsyncClient("http://gateway", "key", spool=spool, batch=5, backoff=AT_ONCE, transport=transport) as client:
        await client.submit(*map(a_piece, IDS))
        assert await client.waiting() == 7
        assert await client.flush() == Sent(accepted=2, duplicate=5)
        assert await client.refused() == []
        assert await client.totals() == {"accepted": 2, "duplicate": 5}


async def test_the_asynchronous_client_gives_up_in_the_same_way() -> None:
    transport = httpx.MockTransport(FakeGateway(status(401)))
    client = AsyncClient("http://gateway", "key", backoff=Backoff(first=0.0), transport=transport)
    await client.submit(a_piece("e-1"))
    with pytest.raises(NotAdmitted):
        await client.flush()
    assert await client.waiting() == 1
    await client.close()
