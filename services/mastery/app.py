"""Mastery's two processes: the API, and the worker that folds the view and relays what moved."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from fastapi import FastAPI

from contracts.topics import MASTERY_CHANGES
from services.chassis import postgres, web
from services.chassis.errors import Unavailable
from services.chassis.health import Health
from services.chassis.log import republish
from services.chassis.operators import let_operators_in
from services.chassis.projection import worker
from services.mastery import api
from services.mastery.explanations import EXPLANATIONS
from services.mastery.handlers import view
from services.mastery.queries import Queries
from services.mastery.settings import MasterySettings

# Requests that hold a connection at once; each holds one for its one snapshot.
POOL_SIZE = 8


def create_api(settings: MasterySettings) -> FastAPI:
    """The API, on its own pool. `/readyz`: the database answers and has a generation to read."""
    dsn = settings.dsn()
    health = Health()

    @asynccontextmanager
    async def parts(app: FastAPI) -> AsyncIterator[Sequence[web.Background]]:
        async with await postgres.create_pool(dsn, application="cairn mastery api", size=POOL_SIZE) as pool:
            queries = Queries(pool)

            async def readable() -> str | None:
                try:
                    await queries.standing()
                except Unavailable as missing:
                    return str(missing)
                return None

            health.add_ready("view", readable)
            app.state.queries = queries
            app.state.pool = pool
            yield ()

    app = web.create_app("Cairn mastery", health=health, parts=parts, explanations=EXPLANATIONS)
    let_operators_in(app, settings)
    app.include_router(api.router)
    app.include_router(republish.routes(MASTERY_CHANGES.name, lambda request: request.app.state.pool))
    return app


def create_worker(settings: MasterySettings) -> FastAPI:
    """The worker: folds `evidence.log`, relays `mastery.changes`."""
    return worker.create_worker(settings, view, settings.dsn())
