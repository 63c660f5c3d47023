"""Every error of a service is a problem; health tells the truth; logs hold no values."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import asyncpg
import httpx
import pytest
from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict

from services.chassis.errors import Conflict, Rejected, Transient, Unavailable
from services.chassis.health import Health
from services.chassis.problems import PROBLEM_JSON
from services.chassis.settings import ServiceSettings
from services.chassis.telemetry import JsonLines, configure, span, traceparent
from services.chassis.web import Background, create_app, listening


class Body(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")
    count: int


def an_app(*, health: Health | None = None, max_body_bytes: int = 100) -> FastAPI:
    app = create_app("test", health=health or Health(), max_body_bytes=max_body_bytes)

    @app.post("/body")
    async def body(body: Body) -> int:
        return body.count

    @app.get("/raise/{name}")
    async def fail(name: str) -> None:
        raise {
            "rejected": Rejected("bad-thing", "a good thing", pointer="/thing"),
            "conflict": Conflict("secret"),
            "unavailable": Unavailable("start it"),
            "transient": Transient("secret"),
            "starting": asyncpg.CannotConnectNowError("secret"),
            "dying": asyncpg.InternalClientError("secret"),
            "lost": asyncpg.InterfaceError("connection is closed: secret"),
            "misused": asyncpg.InterfaceError("secret"),
        }.get(name, KeyError("secret"))

    return app


def client(app: FastAPI) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app, raise_app_exceptions=False), base_url="http://test")


@pytest.mark.parametrize(
    ("ask", "status", "code"),
    [
        (lambda c: c.get("/nowhere"), 404, "not-found"),
        (lambda c: c.put("/body"), 405, "method-not-allowed"),
        (lambda c: c.post("/body", content="{", headers={"content-type": "application/json"}), 400, "invalid-json"),
        (lambda c: c.post("/body", json={"count": "secret"}), 422, "invalid-field"),
        (lambda c: c.post("/body", json={"count": 1, "more": "secret"}), 422, "invalid-field"),
        (lambda c: c.post("/body", json={"count": 1, "more": "x" * 100}), 413, "request-entity-too-large"),
        (lambda c: c.post("/body", content=parts()), 413, "request-entity-too-large"),
        (lambda c: c.get("/raise/rejected"), 422, "bad-thing"),
        (lambda c: c.get("/raise/conflict"), 409, "conflict"),
        (lambda c: c.get("/raise/unavailable"), 503, "unavailable"),
        (lambda c: c.get("/raise/transient"), 503, "unavailable"),
        (lambda c: c.get("/raise/starting"), 503, "unavailable"),
        (lambda c: c.get("/raise/dying"), 503, "unavailable"),
        (lambda c: c.get("/raise/lost"), 503, "unavailable"),
        (lambda c: c.get("/raise/misused"), 500, "internal-server-error"),
        (lambda c: c.get("/raise/other"), 500, "internal-server-error"),
    ],
)
async def test_every_error_is_a_problem_without_values(
    ask: Callable[[httpx.AsyncClient], asyncio.Future[httpx.Response]], status: int, code: str
) -> None:
    async with client(an_app()) as c:
        answer = await ask(c)
    assert (answer.status_code, answer.headers["content-type"]) == (status, PROBLEM_JSON)
    assert answer.json()["code"] == code
    assert answer.json()["status"] == status
    assert "secret" not in answer.text


async def parts() -> AsyncIterator[bytes]:
    for _ in range(50):
        yield b'{"a":1}'


async def test_a_problem_says_which_field_and_what_was_expected() -> None:
    async with client(an_app()) as c:
        answer = await c.post("/body", json={"count": "3"})
    assert (answer.json()["pointer"], answer.json()["expected"]) == ("/count", "an integer")


async def test_readiness_is_asked_each_time_and_liveness_does_not_depend_on_it() -> None:
    health, wrong = Health(), ["the database is away"]

    async def check() -> str | None:
        return wrong[0] if wrong else None

    health.add_ready("postgres", check)
    async with client(an_app(health=health)) as c:
        first = await c.get("/readyz")
        assert (first.status_code, first.json()["checks"]) == (503, {"postgres": "the database is away"})
        assert (await c.get("/healthz")).status_code == 200
        wrong.clear()
        assert (await c.get("/readyz")).json() == {"status": "ready", "checks": {"postgres": "ok"}}


async def test_a_check_that_raises_or_hangs_is_a_reason_not_an_error() -> None:
    health = Health()
    health.add_ready("raises", _raises)
    async with client(an_app(health=health)) as c:
        answer = await c.get("/readyz")
    assert (answer.status_code, answer.json()["checks"]) == (503, {"raises": "RuntimeError"})


async def _raises() -> str | None:
    raise RuntimeError("secret")


async def test_a_background_task_that_ends_makes_the_process_not_alive_and_stops_it() -> None:
    go, health, stopped = asyncio.Event(), Health(), asyncio.Event()

    async def relay() -> None:
        await go.wait()
        raise KeyError("secret")

    @asynccontextmanager
    async def opened(app: FastAPI) -> AsyncIterator[Sequence[Background]]:
        yield [Background("relay", relay)]

    app = create_app("test", health=health, parts=opened)
    app.state.stop = stopped.set
    async with app.router.lifespan_context(app), client(app) as c:
        assert (await c.get("/healthz")).status_code == 200
        go.set()
        await asyncio.wait_for(stopped.wait(), 5)
        answer = await c.get("/healthz")
    assert (answer.status_code, answer.json()["checks"]) == (503, {"relay": "has stopped"})
    assert app.state.failed


async def test_metrics_are_in_prometheus_format() -> None:
    async with client(an_app()) as c:
        answer = await c.get("/metrics")
    assert answer.status_code == 200
    assert "# TYPE" in answer.text


def test_a_taken_port_says_what_to_set() -> None:
    with listening("127.0.0.1", 0) as first, pytest.raises(Unavailable, match="CAIRN_PORT"):
        listening("127.0.0.1", first.getsockname()[1])


def test_a_log_line_is_json_with_facts_and_without_the_exceptions_message() -> None:
    stream = io.StringIO()
    log = logging.getLogger("test.lines")
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines("evidence.work"))
    log.addHandler(handler)
    try:
        raise ValueError("secret")
    except ValueError as error:
        log.error("it failed\nsecret", extra={"position": 7}, exc_info=error)
    line = json.loads(stream.getvalue())
    assert (line["message"], line["position"], line["exception"]) == ("it failed", 7, "ValueError")
    assert "secret" not in stream.getvalue()


def test_a_span_of_a_batch_links_to_each_trace_and_carries_its_own_traceparent() -> None:
    configure("test", ServiceSettings(mode="local"), stream=io.StringIO())
    with span("first"):
        first = traceparent()
    assert first is not None
    with span("batch", linked=[first, None, first, "nonsense"]) as batch:
        assert [f"{link.context.trace_id:032x}" for link in batch.links] == [first.split("-")[1]]  # type: ignore[attr-defined]
        assert traceparent() != first
    assert traceparent() is None
