"""Mastery's view on real Postgres, folded by the engine: any batching, the same bits; the scan, the counts and the outbox agree."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator

import pytest

from services.chassis import postgres
from services.chassis.projection.serving import schema_of
from services.mastery.domain import Student
from services.mastery.handlers import MasteryView
from tests.integration.mastery.district import District, a_term, apply_all
from tests.stack import Stack
from tests.story import BEGINNING, Story, a_student
from tests.unit.mastery.events import an_evidence_submitted
from tests.unit.mastery.folding import Folded

pytestmark = pytest.mark.stack


@pytest.fixture
async def district(stack: Stack) -> AsyncIterator[District]:
    async with await postgres.create_pool(stack.fresh_database("mastery"), application="test", size=4) as pool:
        yield District(pool, MasteryView())


@pytest.fixture(scope="module")
def term() -> Story:
    return a_term()


async def test_row_at_a_time_any_batching_and_any_sweep_give_the_same_exact_digest(district: District, term: Story) -> None:
    whole = await district.folded(term)
    rows = await district.folded(term, size=1)
    parts = await district.folded(term, size=37, sweep=5)
    digests = {await district.digest(each.generation) for each in (whole, rows, parts)}
    assert len(digests) == 1
    assert whole.parked == rows.parked == parts.parked == 0


async def test_a_scan_of_the_rows_agrees_with_the_kept_digest(district: District, term: Story) -> None:
    applier = await district.folded(term, size=50)
    assert await district.scanned(applier.generation) == await district.digest(applier.generation)


@pytest.mark.parametrize(
    "harm",
    [
        "UPDATE {0}.students SET levels[1] = 1 + coalesce(levels[1], 0) WHERE student = (SELECT min(student) FROM {0}.students)",
        "UPDATE {0}.students SET tally_x[1] = tally_x[1] + 1 WHERE student = (SELECT min(student) FROM {0}.students)",
        "DELETE FROM {0}.pieces WHERE first = (SELECT min(first) FROM {0}.pieces)",
        "UPDATE {0}.school_levels SET students = students + 1 WHERE students = (SELECT max(students) FROM {0}.school_levels)",
    ],
)
async def test_the_control_a_scan_sees_a_level_a_tally_a_piece_or_a_count_that_was_changed(district: District, harm: str) -> None:
    applier = await district.folded(a_term(students=4, pieces=40))
    async with district.pool.acquire() as connection:
        await connection.execute(harm.format(schema_of("mastery", applier.generation)))
    assert await district.scanned(applier.generation) != await district.digest(applier.generation)


async def test_the_view_is_what_the_fold_in_memory_gives(district: District, term: Story) -> None:
    applier = await district.folded(term, size=100)
    found = await district.students(applier.generation)
    expected: dict[str, Student] = {}
    for partition in range(2):
        expected |= Folded(term.entries(partition)).students
    assert found.keys() == expected.keys()
    for who, student in expected.items():
        assert found[who].enrolment == student.enrolment
        assert found[who].standings == student.standings
        assert found[who].pieces == student.pieces


async def test_folding_the_outbox_gives_every_level_of_the_view(district: District, term: Story) -> None:
    applier = await district.folded(term, size=20)
    told = await district.told()
    standings = {
        (who, *key): standing
        for who, student in (await district.students(applier.generation)).items()
        for key, standing in student.standings.items()
    }
    assert told.keys() == standings.keys()
    for key, standing in standings.items():
        move = told[key]
        assert (move.level, move.value_thousandths, move.reason) == (standing.level, standing.value, standing.reason)
        assert (move.policy, move.policy_version) == (standing.policy, standing.version)


async def test_counts_of_schools_are_those_of_the_students_enrolled_there(district: District, term: Story) -> None:
    applier = await district.folded(term, size=20)
    async with district.pool.acquire() as connection:
        rows = await connection.fetch(
            "SELECT school, framework, competency, level, sum(students) AS students"
            f" FROM {schema_of('mastery', applier.generation)}.school_levels GROUP BY 1, 2, 3, 4 HAVING sum(students) <> 0"
        )
    counted = Counter(
        (student.counted_at, *key, -1 if standing.level is None else standing.level)
        for student in (await district.students(applier.generation)).values()
        if student.counted_at
        for key, standing in student.standings.items()
    )
    assert {(row["school"], row["framework"], row["competency"], row["level"]): row["students"] for row in rows} == counted


async def test_entries_that_come_again_change_nothing(district: District, term: Story) -> None:
    clean = await district.folded(term)
    twice = await district.folded(term, size=60)
    await apply_all(twice, term, 90)
    assert await district.digest(twice.generation) == await district.digest(clean.generation)


async def test_appending_reads_no_old_piece_and_a_late_one_reads_its_students_only(district: District) -> None:
    """With the evidence gone, appending gives what it gives with it; a late piece does not, which is the control."""
    on_time, late = a_term(students=3, pieces=60), a_term(students=3, pieces=60)
    on_time.tell(an_evidence_submitted(4.0), student=a_student(0))
    late.tell(an_evidence_submitted(4.0), student=a_student(0), time=BEGINNING)
    for story, same in ((on_time, True), (late, False)):
        whole, robbed = await district.folded(story), await district.generation()
        for partition in range(2):
            entries = story.entries(partition)
            await robbed.apply(partition, entries[:-1])
            async with district.pool.acquire() as connection:
                await connection.execute(f"DELETE FROM {schema_of('mastery', robbed.generation)}.pieces")
            await robbed.apply(partition, entries[-1:])
        expected, found = [await district.students(each.generation) for each in (whole, robbed)]
        assert (found[a_student(0)].standings == expected[a_student(0)].standings) is same
