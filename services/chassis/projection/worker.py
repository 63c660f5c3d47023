"""A projection's worker process: its projectors, the relay of its outbox, and what its health depends on."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import httpx
from fastapi import FastAPI

from services.chassis import kafka, postgres, web
from services.chassis.errors import Transient
from services.chassis.health import Health
from services.chassis.log.feed import OutboxFeed
from services.chassis.log.relay import Relay
from services.chassis.operators import bearing
from services.chassis.postgres import Pool
from services.chassis.projection.live import LiveProjections
from services.chassis.projection.view import View
from services.chassis.settings import ServiceSettings

log = logging.getLogger(__name__)

# Connections: overlapping partitions of two generations, the relay, and the watchers.
POOL_SIZE = 12
RETRY_SECONDS = 0.5
# Allocations between collections of cyclic garbage. A batch makes a hundred thousand objects that live until its commit, and no
# cycles; at the default of 700 the collector looks at them again and again, for two fifths of the fold's time.
COLLECT_AFTER = 100_000


def create_worker(settings: ServiceSettings, view: View[Any], database: str) -> FastAPI:
    """The worker of a view as an application: background tasks, and `/healthz`, `/readyz`, `/metrics` on its port."""
    health = Health()

    @asynccontextmanager
    async def parts(app: FastAPI) -> AsyncIterator[Sequence[web.Background]]:
        collect_seldom()
        pool = await postgres.create_pool(database, application=f"cairn {view.name} worker", size=POOL_SIZE)
        async with pool:
            worker = Worker(settings, view, pool)
            health.add_ready("projection", worker.ready)
            yield [web.Background(f"{view.name}.worker", worker.run)]

    return web.create_app(f"Cairn {view.name} worker", health=health, parts=parts)


def collect_seldom() -> None:
    """Let the garbage collector look at a fold's short-lived objects seldom, and at what was imported never."""
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER, 20, 100)


class Worker:
    """Waits for the log's topic, then folds and relays until cancelled."""

    def __init__(self, settings: ServiceSettings, view: View[Any], pool: Pool) -> None:
        self._settings = settings
        self._view = view
        self._pool = pool
        self._kafka = settings.required("kafka")
        self._live: LiveProjections | None = None
        self._relay: Relay[Any] | None = None

    async def run(self) -> None:
        """Fold and relay. Raises `Unavailable` when a topic is not as it must be."""
        partitions = await self._partitions()
        self._live = LiveProjections(self._pool, self._view, self._kafka, partitions, ask_again=self._ask_again)
        if (output := self._view.output) is not None:
            self._relay = Relay(OutboxFeed(self._pool, output.name, partitions), self._pool, self._kafka, output)
        await asyncio.gather(self._live.run(), *([self._relay.run()] if self._relay else []))

    async def ready(self) -> str | None:
        """For `/readyz`: None while the serving generation is folded and what it says is relayed."""
        if self._live is None:
            return "waiting for Kafka"
        return await self._live.ready() or (await self._relay.ready() if self._relay else None)

    async def _partitions(self) -> int:
        while True:
            try:
                return await kafka.partition_count(self._kafka, self._view.inputs[0].name)
            except Transient as error:
                log.warning("waiting for Kafka", extra={"fault": str(error)})
                await asyncio.sleep(RETRY_SECONDS)

    async def _ask_again(self, input: int, partition: int, sequence: int) -> None:
        """Ask the owner of an input to publish a partition again from a sequence on."""
        topic = self._view.inputs[input]
        url = self._settings.required(f"{topic.producer}_url")
        async with httpx.AsyncClient(base_url=url, timeout=10, headers=bearing(self._settings)) as client:
            try:
                answer = await client.post("/v1/log/republish", json={"partition": partition, "sequence": sequence})
                answer.raise_for_status()
            except httpx.HTTPError as error:
                raise Transient(f"the owner of {topic.name} did not answer: {type(error).__name__}") from None
