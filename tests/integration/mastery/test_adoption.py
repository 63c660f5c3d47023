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
        changes = await told(pool)
    places = [(subject, cause) for subject, cause, _ in changes]
    assert len(places) == len(set(places)), "a change was told twice"
    by_policy = [subject for subject, _, version in changes if version == 2]
    assert len(set(by_policy)) > 20


async def told(pool: postgres.Pool) -> list[tuple[str, str, int | None]]:
    """Every change that was told: whom it is of, the position that caused it, the policy version of its first move."""
    rows = await pool.fetch("SELECT record FROM outbox WHERE type = $1 ORDER BY partition, sequence", MasteryChanged.TYPE)
    changes = [(event.subject, event.data) for row in rows if isinstance((event := decode(row["record"])).data, MasteryChanged)]
    return [(str(subject), data.cause, data.moves[0].policy_version) for subject, data in changes]
