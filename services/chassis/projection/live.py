"""The live projections of a worker: one projector for each generation that this code's fold version made.

A new generation is found within a second and folded beside the one that serves; a dropped one stops. A generation of
another fold version is left to the code that made it.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from contracts.topics import Topic
from services.chassis import kafka
from services.chassis.errors import Transient
from services.chassis.postgres import Pool, passing
from services.chassis.projection import serving, swap
from services.chassis.projection.apply import Applier
from services.chassis.projection.projector import AskAgain, Projector
from services.chassis.projection.view import View

log = logging.getLogger(__name__)

POLL_SECONDS = 0.5


class LiveProjections:
    """Runs the projectors of a view until cancelled, and answers for their health."""

    def __init__(self, pool: Pool, view: View[Any], bootstrap: str, partitions: int, *, ask_again: AskAgain | None = None) -> None:
        self._pool = pool
        self._view = view
        self._bootstrap = bootstrap
        self._partitions = partitions
        self._ask_again = ask_again
        self._running: dict[int, tuple[Projector[Any], asyncio.Task[None]]] = {}

    async def run(self) -> None:
        """Keep one projector for each of our generations. Raises `Unavailable` when something needs a person."""
        await self._prepare()
        try:
            while True:
                try:
                    with passing():
                        await self._follow()
                except Transient as error:
                    log.warning("a passing fault while looking for generations", extra={"fault": str(error)})
                await asyncio.sleep(POLL_SECONDS)
        finally:
            for _, task in self._running.values():
                task.cancel()
            await asyncio.gather(*(task for _, task in self._running.values()), return_exceptions=True)

    async def ready(self) -> str | None:
        """None when the serving generation is being folded and nothing stands still; else what is wrong."""
        async with self._pool.acquire() as connection:
            served = (await serving.peek(connection)).generation
        if served not in self._running:
            return f"generation {served} serves and is not folded by this version: rebuild, or run the version that made it"
        problems = [f"generation {number}: {p.problem}" for number, (p, _) in self._running.items() if p.problem]
        return "; ".join(problems) or None

    async def _prepare(self) -> None:
        while True:
            try:
                await kafka.verify_topics(self._bootstrap, self._topics(), self._partitions)
                with passing():
                    await serving.ensure_generation(self._pool, self._view, self._partitions)
                return
            except Transient as error:
                log.warning("waiting for Kafka and Postgres", extra={"fault": str(error)})
                await asyncio.sleep(POLL_SECONDS)

    def _topics(self) -> list[Topic]:
        return [*self._view.inputs, *([self._view.output] if self._view.output else [])]

    async def _follow(self) -> None:
        async with self._pool.acquire() as connection:
            await swap.void_expired(connection)
            ours = {
                generation.generation
                for generation in await serving.generations(connection)
                if generation.fold_version == self._view.fold_version
            }
        for number in ours - self._running.keys():
            self._running[number] = self._start(number)
        for number in self._running.keys() - ours:
            _, task = self._running.pop(number)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        for _, task in self._running.values():
            if task.done():
                await task  # raises what ended it

    def _start(self, generation: int) -> tuple[Projector[Any], asyncio.Task[None]]:
        log.info("folding a generation", extra={"view": self._view.name, "generation": generation})
        applier: Applier[Any] = Applier(self._pool, self._view, generation)
        projector = Projector(
            self._pool,
            self._view,
            applier,
            self._bootstrap,
            topics=[topic.name for topic in self._view.inputs],
            ask_again=self._ask_again,
        )
        return projector, asyncio.create_task(projector.run(), name=f"{self._view.name}.g{generation}")
