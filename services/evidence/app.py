"""The two processes of the evidence service: the gateway (HTTP) and the worker (relay, ticks, what waits at the door)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from fastapi import FastAPI
from pydantic.json_schema import models_json_schema

from contracts.submissions import SUBMISSIONS
from contracts.topics import EVIDENCE_LOG, Topic
from services.chassis.errors import Transient, Unavailable
from services.chassis.health import Health
from services.chassis.operators import let_operators_in
from services.chassis.postgres import create_pool
from services.chassis.web import Background, create_app
from services.evidence import announcing, api, relay
from services.evidence.duplicates import Nightly, Search
from services.evidence.explanations import EXPLANATIONS
from services.evidence.held import Resubmission
from services.evidence.inbox.readers import InboxReaders
from services.evidence.ledger import Ledger
from services.evidence.opening import Opened
from services.evidence.overload import Load, Shedding
from services.evidence.publishers import Publishers
from services.evidence.quotas import Quotas
from services.evidence.settings import Settings
from services.evidence.silence import Silence
from services.evidence.vault import open_vault_pool, submission_key

log = logging.getLogger(__name__)

# Connections of a gateway: two appends that gather singles, batches of a few publishers, look-ups.
GATEWAY_CONNECTIONS = 12
COMPARE_SECONDS = 1.0


@asynccontextmanager
async def opened(settings: Settings, process: str, size: int = GATEWAY_CONNECTIONS) -> AsyncIterator[Opened]:
    """Pools and what stands on them, closed at the end. Raises `Unavailable` when a setting is missing."""
    dsn = settings.dsn()
    async with AsyncExitStack() as stack:
        pool = await stack.enter_async_context(await create_pool(dsn, application=f"cairn {process}", size=size))
        vault_dsn = settings.vault_database or dsn
        vault_pool = await stack.enter_async_context(await open_vault_pool(vault_dsn, application=f"cairn {process} vault"))
        key = await submission_key(vault_pool, settings.submission_key(), local=settings.mode == "local")
        yield Opened(pool, vault_pool, key)


def create_api(settings: Settings, topic: Topic = EVIDENCE_LOG) -> FastAPI:
    """The gateway. It accepts once it has compared the ledger with its topic (another than `evidence.log` in tests)."""
    health, load = Health(), Load()

    @asynccontextmanager
    async def parts(app: FastAPI) -> AsyncIterator[Sequence[Background]]:
        async with opened(settings, "evidence.serve") as has:
            app.state.opened, app.state.pool = has, has.pool
            app.state.ledger, app.state.vault, app.state.door = has.ledger, has.vault, has.door
            app.state.publishers, app.state.quotas, app.state.load = Publishers(has.pool), Quotas(has.pool, settings.quota), load
            _watch(health, has)
            yield [
                Background("compare", lambda: keep_comparing(has.ledger, settings.required("kafka"), topic)),
                Background("load", load.watch),
            ]

    app = create_app("Cairn evidence", health=health, parts=parts, explanations=EXPLANATIONS)
    let_operators_in(app, settings)
    app.add_middleware(Shedding, load=load, path=api.SUBMISSIONS_PATH)
    app.include_router(api.router)
    _describe_submissions(app)
    return app


def create_worker(settings: Settings, topic: Topic = EVIDENCE_LOG) -> FastAPI:
    """The worker: opens the log, publishes it, lets time pass in it, reads inboxes, lets in what was held. Any number may run."""
    health = Health()

    @asynccontextmanager
    async def parts(app: FastAPI) -> AsyncIterator[Sequence[Background]]:
        async with opened(settings, "evidence.work") as has:
            kafka = settings.required("kafka")
            head = await has.ledger.open(settings.log_name, settings.partitions, settings.timezone)
            relaying = relay.relay(has.pool, head.partitions, kafka, topic)
            telling = announcing.relay(has.pool, head.partitions, kafka)
            _watch(health, has)
            health.add_ready("relay", relaying.ready)
            health.add_ready("announcements", telling.ready)
            yield [
                Background("relay", relaying.run),
                Background("announcements", telling.run),
                Background("timer", relay.Timer(has.ledger, kafka, topic).run),
                Background("held", Resubmission(has.door, has.pool).run),
                Background("inboxes", InboxReaders(has.door, has.pool, kafka, Quotas(has.pool, settings.quota)).run),
                Background("silence", Silence(has.pool).run),
                Background("nightly", Nightly(Search(has.ledger, has.pool, has.key)).run),
            ]

    return create_app("Cairn evidence worker", health=health, parts=parts)


def _watch(health: Health, has: Opened) -> None:
    async def postgres() -> str | None:
        await has.pool.fetchval("SELECT 1")
        return None

    async def ledger() -> str | None:
        return has.ledger.ready()

    health.add_ready("postgres", postgres)
    health.add_ready("ledger", ledger)


async def keep_comparing(ledger: Ledger, bootstrap: str, topic: Topic) -> None:
    """Compare the ledger with its topic until it fits, and again should it stop accepting."""
    while True:
        if ledger.ready():
            try:
                await ledger.compare(bootstrap, topic)
            except (Transient, Unavailable) as reason:
                log.warning("not accepting: %s", reason)
        await asyncio.sleep(COMPARE_SECONDS)


def _describe_submissions(app: FastAPI) -> None:
    """Put the submissions' schemas into the OpenAPI document: the door reads its body itself, so FastAPI does not know them."""
    _, definitions = models_json_schema(
        [(model, "validation") for model in SUBMISSIONS.values()], ref_template="#/components/schemas/{model}"
    )
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        document = generate()
        document["components"]["schemas"].update(definitions["$defs"])
        return document

    app.openapi = openapi  # type: ignore[method-assign]
