"""School apps that publish steadily and remember every receipt they were given."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import takewhile
from threading import Event
from uuid import uuid4

import httpx

from deploy.seed.load import highschool_items
from deploy.seed.publish import Report, batches, publish
from tests.e2e.platform import PATIENCE, SCHOOL, Platform
from tests.until import until

Receipts = dict[tuple[str, str], int]


class Witness(httpx.AsyncHTTPTransport):
    """The network, which keeps what the evidence service has acknowledged: (source, id) -> position."""

    def __init__(self) -> None:
        super().__init__()
        self.receipts: Receipts = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await super().handle_async_request(request)
        if response.status_code < 300 and request.url.path == "/v1/evidence":
            body = json.loads(await response.aread())
            sent = [json.loads(line) for line in request.content.splitlines()]
            for submission, result in zip(sent, body["results"], strict=True):
                if result["outcome"] in ("accepted", "duplicate"):
                    self.receipts[submission["source"], submission["id"]] = int(result["position"])
        return response


async def until_more(receipts: Receipts, before: int) -> None:
    """Return once there are more receipts than `before`."""

    async def more() -> bool:
        return len(receipts) > before

    await until(more, PATIENCE)


@asynccontextmanager
async def publishing(platform: Platform, *, rate: float, witness: Witness | None = None) -> AsyncIterator[Receipts]:
    """Publish steadily for as long as the block runs; the receipts grow meanwhile, and all of them are there afterwards."""
    keys = json.loads((platform.home / "publishers.json").read_text(encoding="utf-8"))
    witness, report, enough = witness or Witness(), Report(), Event()
    items = takewhile(lambda _: not enough.is_set(), highschool_items(str(uuid4()), SCHOOL))
    url = platform.settings["CAIRN_EVIDENCE_URL"]
    to_send = batches(items, 20, rate)
    task = asyncio.create_task(publish(to_send, url=url, keys=keys, report=report, connections=8, transport=witness))
    try:
        yield witness.receipts
        enough.set()
        await task
    finally:
        enough.set()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert report.outcomes["rejected"] == 0, "the seed's evidence is valid"
