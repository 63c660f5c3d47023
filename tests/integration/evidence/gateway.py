"""A gateway for tests: the evidence API over a fresh database and topic, with publishers and people to send about."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import httpx
import uvicorn
from fastapi import FastAPI

from contracts.topics import EVIDENCE_LOG, Topic
from services.chassis.postgres import create_pool
from services.chassis.web import listening
from services.evidence.admit import Key
from services.evidence.app import create_api
from services.evidence.domain import Receipt
from services.evidence.grants import DEFAULT_TYPES, Publisher
from services.evidence.held import Resubmission
from services.evidence.ledger import Ledger
from services.evidence.opening import Opened
from services.evidence.publishers import keyhash, new_key
from services.evidence.settings import Settings
from services.evidence.store import publishers
from services.evidence.submit import Door
from services.evidence.vault import STAFF, STUDENT, Vault
from tests.stack import Stack

EVIDENCE = "cairn.evidence.submitted.v1"
RETRACTED = "cairn.evidence.retracted.v1"
SUPERSEDED = "cairn.evidence.superseded.v1"
DEADLINE = 20


@dataclass
class Gateway:
    """A running API and what is behind it."""

    app: FastAPI
    client: httpx.AsyncClient
    settings: Settings
    topic: Topic
    keys: dict[str, str]

    @property
    def ledger(self) -> Ledger:
        ledger: Ledger = self.app.state.ledger
        return ledger

    @property
    def vault(self) -> Vault:
        vault: Vault = self.app.state.vault
        return vault

    @property
    def door(self) -> Door:
        door: Door = self.app.state.door
        return door

    @property
    def opened(self) -> Opened:
        opened: Opened = self.app.state.opened
        return opened

    async def look_at_held(self) -> int:
        """What the worker does every few seconds; how many were released."""
        return await Resubmission(self.door, self.app.state.pool).look()

    async def publisher(
        self, name: str, types: Iterable[str] = DEFAULT_TYPES, schools: Iterable[str] | None = None, *, sandbox: bool = False
    ) -> Publisher:
        """Add a publisher; `send(..., publisher=name)` uses its key."""
        made = Publisher(name, frozenset(types), None if schools is None else frozenset(schools), sandbox=sandbox)
        self.keys[name] = new_key()
        await publishers.add(self.app.state.pool, made, keyhash(self.keys[name]))
        return made

    async def students(self, *values: str) -> dict[str, str]:
        """Make students known to the vault; pseudonyms by identifier."""
        found = await self.vault.register(STUDENT, [Key("sis", value) for value in values])
        return {key.value: name for key, name in found.items()}

    async def staff(self, *values: str) -> dict[str, str]:
        found = await self.vault.register(STAFF, [Key("sis", value) for value in values])
        return {key.value: name for key, name in found.items()}

    async def send(
        self,
        body: object,
        *,
        publisher: str = "algebra",
        content_type: str = "application/json",
        encoding: str | None = None,
        query: str = "",
    ) -> httpx.Response:
        """POST a body (bytes as they are, anything else as JSON)."""
        headers = {"content-type": content_type, "authorization": f"Bearer {self.keys.get(publisher, publisher)}"}
        if encoding:
            headers["content-encoding"] = encoding
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return await self.client.post(f"/v1/evidence{query}", content=content, headers=headers)

    async def mine(self, path: str, publisher: str = "algebra") -> httpx.Response:
        """GET below `/v1/publishers/me`, with a publisher's key."""
        headers = {"authorization": f"Bearer {self.keys[publisher]}"}
        return await self.client.get(f"/v1/publishers/me/{path}", headers=headers)

    async def counts(self, publisher: str = "algebra") -> tuple[int, int, int, int, int]:
        """(received, accepted, duplicate, rejected, held) of a publisher."""
        counters = await self.ledger.counters()
        if publisher not in counters:
            return 0, 0, 0, 0, 0
        c = counters[publisher]
        return c.received, c.accepted, c.duplicate, c.rejected, c.held

    async def retract(
        self, id: str, *, target: dict[str, Any], student: str = "104", publisher: str = "algebra", **envelope: Any
    ) -> httpx.Response:
        """Send a retraction of `target`, an id or a sourcekey."""
        return await self.send(a_retraction(id, target=target, student=student, source=publisher, **envelope), publisher=publisher)

    async def record(self, id: str, source: str = "algebra") -> dict[str, Any]:
        """The record of an accepted event, as the log has it."""
        receipt = await self.ledger.status(source, id)
        assert isinstance(receipt, Receipt)
        record = await self.app.state.pool.fetchval("SELECT record FROM public.ledger WHERE position = $1", receipt.position)
        found: dict[str, Any] = json.loads(record)
        return found


