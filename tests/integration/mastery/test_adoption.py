"""A policy in force now, and one at the next midnight, adopted while evidence streams in; a worker dies after every step."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Sequence

import pytest

from contracts.codec import decode
from contracts.events import MasteryChanged
from services.chassis import postgres
from services.chassis.projection.apply import Applier
from services.chassis.projection.chunk import Chunk
from services.chassis.projection.cursor import Cursor
from services.chassis.projection.view import Entry
from services.mastery.domain import Student
from services.mastery.handlers import MasteryView
from tests.integration.mastery.district import COMPETENCIES, PARTITIONS, District, a_curriculum
from tests.stack import Stack
from tests.story import Story, a_student
from tests.unit.mastery.events import a_policy, an_evidence_submitted

pytestmark = pytest.mark.stack


class Dies(Applier[Student]):
    """A worker that is killed after each transaction of a sweep: what it knew is gone, what it committed stays."""

    async def _apply_next(self, partition: int, entries: Sequence[Entry]) -> tuple[Cursor, Chunk]:
        cursor, chunk = await super()._apply_next(partition, entries)
        if chunk.turn and cursor.sweep is not None:
            raise RuntimeError("killed")
        return cursor, chunk


def a_story(*, effective: bool) -> Story:
    """Evidence, an adoption (at once, or for the next day), evidence up to and past that midnight."""
    chance, story = random.Random(6), Story(PARTITIONS)
    story.tick(days=1)
    a_curriculum(story)

    def evidence(pieces: int) -> None:
        for _ in range(pieces):
            data = an_evidence_submitted(chance.randrange(0, 9) / 2, competency=chance.choice(COMPETENCIES))
            story.tell(data, student=a_student(chance.randrange(30)))

    evidence(200)
    story.tell(a_policy("average", version=2, effective=story.now.date() + dt.timedelta(days=1) if effective else None))
    evidence(60)
    story.tick()
    evidence(60)
    story.tick(days=1)
    evidence(60)
    story.tick()
    return story


@pytest.mark.parametrize("effective", [False, True], ids=["now", "at the next midnight"])
async def test_everybody_ends_where_a_fold_from_zero_does_and_each_move_is_told_once(stack: Stack, effective: bool) -> None:
    story = a_story(effective=effective)
    async with await postgres.create_pool(stack.fresh_database("mastery"), application="test", size=4) as pool:
        district = District(pool, MasteryView())
        serves = (await district.generation()).generation
        deaths = 0
        for partition in range(PARTITIONS):
            while True:
                worker = Dies(pool, district.view, serves, sweep=4)
                await worker.claim(partition)
                try:
                    await worker.apply(partition, story.entries(partition))
                    break
                except RuntimeError:
                    deaths += 1
        assert deaths > PARTITIONS
        clean = await district.folded(story)
        assert await district.digest(serves) == await district.digest(clean.generation) == await district.scanned(serves)
        told = await moves_to(pool, version=2)
    assert len(told) == len(set(told)) > 30


async def moves_to(pool: postgres.Pool, version: int) -> list[tuple[str, str]]:
    """(student, competency) each time somebody was told to stand under this version who stood under another before."""
    under: dict[tuple[str, str], int | None] = {}
    told = []
    for row in await pool.fetch("SELECT record FROM outbox WHERE type = $1 ORDER BY partition, sequence", MasteryChanged.TYPE):
        event = decode(row["record"])
        assert isinstance(event.data, MasteryChanged)
        for move in event.data.moves:
            key = (str(event.subject), move.competency)
            if move.policy_version == version and under.get(key) not in (None, version):
                told.append(key)
            under[key] = move.policy_version
    return told
