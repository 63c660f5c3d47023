"""The publishers' client against the gateway: killed and resumed, nothing is lost and nothing counted twice."""

from __future__ import annotations

import asyncio
import csv
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from contracts.client import AsyncClient, Sent
from tests.integration.evidence.gateway import Gateway, a_gateway, over_http
from tests.integration.evidence.spooling import piece
from tests.stack import Stack

COUNT = 400
# After how many submissions of a life it is killed: at its start, between two flushes, in the middle of one, late.
LIVES = (1, 20, 38, 75, 111)


@pytest.fixture
async def gateway(stack: Stack) -> AsyncIterator[Gateway]:
    async with a_gateway(stack) as gateway:
        yield gateway


async def a_life(arguments: list[str], submissions: int) -> int:
    """Run the program until it has said that so many were submitted, then kill -9; the last number that it said."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.integration.evidence.spooling", *arguments, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout
    said = [int(await process.stdout.readline()) for _ in range(submissions)]
    process.kill()
    said += [int(line) for line in (await process.stdout.read()).splitlines(keepends=True) if line.endswith(b"\n")]
    await process.wait()
    return said[-1]


async def in_the_log(gateway: Gateway) -> list[str]:
    """The ids of the publisher's events in the log, as often as they are there."""
    sql = "SELECT convert_from(record, 'UTF8')::jsonb ->> 'id' FROM public.ledger WHERE subject IS NOT NULL"
    return [row[0] for row in await gateway.opened.pool.fetch(sql)]


async def test_killed_again_and_again_it_loses_nothing_and_counts_nothing_twice(gateway: Gateway, tmp_path: Path) -> None:
    async with over_http(gateway) as url:
        spool, following = str(tmp_path / "spool"), 0
        for submissions in LIVES:
            following = 1 + await a_life([url, gateway.keys["algebra"], spool, str(following), str(COUNT)], submissions)
        async with AsyncClient(url, gateway.keys["algebra"], spool=spool) as client:
            await client.flush()  # what the dead left, before anything new
            assert set(await in_the_log(gateway)) >= {f"e-{number}" for number in range(following)}
            await client.submit(*(piece(number) for number in range(following, COUNT)))
            await client.flush()
            assert (await client.waiting(), await client.refused()) == (0, [])
    assert sorted(await in_the_log(gateway)) == sorted(f"e-{number}" for number in range(COUNT))
    received, accepted, duplicate, rejected, held = await gateway.counts()
    assert (received, accepted, rejected, held) == (COUNT + duplicate, COUNT, 0, 0)


async def test_the_control_without_a_spool_loses_what_waited(gateway: Gateway) -> None:
    async with over_http(gateway) as url:
        last = await a_life([url, gateway.keys["algebra"], "-", "1", str(COUNT)], 30)
        assert last >= 30
    assert len(await in_the_log(gateway)) < last


async def test_each_fate_comes_back_to_the_program(gateway: Gateway) -> None:
    async with over_http(gateway) as url, AsyncClient(url, gateway.keys["algebra"]) as client:
        stranger = piece(2)
        stranger["data"]["student"] = {"scheme": "sis", "value": "nobody"}
        wrong = piece(3)
        wrong["data"]["score"] = "3"
        await client.submit(piece(1), piece(1), stranger, wrong)
        assert await client.flush() == Sent(accepted=1, duplicate=1, held=1, rejected=1)
        [refused] = await client.refused()
    assert (refused.event["id"], refused.code, refused.pointer) == ("e-3", "invalid-field", "/data/score")


async def test_the_example_runs_and_may_run_again(gateway: Gateway, tmp_path: Path) -> None:
    path = tmp_path / "scores.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["row", "student", "framework", "competency", "score", "scale", "time"])
        rows.writerow([1, "104", "hs", "MA.1", 3.5, "d4", "2026-03-02T10:00:00-05:00"])
        rows.writerow([2, "105", "hs", "MA.1", 2, "d4", "2026-03-02T10:00:00-05:00"])
        rows.writerow([3, "105", "hs", "not a code", 2, "d4", "2026-03-02T10:00:00-05:00"])

    async def run() -> str:
        environment = {**os.environ, "CAIRN_EVIDENCE_URL": url, "CAIRN_KEY": gateway.keys["algebra"]}
        arguments = ["-m", "contracts.client.example", "algebra", str(path)]
        process = await asyncio.create_subprocess_exec(
            sys.executable, *arguments, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        told, error = await process.communicate()
        assert process.returncode == 0, error.decode()
        return told.decode()

    async with over_http(gateway) as url:
        assert (await run()).startswith("2 accepted, 0 duplicate, 0 held, 1 rejected\nscores-3: invalid-field at /data/competency")
        assert (await run()).startswith("0 accepted, 2 duplicate, 0 held, 1 rejected\n")
