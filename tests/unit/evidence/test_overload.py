"""The door is shut by too many requests, too many bytes, old work or a late loop, and opens by itself."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack

import pytest
from starlette.types import Message, Receive, Scope, Send

from services.evidence.overload import (
    LATE_LOOKS,
    LATEST_SECONDS,
    LOOK_SECONDS,
    MOST_BYTES,
    MOST_REQUESTS,
    OLDEST_SECONDS,
    UNTOLD_BYTES,
    Load,
    Shedding,
)
from tests.until import until


class Clock:
    """A clock that goes on when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_so_many_requests_and_no_more(clock: Clock) -> None:
    load = Load(clock)
    with ExitStack() as stack:
        for _ in range(MOST_REQUESTS - 1):
            stack.enter_context(load.request(1))
        assert load.too_much() is None
        stack.enter_context(load.request(1))
        assert load.too_much() == "requests"
    assert load.too_much() is None


def test_so_many_bytes_and_no_more(clock: Clock) -> None:
    load = Load(clock)
    with load.request(MOST_BYTES):
        assert load.too_much() == "bytes"
    assert load.too_much() is None


async def test_old_work_shuts_the_door_and_a_slow_body_does_not(clock: Clock) -> None:
    load = Load(clock)

    async def slow() -> Message:
        clock.now += 10 * OLDEST_SECONDS
        load.look(clock.now)
        assert load.too_much() is None
        return {"type": "http.request", "body": b"", "more_body": False}

    with load.request(1) as work:
        await work.timed(slow)()
        clock.now += OLDEST_SECONDS / 2
        load.look(clock.now)
        assert load.too_much() is None
        with load.request(1):
            clock.now += OLDEST_SECONDS
            load.look(clock.now)
            assert load.too_much() == "oldest"
    assert load.too_much() is None


def test_a_loop_that_is_late_again_and_again_shuts_the_door_and_one_pause_does_not(clock: Clock) -> None:
    load = Load(clock)

    def looked(late: float) -> None:
        clock.now += LOOK_SECONDS + late
        load.look(due=clock.now - late)

    for _ in range(LATE_LOOKS - 1):
        looked(2 * LATEST_SECONDS)
        assert load.too_much() is None
    looked(2 * LATEST_SECONDS)
    assert load.too_much() == "loop"
    looked(0.0)
    assert load.too_much() is None


async def test_the_watch_looks_again_and_again() -> None:
    load = Load()
    watch = asyncio.create_task(load.watch())
    with load.request(1):

        async def seen() -> bool:
            return load._oldest > 0

        await until(seen, 10)
    watch.cancel()


async def posted(load: Load, *headers: tuple[bytes, bytes], path: str = "/v1/evidence") -> tuple[int, dict[bytes, bytes], bool]:
    """The status and headers of an answer, and whether anything of the request was read."""
    read, sent = False, list[Message]()

    async def receive() -> Message:
        nonlocal read
        read = True
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "http.response.start", "status": 201, "headers": []})

    scope: Scope = {"type": "http", "method": "POST", "path": path, "headers": list(headers), "query_string": b""}
    await Shedding(app, load, "/v1/evidence")(scope, receive, send)
    return sent[0]["status"], dict(sent[0]["headers"]), read


async def test_a_shut_door_reads_nothing_and_says_when_to_come_again(clock: Clock) -> None:
    load = Load(clock)
    assert (await posted(load))[0] == 201
    with load.request(MOST_BYTES - UNTOLD_BYTES):
        assert (await posted(load))[0] == 201
    with load.request(MOST_BYTES):
        status, headers, read = await posted(load)
        assert (status, read) == (503, False)
        assert int(headers[b"retry-after"]) > 0
        assert (await posted(load, path="/v1/log"))[0] == 201  # questions are answered
