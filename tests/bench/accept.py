"""Accepting over HTTP: batches against the ledger's append alone, single events against the same server with no ledger.

Inside the measure: everything from a request's bytes to its answer, durable: HTTP, JSON, validation, grant, identifiers, hash,
append. The server is one process of the real application; the client is this process, with requests made beforehand, on the
same two cores. The ledger alone gets drafts made beforehand (what `tests.bench.ledger` measures). All by turns, so that
what else the machine does falls on all of them.
"""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime

import orjson

from contracts.topics import EVIDENCE_LOG
from deploy.local.waiting import LOOPBACK, free_ports, says_ready
from services.chassis.postgres import create_pool
from services.chassis.web import run
from services.evidence import opening
from services.evidence.admit import Key, Resolution, admit, draft, keyed
from services.evidence.app import create_api
from services.evidence.domain import Batch, Draft, Outcome, Receipt
from services.evidence.grants import Publisher
from services.evidence.ledger import Ledger
from services.evidence.parse import parse
from services.evidence.publishers import keyhash, new_key
from services.evidence.settings import Settings
from services.evidence.store import publishers
from services.evidence.vault import STUDENT, Vault, open_vault_pool
from tests.bench.report import report
from tests.stack import current

PARTITIONS = 64
STUDENTS = 10_000
CONNECTIONS = {500: 4, 100: 4, 1: 200}
ROUNDS = 6
EVENTS = {500: 10_000, 100: 10_000, 1: 2_000}  # a round
SEED = 20261124
READY_SECONDS = 60
SHED_SECONDS = 0.1  # before a request that was shed is sent again; inside the measure
PUBLISHER = Publisher("bench", quota=10_000_000)
SAMENESS = keyed(b"k" * 32)


def main() -> None:
    if sys.argv[1:2] == ["serve"]:
        _serve(sys.argv[2], without_ledger=sys.argv[3] == "without-ledger")
    else:
        try:
            asyncio.run(_main())
        finally:
            current().close()


# The servers


class Unwritten(Ledger):
    """A ledger that writes nothing, to see what the rest of the server costs. For this benchmark only."""

    async def append(self, batch: Batch) -> list[Outcome]:
        now = datetime.now(UTC)
        return [Receipt(position, bytes(32), now) for position, _ in enumerate(batch.drafts)]


def _serve(topic: str, *, without_ledger: bool) -> None:
    if without_ledger:
        opening.Ledger = Unwritten  # type: ignore[attr-defined]
    settings = Settings()
    run(create_api(settings, replace(EVIDENCE_LOG, name=topic)), settings)


@contextmanager
def _server(dsn: str, topic: str, which: str) -> Iterator[int]:
    """A server process; its port, once it is ready."""
    port = free_ports(1)[0]
    told = {"CAIRN_MODE": "local", "CAIRN_KAFKA": current().kafka(), "CAIRN_EVIDENCE_DATABASE": dsn, "CAIRN_PORT": str(port)}
    process = subprocess.Popen([sys.executable, "-m", "tests.bench.accept", "serve", topic, which], env={**os.environ, **told})
    try:
        _wait_ready(port)
        yield port
    finally:
        process.terminate()
        process.wait()


def _wait_ready(port: int) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while not says_ready(f"http://{LOOPBACK}:{port}/readyz"):
        if time.monotonic() > deadline:
            raise TimeoutError("the server is not ready")
        time.sleep(0.1)


# The client


def _request(events: Sequence[bytes], key: str) -> bytes:
    body = events[0] if len(events) == 1 else b"[" + b",".join(events) + b"]"
    head = f"POST /v1/evidence HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\ncontent-type: application/json\r\n"
    return f"{head}content-length: {len(body)}\r\n\r\n".encode() + body


async def _send_all(port: int, requests: Sequence[bytes], connections: int) -> float:
    """Seconds for all requests over so many connections."""
    waiting = iter(requests)
    opened = [await asyncio.open_connection(LOOPBACK, port, limit=2**20) for _ in range(connections)]

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for request in waiting:
            # What else the machine does can be too much for the server.
            while (status := await _answered(reader, writer, request)) == b"503":  # noqa: ASYNC110 - the server's word
                await asyncio.sleep(SHED_SECONDS)
            assert status in (b"200", b"201"), status

    begin = time.perf_counter()
    await asyncio.gather(*(one(*each) for each in opened))
    took = time.perf_counter() - begin
    for _, writer in opened:
        writer.close()
    return took


