"""A projection's worker process: its projectors, the relay of its outbox, and what its health depends on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI

from services.chassis import postgres, web
from services.chassis.health import Health
from services.chassis.log.relay import outbox_relay
from services.chassis.projection.live import LiveProjections
from services.chassis.projection.view import View
from services.chassis.settings import ServiceSettings

# Connections: overlapping partitions of two generations, the relay, and the watchers.
POOL_SIZE = 12


def create_worker(settings: ServiceSettings, view: View[Any], database: str) -> FastAPI:
    """The worker of a view as an application: background tasks, and `/healthz`, `/readyz`, `/metrics` on its port."""
    health = Health()

    @asynccontextmanager
    async def parts(app: FastAPI) -> AsyncIterator[Sequence[web.Background]]:
        kafka = settings.required("kafka")
        pool = await postgres.create_pool(database, application=f"cairn {view.name} worker", size=POOL_SIZE)
        async with pool:
            live = LiveProjections(pool, view, kafka)
            health.add_ready("projection", live.check)
            background = [web.Background(f"{view.name}.projections", live.run)]
            if view.output is not None:
                relay = outbox_relay(pool, kafka, view.output.name)
                health.add_ready("relay", relay.check)
                background.append(web.Background(f"{view.name}.relay", relay.run))
            yield background

    return web.create_app(f"Cairn {view.name} worker", health=health, parts=parts)
