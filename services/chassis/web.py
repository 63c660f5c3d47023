"""HTTP for every service: the application, its body limit, its background tasks, its server. Its errors: see `problems.py`."""

from __future__ import annotations

import asyncio
import gc
import logging
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import uvicorn
from fastapi import FastAPI, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.chassis import health as health_
from services.chassis.docs import pages
from services.chassis.docs.explanations import Explanations, all_of
from services.chassis.errors import Unavailable
from services.chassis.health import Health
from services.chassis.problems import PROBLEMS, TooLarge, handle_errors, http_exception
from services.chassis.settings import ServiceSettings

__all__ = ["PROBLEMS", "Background", "BodyLimit", "Parts", "create_app", "listening", "run"]

log = logging.getLogger(__name__)

# More than any body that a service of ours takes; the evidence door's own limits are below it.
MAX_BODY_BYTES = 1024 * 1024
# Of a body that is too large, so much is read and thrown away before its connection is closed.
MOST_DRAINED_BYTES = 8 * 1024 * 1024
# How long open requests may take to finish after SIGTERM; below the 30 s after which orchestrators kill.
GRACE_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Background:
    """A loop that the process exists for, such as a relay. It runs until it is cancelled; if it ends, the process does."""

    name: str
    run: Callable[[], Awaitable[None]]


Parts = Callable[[FastAPI], AbstractAsyncContextManager[Sequence[Background]]]


def create_app(
    title: str,
    *,
    health: Health,
    parts: Parts | None = None,
    max_body_bytes: int = MAX_BODY_BYTES,
    explanations: Explanations | None = None,
    **options: Any,
) -> FastAPI:
    """A FastAPI application with health, problems, documentation and limits.

    `parts` opens what the service needs (pools, ledgers: put on `app.state`) and yields its background tasks. `explanations` are
    of its own problems. The framework's documentation is off, because its pages load their scripts from elsewhere: see `docs`.
    """
    app = FastAPI(
        title=title,
        docs_url=None,
        redoc_url=None,
        lifespan=_lifespan(parts, health),
        telemetry={"logs": False, "operation_spans": False},  # its logs carry exceptions' messages, which may quote values
        **options,
    )
    app.add_middleware(BodyLimit, max_bytes=max_body_bytes)
    app.include_router(health_.routes(health))
    app.include_router(pages.routes(all_of(explanations or {})))
    handle_errors(app)
    return app


class BodyLimit:
    """Refuses a body that is announced as, or grows, larger than `max_bytes`.

    (The framework's own limiter answers in plain text, which would not be a problem in our sense.)
    """

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self.app = app
        self.max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        announced = dict(scope["headers"]).get(b"content-length", b"0")
        if announced.isdigit() and (size := int(announced[:19])) > self.max_bytes:
            if size <= MOST_DRAINED_BYTES:
                await _drain(receive)
            answer = await http_exception(Request(scope), TooLarge(self.max_bytes))
            return await answer(scope, receive, send)
        return await self.app(scope, self._counted(receive), send)

    def _counted(self, receive: Receive) -> Receive:
        left = self.max_bytes

        async def counted() -> Message:
            nonlocal left
            message = await receive()
            left -= len(message.get("body", b""))
            if left < 0:
                if message.get("more_body"):
                    await _drain(receive)
                raise TooLarge(self.max_bytes)
            return message

        return counted


async def _drain(receive: Receive) -> None:
    """Read on and discard: a caller whose connection is closed while it sends may never see the answer."""
    drained, more = 0, True
    while more and drained < MOST_DRAINED_BYTES:
        message = await receive()
        drained += len(message.get("body", b""))
        more = message.get("more_body", False)


def _lifespan(parts: Parts | None, health: Health) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        try:
            async with parts(app) if parts else _nothing() as background:
                tasks = [_start(each, app, health) for each in background]
                try:
                    yield
                finally:
                    await _cancel(tasks)
        except Unavailable as error:
            log.error(str(error))  # its words are ours, and the operator needs them
            raise
        except Exception as error:
            log.error("could not start or stop", exc_info=error)
            raise

    return lifespan


@asynccontextmanager
async def _nothing() -> AsyncIterator[Sequence[Background]]:
    yield ()


def _start(background: Background, app: FastAPI, health: Health) -> asyncio.Task[None]:
    async def forever() -> None:
        await background.run()

    task = asyncio.create_task(forever(), name=background.name)

    async def check() -> str | None:
        return "has stopped" if task.done() else None

    health.add_alive(background.name, check)
    task.add_done_callback(lambda ended: _ended(ended, app))
    return task


def _ended(task: asyncio.Task[None], app: FastAPI) -> None:
    if task.cancelled():
        return
    error = task.exception()
    if isinstance(error, Unavailable):
        log.error(str(error), extra={"task": task.get_name()})
    else:
        log.error("a background task ended, so the process does", extra={"task": task.get_name()}, exc_info=error)
    app.state.failed = True
    if stop := getattr(app.state, "stop", None):
        stop()


async def _cancel(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def run(app: FastAPI, settings: ServiceSettings) -> None:
    """Serve until SIGTERM or SIGINT. Exits with 1 when a background task ended, so that whoever watches starts it again."""
    _let_the_collector_rest()
    with listening(settings.host, settings.port) as bound:
        server = uvicorn.Server(
            uvicorn.Config(
                app,
                loop="uvloop",
                http="httptools",
                log_config=None,
                access_log=False,  # a line a request says nothing that the span and the metrics do not
                server_header=False,
                timeout_graceful_shutdown=GRACE_SECONDS,
            )
        )
        app.state.stop = lambda: setattr(server, "should_exit", True)
        host, port = bound.getsockname()[:2]
        log.info("listening", extra={"address": f"http://{f'[{host}]' if ':' in host else host}:{port}"})
        server.run(sockets=[bound])
    if getattr(app.state, "failed", False):
        sys.exit(1)


def _let_the_collector_rest() -> None:
    """Look for cycles once in 50,000 new objects, not in 700, and never again through what was imported.

    A batch of 500 events makes 20,000 objects and no cycles; at the default the collector takes a tenth of the time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


def listening(host: str, port: int) -> socket.socket:
    """A bound socket; port 0 picks a free one. Raises `Unavailable` when the address is taken."""
    bound = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        raise Unavailable(f"cannot listen on {host}:{port} ({error.strerror}): set CAIRN_PORT to a free port") from None
    bound.listen(2048)
    bound.set_inheritable(True)
    return bound
