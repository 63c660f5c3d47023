"""Scheduling's two processes: the API, and the worker that folds the view and relays what plans say."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial

from fastapi import FastAPI

from services.chassis import postgres, web
from services.chassis.errors import Unavailable
from services.chassis.health import Health
from services.chassis.operators import let_operators_in
from services.chassis.postgres import Pool
from services.chassis.projection import worker
from services.scheduling import api, queries
from services.scheduling.explanations import EXPLANATIONS
from services.scheduling.handlers import view
from services.scheduling.settings import SchedulingSettings

# Requests that hold a connection at once; planning holds one for its reading and one for its publishing, never both.
POOL_SIZE = 8


def create_api(settings: SchedulingSettings) -> FastAPI:
    """The API, on its own pool. `/readyz`: the database answers and has a generation to read."""
    dsn = settings.dsn()
    health = Health()

    @asynccontextmanager
    async def parts(app: FastAPI) -> AsyncIterator[Sequence[web.Background]]:
        async with await postgres.create_pool(dsn, application="cairn scheduling api", size=POOL_SIZE) as pool:
            app.state.pool = pool
            health.add_ready("view", partial(_readable, pool))
            yield ()

    app = web.create_app("Cairn scheduling", health=health, parts=parts, explanations=EXPLANATIONS)
    let_operators_in(app, settings)
    app.include_router(api.router)
    app.include_router(api.republications)
    return app


async def _readable(pool: Pool) -> str | None:
    try:
        await queries.standing(pool)
    except Unavailable as missing:
        return str(missing)
    return None


def create_worker(settings: SchedulingSettings) -> FastAPI:
    """The worker: folds `evidence.log` and `mastery.changes`, relays `schedule.changes`."""
    return worker.create_worker(settings, view, settings.dsn())
