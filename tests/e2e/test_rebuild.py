"""`cairn mastery rebuild` under live load: swapped, rolled back, swapped again; readers see neither an error nor a mixture."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, NamedTuple

import httpx
import pytest

from services.chassis import postgres
from services.chassis.projection.serving import reading
from tests.e2e.invariants import assert_log_is_sound, assert_mastery_is_sound
from tests.e2e.load import publishing, until_more
from tests.e2e.platform import SCHOOL, Platform

pytestmark = [pytest.mark.stack, pytest.mark.timeout(600)]


class Seen(NamedTuple):
    """One answer: what was asked, which generation gave it, for which position, and everything else that it says."""

    path: str
    generation: int
    position: int
    said: str


@dataclass
class Reader:
    """A teacher who reloads her students' levels, what they rest on, and her school's counts all day."""

    seen: list[Seen] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    async def read(self, url: str, students: list[str], school: str) -> None:
        async with httpx.AsyncClient(base_url=url, timeout=10) as client:
            while True:
                for student in students:
                    body = await self._ask(client, f"/v1/students/{student}")
                    if body and body["levels"]:
                        level = body["levels"][0]
                        await self._ask(client, f"/v1/students/{student}/competencies/{level['framework']}/{level['competency']}")
                await self._ask(client, f"/v1/schools/{school}")

    async def _ask(self, client: httpx.AsyncClient, path: str) -> dict[str, Any] | None:
        answer = await client.get(path)
        if answer.status_code != 200:
            self.errors.append(f"{answer.status_code}: {answer.text[:200]}")
            return None
        body: dict[str, Any] = answer.json()
        known = body["as_known"]
        said = json.dumps({name: value for name, value in body.items() if name != "as_known"}, sort_keys=True)
        self.seen.append(Seen(path, known["generation"], int(known["position"]), said))
        return body


@asynccontextmanager
async def a_reader(platform: Platform) -> AsyncIterator[Reader]:
    dsn = platform.settings["CAIRN_MASTERY_DATABASE"]
    async with await postgres.create_pool(dsn, application="test", size=1) as pool, reading(pool, "mastery") as (connection, _):
        rows = await connection.fetch("SELECT student FROM students ORDER BY student LIMIT 20")
    reader = Reader()
    students, url = [row["student"] for row in rows], platform.settings["CAIRN_MASTERY_URL"]
    task = asyncio.create_task(reader.read(url, students, SCHOOL.school_ids[0]))
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
    generations = [each.generation for each in reader.seen]
    turns = [generations[0], *(b for a, b in pairwise(generations) if a != b)]
    (new,) = {each["generation"] for each in platform.json("mastery", "generations")} - before
    assert turns == [turns[0], new, turns[0], new]
    assert_one_story(reader.seen)
    await assert_log_is_sound(platform, receipts)
    await assert_mastery_is_sound(platform)
    platform.cairn("mastery", "drop", str(turns[0]))


def assert_one_story(seen: list[Seen]) -> None:
    """Each answer stands for at least as much as the one before it, and at one position all generations say the same."""
    by_path: dict[str, list[Seen]] = defaultdict(list)
    for each in seen:
        by_path[each.path].append(each)
    for path, answers in by_path.items():
        positions = [each.position for each in answers]
        assert positions == sorted(positions), f"an answer stood for less than the one before it: {path}"
        if path.startswith("/v1/students/"):  # a student's answer stands for her partition, a school's for what all have reached
            said = {(each.position, each.said) for each in answers}
            assert len(said) == len({position for position, _ in said}), f"two answers for one position: {path}"
