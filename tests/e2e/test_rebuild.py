"""`cairn mastery rebuild` under live load: swapped, rolled back, swapped again; readers see neither an error nor a mixture."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import pairwise

import httpx
import pytest

from services.chassis import postgres
from services.chassis.projection.serving import reading
from tests.e2e.invariants import assert_log_is_sound, assert_mastery_is_sound
from tests.e2e.load import publishing, until_more
from tests.e2e.platform import Platform

pytestmark = [pytest.mark.stack, pytest.mark.timeout(600)]


@dataclass
class Reader:
    """A teacher who reloads her students' levels all day. What she saw of each answer: (student, generation, position)."""

    seen: list[tuple[str, int, int]] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    async def read(self, url: str, students: list[str]) -> None:
        async with httpx.AsyncClient(base_url=url, timeout=10) as client:
            while True:
                for student in students:
                    answer = await client.get(f"/v1/students/{student}")
                    if answer.status_code != 200:
                        self.errors.append(f"{answer.status_code}: {answer.text[:200]}")
                        continue
                    known = answer.json()["as_known"]
                    self.seen.append((student, known["generation"], int(known["position"])))


@asynccontextmanager
async def a_reader(platform: Platform) -> AsyncIterator[Reader]:
    dsn = platform.settings["CAIRN_MASTERY_DATABASE"]
    async with await postgres.create_pool(dsn, application="test", size=1) as pool, reading(pool, "mastery") as (connection, _):
        rows = await connection.fetch("SELECT student FROM students ORDER BY student LIMIT 20")
    reader = Reader()
    task = asyncio.create_task(reader.read(platform.settings["CAIRN_MASTERY_URL"], [row["student"] for row in rows]))
    try:
        yield reader
        assert not task.done(), "the reader met an error"
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_swapped_rolled_back_and_swapped_again_under_load(platform: Platform) -> None:
    before = {each["generation"] for each in platform.json("mastery", "generations")}
    async with publishing(platform, rate=100) as receipts, a_reader(platform) as reader:
        await until_more(receipts, 200)
        await asyncio.to_thread(platform.cairn, "mastery", "rebuild", "--reason", "test")
        await asyncio.to_thread(platform.cairn, "mastery", "rollback")
        await asyncio.to_thread(platform.cairn, "mastery", "rollback")
    assert reader.errors == []
    generations = [generation for _, generation, _ in reader.seen]
    turns = [generations[0], *(b for a, b in pairwise(generations) if a != b)]
    (new,) = {each["generation"] for each in platform.json("mastery", "generations")} - before
    assert turns == [turns[0], new, turns[0], new]
    for student in {student for student, _, _ in reader.seen}:
        positions = [position for who, _, position in reader.seen if who == student]
        assert positions == sorted(positions), "an answer stood for less than the one before it"
    await assert_log_is_sound(platform, receipts)
    await assert_mastery_is_sound(platform)
    platform.cairn("mastery", "drop", str(turns[0]))
