"""Twice the rate that a gateway can hold: who is let in waits for two seconds at the most, everybody else is told to come again.

`python -m tests.bench.overload [MINUTES]` (2; `make soak` runs 10). First the rate that the gateway holds is measured, with a
worker beside it that relays; then twice as much is offered, one event a request, at times that do not wait for answers; then half
of it, which must all come in again. The client is on the same machine, so what it takes is missing to the server. At the end every
receipt is looked for in the ledger.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import uuid4

import psutil

from contracts.topics import EVIDENCE_LOG, EVIDENCE_REJECTED
from deploy.local.provision import create_topics
from deploy.local.waiting import LOOPBACK, free_ports, says_ready
from services.chassis.postgres import Pool, create_pool
from services.evidence.admit import Key
from services.evidence.grants import Publisher
from services.evidence.ledger import Ledger
from services.evidence.publishers import keyhash, new_key
from services.evidence.store import publishers
from services.evidence.vault import STUDENT, Vault, open_vault_pool
from tests.bench.report import report_latency
from tests.stack import current

PARTITIONS = 64
STUDENTS = 5000
# Enough that none is missing while each waits for two seconds at twice the rate would take more sockets than a test should.
CONNECTIONS = 1500
IDLE_SECONDS = 3.0  # after which a connection is made anew: the server closes what has been idle for 5
MEASURED_SECONDS = 15
BACK_OFF_SECONDS = 0.5
RECOVERY_SECONDS = 10
GRACE_SECONDS = 3  # of the recovery, in which what is under way may still be worked off
MOST_SECONDS = 2.0
MOST_MEMORY = 1024 * 1024 * 1024
LET_IN, TOLD_TO_WAIT = {200, 201}, {429, 503}
PUBLISHER = Publisher("bench", quota=10_000_000)


@dataclass
class Outcome:
    """What a phase came to. `latencies` of what was let in, in seconds; `acknowledged` the numbers of its events."""

    seconds: float = 0.0
    offered: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list)
    acknowledged: list[int] = field(default_factory=list)
    refused_at: list[float] = field(default_factory=list)
    without_retry_after: int = 0
    no_connection: int = 0

    def percentile(self, part: float) -> float:
        ascending = sorted(self.latencies)
        return ascending[min(len(ascending) - 1, int(len(ascending) * part))]


@dataclass
class Result:
    """The whole run, to be judged by whoever asked for it."""

    held: float  # events a second that the gateway held
    overloaded: Outcome
    recovered: Outcome
    memory: list[int]  # bytes of the gateway, each second of the overload
    lost: int  # acknowledged events that are not in the ledger
    counters_add_up: bool


class Connection(NamedTuple):
    """A connection and when it was last used."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    used: float