@asynccontextmanager
async def a_gateway(stack: Stack, *, people: bool = True, **settings: Any) -> AsyncIterator[Gateway]:
    """A gateway that accepts, with the publisher `algebra` (evidence only), and with `people` students 104, 105, teacher t1."""
    partitions = 4
    told = {"mode": "local", "kafka": stack.kafka(), "partitions": partitions, **settings}
    configured = Settings(CAIRN_EVIDENCE_DATABASE=stack.fresh_database("evidence"), **told)
    topic = replace(EVIDENCE_LOG, name=stack.fresh_topic(partitions=partitions))
    app = create_api(configured, topic)
    async with await create_pool(configured.dsn(), application="test", size=1) as pool:
        await Ledger(pool).open("test", partitions, "America/New_York")
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
            gateway = Gateway(app, client, configured, topic, {})
            await ready(client)
            await gateway.publisher("algebra")
            if people:
                await gateway.students("104", "105")
                await gateway.staff("t1")
            yield gateway


@asynccontextmanager
async def over_http(gateway: Gateway) -> AsyncIterator[str]:
    """Serve the gateway's application on a port of this machine, and send through it from now on; its address."""
    with listening("127.0.0.1", 0) as bound:
        server = uvicorn.Server(uvicorn.Config(gateway.app, http="httptools", lifespan="off", log_config=None, access_log=False))
        serving = asyncio.create_task(server.serve(sockets=[bound]))
        address = f"http://127.0.0.1:{bound.getsockname()[1]}"
        inside = gateway.client
        async with httpx.AsyncClient(base_url=address) as client:
            await ready(client)
            gateway.client = client
            yield address
        gateway.client = inside
        server.should_exit = True
        await serving


async def ready(client: httpx.AsyncClient) -> None:
    """Wait until `/readyz` says so."""
    async with asyncio.timeout(DEADLINE):
        while (await client.get("/readyz")).status_code != 200:  # noqa: ASYNC110 - another task's word, not an event's
            await asyncio.sleep(0.02)


def an_event(id: str = "e-1", *, source: str = "algebra", time: str = "2026-03-02T10:00:00Z", **data: Any) -> dict[str, Any]:
    """A piece of evidence as an app sends it; `data` adds to or replaces (None: leaves out) fields of its data."""
    fields: dict[str, Any] = {
        "student": {"scheme": "sis", "value": "104"},
        "framework": "hs",
        "competency": "MA.1",
        "score": 3.5,
        "scale": "d4",
    } | data
    told = {name: value for name, value in fields.items() if value is not None}
    return {"specversion": "1.0", "id": id, "source": source, "type": EVIDENCE, "time": time, "data": told}


def a_retraction(
    id: str, *, target: dict[str, Any], student: str = "104", source: str = "algebra", **envelope: Any
) -> dict[str, Any]:
    """A retraction as an app sends it."""
    data = {"student": {"scheme": "sis", "value": student}, "target": target, "reason": "entered-in-error"}
    event = {"specversion": "1.0", "id": id, "source": source, "type": RETRACTED, "time": "2026-03-03T10:00:00Z", "data": data}
    return event | envelope


def a_superseding(id: str, *, target: dict[str, Any], **data: Any) -> dict[str, Any]:
    """A superseding piece as an app sends it; `data` as in `an_event`."""
    return an_event(id, target=target, reason="wrong-score", **data) | {"type": SUPERSEDED}
