"""Tells a publisher what became of its records, on `evidence.receipts.NAME`.

The answers are in the database since the transaction that took the records, so a crash loses none. They are taken away once every
in-sync replica has them; a crash in between tells them again, under the same key.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from prometheus_client import Counter

from contracts.topics import receipts_of
from services.chassis import kafka
from services.chassis.errors import Transient
from services.chassis.postgres import Pool, passing
from services.evidence.store import inbox as store
from services.evidence.store.inbox import Answered

log = logging.getLogger(__name__)

AT_ONCE = 500
# The event says when something is to be told; this is for what another worker left behind.
LOOK_SECONDS = 2.0
ANSWER_SECONDS = 30
RETRY_SECONDS = 1.0

TOLD = Counter("cairn_inbox_told_total", "Records whose publisher was told what became of them", ["publisher"])


class Teller:
    """Tells one publisher until cancelled. `answered` is set whenever there is something new."""

    def __init__(self, publisher: str, answered: asyncio.Event, pool: Pool, bootstrap: str) -> None:
        self._publisher = publisher
        self._answered = answered
        self._pool = pool
        self._bootstrap = bootstrap
        self._topic = receipts_of(publisher).name

    async def run(self) -> None:
        """Go on until cancelled; after a fault with a new producer."""
        while True:
            try:
                await self._session()
            except (Transient, KafkaError, OSError, TimeoutError) as fault:
                log.warning("receipts wait", extra={"publisher": self._publisher, "reason": type(fault).__name__})
                await asyncio.sleep(RETRY_SECONDS)

    async def _session(self) -> None:
        await self._look()  # a producer is made when there is something to tell
        producer = kafka.producer(self._bootstrap, f"cairn-receipts-{self._publisher}")
        try:
            await producer.start()
            while True:
                await self._tell(producer, await self._look())
        finally:
            await kafka.give_up(producer)

    async def _look(self) -> list[Answered]:
        """What is to be told, once there is something."""
        while True:
            self._answered.clear()
            with passing():
                found = await store.to_tell(self._pool, self._publisher, AT_ONCE)
            if found:
                return found
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._answered.wait()
            except TimeoutError:
                continue

    async def _tell(self, producer: AIOKafkaProducer, found: Sequence[Answered]) -> None:
        async with asyncio.timeout(ANSWER_SECONDS):
            sent = [await producer.send(self._topic, each.answer, key=key_of(each)) for each in found]
            await asyncio.gather(*sent)
        with passing():
            await store.told(self._pool, [each.number for each in found])
        TOLD.labels(self._publisher).inc(len(found))


def key_of(answer: Answered) -> bytes:
    """The place of the record that is answered: the same however often it is told."""
    return f"{answer.topic}/{answer.partition}/{answer.offset}".encode()