class Sender:
    """Sends single events over many connections, each at its time."""

    def __init__(self, port: int, key: str) -> None:
        self._port = port
        self._run = uuid4().hex[:8]
        self._numbers = 0
        self._free: deque[Connection] = deque()
        self._head = f"POST /v1/evidence HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {key}\r\ncontent-type: application/json\r\n"
        self._time = datetime.now(UTC).isoformat()

    def id_of(self, number: int) -> str:
        return f"{self._run}-{number:09d}"

    async def connect(self, count: int) -> None:
        while len(self._free) < count:
            self._free.append(await self._open())

    async def _open(self) -> Connection:
        return Connection(*await asyncio.open_connection(LOOPBACK, self._port), time.perf_counter())

    def close(self) -> None:
        for connection in self._free:
            connection.writer.close()

    async def held(self, seconds: float) -> Outcome:
        """As fast as 200 connections get answers. Whoever is told to come again waits: the rate is not measured in a storm."""
        outcome, began = Outcome(), time.perf_counter()

        async def one() -> None:
            while time.perf_counter() - began < seconds:
                refused = len(outcome.refused_at)
                await self._send(outcome, began, self._free.pop())
                if len(outcome.refused_at) > refused:
                    await asyncio.sleep(BACK_OFF_SECONDS)

        await asyncio.gather(*(one() for _ in range(200)))
        outcome.seconds = time.perf_counter() - began
        return outcome

    async def at(self, rate: float, seconds: float) -> Outcome:
        """So many a second, whatever becomes of them."""
        outcome, began, under_way = Outcome(), time.perf_counter(), set[asyncio.Task[None]]()
        while (passed := time.perf_counter() - began) < seconds:
            for _ in range(int(passed * rate) - outcome.offered):
                outcome.offered += 1
                if not self._free:
                    outcome.no_connection += 1
                    continue
                task = asyncio.create_task(self._send(outcome, began, self._free.pop()))
                under_way.add(task)
                task.add_done_callback(under_way.discard)
            await asyncio.sleep(0.005)
        await asyncio.gather(*under_way)
        outcome.seconds = time.perf_counter() - began
        return outcome

    async def _send(self, outcome: Outcome, began: float, connection: Connection) -> None:
        number, self._numbers = self._numbers, self._numbers + 1
        if time.perf_counter() - connection.used > IDLE_SECONDS:
            connection.writer.close()
            connection = await self._open()
        sent = time.perf_counter()
        connection.writer.write(self._request(number))
        head = await connection.reader.readuntil(b"\r\n\r\n")
        await connection.reader.readexactly(int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]))
        status = int(head[9:12])
        outcome.statuses[status] += 1
        if status in LET_IN:
            outcome.latencies.append(time.perf_counter() - sent)
            outcome.acknowledged.append(number)
        else:
            outcome.refused_at.append(time.perf_counter() - began)
            outcome.without_retry_after += b"retry-after:" not in head.lower()
        self._free.append(connection._replace(used=time.perf_counter()))

    def _request(self, number: int) -> bytes:
        student = f'"student":{{"scheme":"sis","value":"student-{number % STUDENTS}"}}'
        data = f'{{{student},"framework":"hs","competency":"MA.{number % 49}","score":{number % 4},"scale":"d4"}}'
        names = f'"specversion":"1.0","id":"{self.id_of(number)}","source":"bench","type":"cairn.evidence.submitted.v1"'
        body = f'{{{names},"time":"{self._time}","data":{data}}}'
        return f"{self._head}content-length: {len(body)}\r\n\r\n{body}".encode()


async def overload(minutes: float) -> Result:
    """Run it all on a database and a topic of its own."""
    stack, key = current(), new_key()
    dsn, topic = stack.fresh_database("evidence"), stack.fresh_topic(partitions=PARTITIONS)
    async with await create_pool(dsn, application="bench", size=2) as pool:
        await _prepare(pool, dsn, topic, key)
        with (
            _process("tests.bench.accept", "serve", topic, "with-ledger", dsn=dsn) as (gateway, port),
            _process("tests.integration.evidence.inbox_worker", topic, "guarded", dsn=dsn),
        ):
            sender = Sender(port, key)
            await sender.connect(CONNECTIONS)
            phases = [await sender.held(MEASURED_SECONDS)]
            held = phases[0].statuses[201] / phases[0].seconds
            async with _watched(gateway.pid) as memory:
                phases.append(await sender.at(2 * held, 60 * minutes))
            phases.append(await sender.at(held / 2, RECOVERY_SECONDS))
            sender.close()
        acknowledged = {sender.id_of(number) for phase in phases for number in phase.acknowledged}
        there = {row["id"] for row in await pool.fetch("SELECT id FROM public.seen WHERE source = 'bench'", timeout=120)}
        counted = (await Ledger(pool).counters())[PUBLISHER.name]
        outcomes = counted.accepted + counted.duplicate + counted.rejected + counted.held
        adds_up = counted.received == outcomes and counted.accepted == len(there)
        return Result(held, phases[1], phases[2], memory, len(acknowledged - there), adds_up)


