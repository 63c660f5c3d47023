"""A policy adopted while evidence streams in: everybody moves, each move is told once, a death in the middle changes nothing."""

from __future__ import annotations

import asyncio
import json

import httpx
import pytest

from contracts.codec import decode
from contracts.events import MasteryChanged
from deploy.seed import curriculum
from services.chassis import postgres
from services.chassis.postgres import Pool
from tests.e2e.invariants import assert_log_is_sound, assert_mastery_is_sound
from tests.e2e.load import publishing, until_more
from tests.e2e.platform import PATIENCE, STUDENTS, Platform
from tests.e2e.test_kills import ready_again
from tests.until import until

pytestmark = [pytest.mark.stack, pytest.mark.timeout(600)]


async def adopt(platform: Platform, version: int, method: dict[str, object]) -> int:
    """Publish a next version of the school's main policy, in force at once; its position."""
    key = json.loads((platform.home / "publishers.json").read_text(encoding="utf-8"))[curriculum.PUBLISHER]
    document = curriculum.read("highschool")
    (policy,) = (each for each in document["policies"] if each["policy"] == "hs49")
    *_, submission = curriculum.submissions({**document, "policies": [{**policy, "version": version, "method": method}]})
    async with httpx.AsyncClient(base_url=platform.settings["CAIRN_EVIDENCE_URL"], timeout=30) as client:
        answer = await client.post("/v1/evidence", json=submission, headers={"Authorization": f"Bearer {key}"})
    assert answer.status_code == 201, answer.text
    return int(answer.json()["position"])


def claims(platform: Platform) -> int:
    """How often the group has given partitions to the worker, by its log."""
    return (platform.home / "logs" / "mastery-work.log").read_text(encoding="utf-8").count("assigned to partitions")


async def told_by(pool: Pool, cause: int) -> list[str]:
    """The students of whom something was told because of the event at this position, as often as it was told."""
    rows = await pool.fetch("SELECT record FROM outbox WHERE type = $1 ORDER BY partition, sequence", MasteryChanged.TYPE)
    events = [decode(row["record"]) for row in rows]
    ids = [event.id for event in events]
    assert len(ids) == len(set(ids)), "an event was told twice"
    return [str(e.subject) for e in events if isinstance(e.data, MasteryChanged) and e.data.cause == str(cause)]


@pytest.mark.parametrize(("version", "method", "die"), [(2, {"name": "average"}, False), (3, {"name": "highest"}, True)])
async def test_everybody_moves_once_and_a_death_in_the_middle_changes_nothing(
    platform: Platform, version: int, method: dict[str, object], die: bool
) -> None:
    async with await postgres.create_pool(platform.settings["CAIRN_MASTERY_DATABASE"], application="test", size=2) as pool:
        async with publishing(platform, rate=150) as receipts:
            await until_more(receipts, 300)
            before = claims(platform)
            position = await adopt(platform, version, method)
            if die:
                await asyncio.to_thread(platform.kill, "mastery-work")

            async def swept() -> bool:
                query = "SELECT count(*) FROM outbox WHERE type = $1 AND position($2::bytea IN record) > 0"
                return bool(await pool.fetchval(query, MasteryChanged.TYPE, f'"cause":"{position}"'.encode()))

            await until(swept, PATIENCE)
        if die:
            await ready_again(platform, "mastery-work")
        else:
            assert claims(platform) == before > 0, "a sweep took so long that the group took partitions away"
        await assert_log_is_sound(platform, receipts)
        await assert_mastery_is_sound(platform)
        told = await told_by(pool, position)
    assert len(told) == len(set(told)) > STUDENTS // 2