async def _answered(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> bytes:
    """The status of the answer to a request."""
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    await reader.readexactly(int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]))
    return head[9:12]


# What is sent


def _events(chance: random.Random, count: int) -> list[bytes]:
    """Evidence of random students with random ids of version 4, all of today."""
    now = datetime.now(UTC).isoformat()
    return [_event(chance, now) for _ in range(count)]


def _event(chance: random.Random, now: str) -> bytes:
    score = chance.randrange(1000, 4001)
    data = {
        "student": {"scheme": "sis", "value": f"student-{chance.randrange(STUDENTS)}"},
        "framework": "nyc-hs",
        "competency": f"MA.{score % 49}",
        "score": score / 1000,
        "scale": "d4",
        "context": "algebra",
    }
    id = str(uuid.UUID(int=chance.getrandbits(128), version=4))
    event = {"specversion": "1.0", "id": id, "source": "bench", "type": "cairn.evidence.submitted.v1", "time": now, "data": data}
    return orjson.dumps(event)


def _drafts(events: Sequence[bytes], names: dict[Key, str]) -> list[Draft]:
    items = [parse(event, "event").items[0] for event in events]
    return [draft(admit(item, PUBLISHER, SAMENESS), PUBLISHER, Resolution(names, 0), None, held=False) for item in items]


# The measures


async def _main() -> None:
    stack, key = current(), new_key()
    dsn = stack.fresh_database("evidence")
    topic = stack.fresh_topic(partitions=PARTITIONS)
    pool = await create_pool(dsn, application="bench", size=4)
    ledger = Ledger(pool)
    await ledger.open("bench", PARTITIONS, "America/New_York")
    await ledger.compare(stack.kafka(), replace(EVIDENCE_LOG, name=topic))
    await publishers.add(pool, PUBLISHER, keyhash(key))
    async with await open_vault_pool(dsn, application="bench") as vault_pool:
        names = await Vault(vault_pool, _no_merges).register(STUDENT, [Key("sis", f"student-{n}") for n in range(STUDENTS)])
    with _server(dsn, topic, "with-ledger") as port, _server(dsn, topic, "without-ledger") as bare:
        for size in (500, 100):
            await _batches(ledger, port, key, names, size)
        await _singles(port, bare, key)
    await pool.close()


async def _no_merges() -> int:
    return 0


async def _batches(ledger: Ledger, port: int, key: str, names: dict[Key, str], size: int) -> None:
    chance, count = random.Random(SEED + size), EVENTS[size]
    accepted = appended = 0.0
    for number in range(ROUNDS + 1):
        events = _batched(_events(chance, count), size)
        took = await _send_all(port, [_request(each, key) for each in events], CONNECTIONS[size])
        alone = await _append(ledger, [_drafts(each, names) for each in _batched(_events(chance, count), size)])
        if number:  # the first round warms all up
            accepted, appended = accepted + took, appended + alone
    total = count * ROUNDS
    what = f"accept over HTTP, batch {size}"
    report(what, total / accepted, total / appended, least=0.4, seed=SEED, connections=CONNECTIONS[size], students=STUDENTS)


async def _append(ledger: Ledger, batches: Sequence[Sequence[Draft]]) -> float:
    """Seconds for the ledger alone, two appends under way at once."""
    waiting = iter(batches)

    async def one() -> None:
        for drafts in waiting:
            await ledger.append(Batch(drafts=tuple(drafts)))

    begin = time.perf_counter()
    await asyncio.gather(one(), one())
    return time.perf_counter() - begin


async def _singles(port: int, bare: int, key: str) -> None:
    chance, count = random.Random(SEED + 1), EVENTS[1]
    accepted = answered = 0.0
    for number in range(ROUNDS + 1):
        took = await _send_all(port, [_request([each], key) for each in _events(chance, count)], CONNECTIONS[1])
        without = await _send_all(bare, [_request([each], key) for each in _events(chance, count)], CONNECTIONS[1])
        if number:
            accepted, answered = accepted + took, answered + without
    total = count * ROUNDS
    what, connections = "accept one at a time", CONNECTIONS[1]
    report(what, total / accepted, total / answered, least=0.5, seed=SEED, connections=connections, students=STUDENTS)


def _batched(events: Sequence[bytes], size: int) -> list[Sequence[bytes]]:
    return [events[start : start + size] for start in range(0, len(events), size)]


if __name__ == "__main__":
    main()