async def _prepare(pool: Pool, dsn: str, topic: str, key: str) -> None:
    create_topics(current().kafka(), [EVIDENCE_REJECTED], PARTITIONS)
    ledger = Ledger(pool)
    await ledger.open("bench", PARTITIONS, "America/New_York")
    await ledger.compare(current().kafka(), replace(EVIDENCE_LOG, name=topic))
    await publishers.add(pool, PUBLISHER, keyhash(key))
    async with await open_vault_pool(dsn, application="bench") as vault_pool:
        await Vault(vault_pool, _no_merges).register(STUDENT, [Key("sis", f"student-{n}") for n in range(STUDENTS)])


async def _no_merges() -> int:
    return 0


@contextmanager
def _process(module: str, *arguments: str, dsn: str) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """A process of the service, once it is ready, and its port."""
    port = free_ports(1)[0]
    told = {"CAIRN_MODE": "local", "CAIRN_KAFKA": current().kafka(), "CAIRN_EVIDENCE_DATABASE": dsn, "CAIRN_PORT": str(port)}
    process = subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        env={**os.environ, **told, "CAIRN_LOG_LEVEL": "ERROR", "CAIRN_PARTITIONS": str(PARTITIONS)},
    )
    try:
        deadline = time.monotonic() + 60
        while not says_ready(f"http://{LOOPBACK}:{port}/readyz"):
            assert time.monotonic() < deadline, f"{module} is not ready"
            time.sleep(0.1)
        yield process, port
    finally:
        process.terminate()
        process.wait()


@asynccontextmanager
async def _watched(pid: int) -> AsyncIterator[list[int]]:
    """The memory of a process, each second inside the block."""
    memory, process = list[int](), psutil.Process(pid)

    async def watch() -> None:
        while True:
            memory.append(process.memory_info().rss)
            await asyncio.sleep(1)

    watching = asyncio.create_task(watch())
    try:
        yield memory
    finally:
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching


def verdicts(result: Result) -> dict[str, bool]:
    """What must hold, and whether it did."""
    over, after = result.overloaded, result.recovered
    half = len(result.memory) // 2
    return {
        "no acknowledged event is lost": result.lost == 0,
        "the counters add up": result.counters_add_up,
        "who was let in waited 2 s at the most, p99": over.percentile(0.99) <= MOST_SECONDS,
        "everybody else was told 429 or 503": over.statuses.keys() <= LET_IN | TOLD_TO_WAIT and sum(over.statuses.values()) > 0,
        "and when to come again": over.without_retry_after == 0,
        "it was too much": sum(over.statuses[status] for status in TOLD_TO_WAIT) > 0,
        "memory is bounded": max(result.memory) < MOST_MEMORY and max(result.memory[half:]) < 1.25 * max(result.memory[:half]),
        "it recovers by itself": not [at for at in after.refused_at if at > GRACE_SECONDS] and after.statuses[201] > 0,
    }


def main() -> None:
    minutes = float(sys.argv[1]) if len(sys.argv) > 1 else 2.0
    try:
        result = asyncio.run(overload(minutes))
    finally:
        current().close()
    over = result.overloaded
    report_latency(
        f"accepted at twice the rate, {minutes:g} minutes",
        p50=over.percentile(0.5) * 1000,
        p99=over.percentile(0.99) * 1000,
        most_p50=MOST_SECONDS * 1000,
        most_p99=MOST_SECONDS * 1000,
        held_a_second=round(result.held),
        offered_a_second=round(over.offered / over.seconds),
        accepted_a_second=round(over.statuses[201] / over.seconds),
        told_to_wait_a_second=round(sum(over.statuses[status] for status in TOLD_TO_WAIT) / over.seconds),
        no_connection=over.no_connection,
        memory_mib=round(max(result.memory) / 2**20),
        lost=result.lost,
        **{what.replace(" ", "_"): holds for what, holds in verdicts(result).items()},
    )


if __name__ == "__main__":
    main()
