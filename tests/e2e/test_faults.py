"""Faults that are not a clean death: a broker of three, a torn disk, a worker that sleeps past its session, two that share."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from contracts.topics import EVIDENCE_LOG
from deploy.local.waiting import free_ports
from services.chassis.kafka import SESSION_MS
from tests.e2e.invariants import assert_log_is_sound, assert_views_are_sound, topic_records
from tests.e2e.load import publishing, until_more
from tests.e2e.platform import CAIRN, DAYS, PATIENCE, STUDENTS, Platform, a_platform
from tests.e2e.test_kills import ready_again
from tests.until import until

pytestmark = [pytest.mark.stack, pytest.mark.timeout(900)]

SEED = ("seed", "highschool", "--students", str(STUDENTS), "--days", str(DAYS))


@contextmanager
def another_worker(platform: Platform) -> Iterator[subprocess.Popen[bytes]]:
    """A second mastery worker beside the stack's own, in the same consumer group."""
    environment = {**platform.environment, **platform.settings, "CAIRN_PORT": str(free_ports(1)[0])}
    with (platform.home / "logs" / "mastery-work-2.log").open("wb") as log:
        worker = subprocess.Popen([CAIRN, "mastery", "work"], env=environment, stdout=log, stderr=log)
        try:
            yield worker
        finally:
            worker.kill()
            worker.wait()


async def test_workers_that_come_and_go_share_the_partitions_and_count_everything_once(platform: Platform) -> None:
    async with publishing(platform, rate=200) as receipts:
        for _ in range(3):
            with another_worker(platform):
                await until_more(receipts, len(receipts) + 1000)
    await assert_log_is_sound(platform, receipts)
    await assert_views_are_sound(platform)


async def test_a_worker_that_sleeps_past_its_session_wakes_as_a_zombie_and_harms_nothing(platform: Platform) -> None:
    async with publishing(platform, rate=200) as receipts:
        with another_worker(platform):
            await until_more(receipts, len(receipts) + 200)
            platform.suspend("mastery-work")
            await asyncio.sleep(1.5 * SESSION_MS / 1000)  # how long it sleeps is the test
            platform.resume("mastery-work")
            await until_more(receipts, len(receipts) + 200)
    await assert_log_is_sound(platform, receipts)
    await assert_views_are_sound(platform)


async def test_the_tail_of_a_partition_that_a_power_loss_tore_off_is_published_again(platform: Platform) -> None:
    async with publishing(platform, rate=100) as receipts:
        await until_more(receipts, 400)
    await assert_views_are_sound(platform)
    before = await topic_records(platform.settings["CAIRN_KAFKA"], EVIDENCE_LOG)
    platform.kill("kafka")
    lost = tear_off(platform.home, partition=0, bytes_=6000)
    await ready_again(platform, "kafka")

    async def published_again() -> bool:
        records = await topic_records(platform.settings["CAIRN_KAFKA"], EVIDENCE_LOG)
        return len(records[0]) >= len(before[0])

    assert lost > 0
    async with publishing(platform, rate=100) as more:
        await until_more(more, 400)
    await until(published_again, PATIENCE)
    await assert_log_is_sound(platform, {**receipts, **more})
    await assert_views_are_sound(platform)


def tear_off(home: Path, *, partition: int, bytes_: int) -> int:
    """Cut the end off a partition's last segment, as a disk that never wrote it would; how many bytes went."""
    (folder,) = home.glob(f"**/{EVIDENCE_LOG.name}-{partition}")
    segment = max(folder.glob("*.log"))
    # Preallocated or index files may say more than there is; recovery reads the segment itself.
    (folder.parent / ".kafka_cleanshutdown").unlink(missing_ok=True)
    size = segment.stat().st_size
    cut = min(bytes_, size)
    os.truncate(segment, size - cut)
    return cut


async def test_a_broker_of_three_that_dies_and_comes_back_loses_nothing() -> None:
    with a_platform("--brokers", "3") as platform:
        platform.cairn(*SEED)
        async with publishing(platform, rate=150) as receipts:
            for node in (1, 2, 3):
                platform.kill(f"kafka-{node}")
                await ready_again(platform, f"kafka-{node}")
                await until_more(receipts, len(receipts))
        await assert_log_is_sound(platform, receipts)
        await assert_views_are_sound(platform)
