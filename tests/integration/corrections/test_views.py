"""A log with every kind of error, each put right, means to every view what a log without them means. Real Postgres, real engine."""

from __future__ import annotations

import random

import pytest

from services.chassis.projection.digest import Digest
from services.mastery.handlers import MasteryView
from services.reporting.handlers import Reports
from tests.errors import PEOPLE, Submission, told_clean, told_with_errors
from tests.integration.corrections.views import PARTITIONS, databases, folded, interleaved, meanings, told
from tests.stack import Stack

pytestmark = pytest.mark.stack


def submissions(chance: random.Random, pieces: int = 40) -> list[Submission]:
    """Pieces of a few seconds, so that ties and late ones are common."""
    numbers = [(chance.randrange(PEOPLE), chance.randrange(9), chance.randrange(2), chance.randrange(12)) for _ in range(pieces)]
    return [Submission(*each, chance.choice([None, None, 1, 2])) for each in numbers]


@pytest.mark.parametrize(("seed", "order"), [(1, "occurred"), (2, "recorded")])
async def test_errors_that_are_put_right_leave_no_mark_in_any_view(stack: Stack, seed: int, order: str) -> None:
    pieces = submissions(random.Random(seed))
    clean = await meanings(stack, told_clean(pieces, PARTITIONS, order), random.Random(seed))
    mended = await meanings(stack, told_with_errors(pieces, random.Random(seed), PARTITIONS, order), random.Random(seed + 1))
    assert mended == clean


async def test_the_control_an_error_that_is_not_put_right_is_seen_by_every_view(stack: Stack) -> None:
    pieces = submissions(random.Random(4))
    clean = await meanings(stack, told_clean(pieces, PARTITIONS), random.Random(4))
    wrong = [pieces[0]._replace(halves=pieces[0].halves + 4, competency=1 - pieces[0].competency), *pieces[1:]]
    found = await meanings(stack, told_clean(wrong, PARTITIONS), random.Random(4))
    assert all(found[name] != clean[name] for name in clean)


async def test_row_at_a_time_in_batches_or_from_zero_corrections_give_the_same_exact_digest(stack: Stack) -> None:
    story = told_with_errors(submissions(random.Random(5), 30), random.Random(5), PARTITIONS)
    async with databases(stack) as pools:
        log = [story.entries(partition) for partition in range(PARTITIONS)]
        digests = {await folded(pools["mastery"], MasteryView(), log, size) for size in (10_000, 1, 7)}
        assert len(digests) == 1
        changes = [await told(pools["mastery"], partition) for partition in range(PARTITIONS)]
        same: set[Digest] = set()
        for size in (10_000, 1, 7):
            both = [interleaved(random.Random(size), *pair) for pair in zip(log, changes, strict=True)]
            same.add(await folded(pools["reporting"], Reports(), both, size))
        assert len(same) == 1
