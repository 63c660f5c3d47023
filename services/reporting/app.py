"""Reporting's two processes: the pages, and the worker that folds what they are read from."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.chassis import postgres, web
from services.chassis.health import Health
from services.chassis.projection import worker
from services.reporting import api
from services.reporting.explanations import EXPLANATIONS
from services.reporting.handlers import Reports
from services.reporting.pages import problems, site
from services.reporting.pages.desk import Desk
from services.reporting.pages.render import STATIC
from services.reporting.peers import Addresses, Peers
from services.reporting.settings import ReportingSettings

# Pages under way at once; each holds a connection for its snapshot only, some 5 to 50 ms.
POOL_SIZE = 8

# Nothing from elsewhere, no script, no frame; a page holds records of students, so no cache keeps it and no address of it leaks.
HEADERS = {
    "content-security-policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}
FRESH = "no-store"
# Addresses of static files change with their content.
FOR_GOOD = "public, max-age=31536000, immutable"


def create_api(settings: ReportingSettings) -> FastAPI:
    """The pages and their JSON. Raises `Unavailable` where they may not be shown (see `ReportingSettings.refuse_strangers`)."""
    settings.refuse_strangers()
    database = settings.required_database()
    key = settings.operator_key.get_secret_value()
    addresses = Addresses(settings.evidence_url, settings.mastery_url, settings.scheduling_url, key)
    health = Health()

    @asynccontextmanager
    async def parts(app: FastAPI) -> AsyncIterator[Sequence[web.Background]]:
        async with await postgres.create_pool(database, application="cairn reporting pages", size=POOL_SIZE) as pool:
            app.state.desk = desk = Desk(pool, Peers(addresses))
            health.add_ready("view", desk.readable)
            try:
                yield ()
            finally:
                await desk.peers.close()

    app = web.create_app("Cairn reporting", health=health, parts=parts, explanations=EXPLANATIONS)
    app.include_router(api.router)
    app.include_router(site.router)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    app.add_middleware(Headers)
    problems.handle(app)
    return app


def create_worker(settings: ReportingSettings) -> FastAPI:
    """The worker: folds `evidence.log`, `mastery.changes` and `schedule.changes`."""
    return worker.create_worker(settings, Reports(), settings.required_database())


class Headers:
    """Puts the security headers on every answer, and says what may be cached."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        static = scope["type"] == "http" and scope["path"].startswith("/static/") and scope.get("query_string")
        fixed = HEADERS | {"cache-control": FOR_GOOD if static else FRESH}

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                added = [(name.encode(), value.encode()) for name, value in fixed.items()]
                kept = [pair for pair in message.get("headers", []) if pair[0] != b"cache-control"]
                message = {**message, "headers": [*kept, *added]}
            await send(message)

        await self.app(scope, receive, with_headers)
