"""Corrections over the API, as known before and after; and an assessor revoked, while a worker dies after every step."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from contracts.events import EvidenceCarried
from services.chassis import postgres
from services.chassis.postgres import Pool
from services.mastery.app import create_api
from services.mastery.handlers import MasteryView
from services.mastery.settings import MasterySettings
from tests.histories import History
from tests.integration.mastery.district import PARTITIONS, District
from tests.integration.mastery.test_adoption import Dies, told
from tests.stack import Stack
from tests.story import Story, a_student
from tests.unit.mastery.events import FIRST, TEACHER, a_policy, a_scale, an_evidence_submitted, at, enrolled

pytestmark = pytest.mark.stack

ADA, BEN = 0, 1


def a_history() -> History:
    history = History(Story(PARTITIONS))
    history.story.tick(days=40)
    history.story.tell(a_scale())
    history.story.tell(a_policy("average"))
    return history


async def ask(dsn: str, path: str) -> Any:
    app = create_api(MasterySettings(CAIRN_MASTERY_DATABASE=dsn))
    client = httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://mastery")
    async with app.router.lifespan_context(app), client:
        answer = await client.get(path)
    return answer.json() | {"http": answer.status_code}


async def test_a_correction_and_a_merge_are_known_from_their_positions_on(stack: Stack) -> None:
    history = a_history()
    history.story.tell(enrolled("HS1", FIRST), student=a_student(ADA))
    wrong = history.submit(ADA, an_evidence_submitted(1.0), time=at(1))
    right = history.supersede(wrong, an_evidence_submitted(3.0), time=at(1))
    history.submit(BEN, an_evidence_submitted(4.0), time=at(2))
    history.submit(ADA, EvidenceCarried(framework="math", competency="MA.2", level=2, scale="d4"))
    history.merge(ADA, BEN)
    merged = history.story.position - 1
    history.story.tick()
    dsn = stack.fresh_database("mastery")
    async with await postgres.create_pool(dsn, application="test", size=4) as pool:
        await District(pool, MasteryView()).folded(history.story)

    def of(student: int, position: int | None) -> str:
        return f"/v1/students/{a_student(student)}" + ("" if position is None else f"?known_at={position}")

    for position, value in ((right - 1, 1.0), (right, 3.0), (merged - 1, 3.0), (merged, 3.5), (None, 3.5)):
        answer = await ask(dsn, of(ADA, position))
        assert {each["competency"]: each["value"] for each in answer["levels"]}["MA.1"] == value
        assert answer["as_known"]["position"] == (history.story.position - 1 if position is None else position)
    assert [each["carried"] for each in answer["levels"]] == [False, True]
    before, after = await ask(dsn, of(BEN, merged - 1)), await ask(dsn, of(BEN, None))
    assert (before["merged_into"], [each["level"] for each in before["levels"]]) == (None, [4])
    assert (after["merged_into"], after["levels"]) == (a_student(ADA), [])
    explained = await ask(dsn, f"/v1/students/{a_student(ADA)}/competencies/math/MA.1?known_at={merged - 1}")
    assert [(each["score"], each["reason"]) for each in explained["evidence"]] == [(1.0, "superseded"), (3.0, None)]
    unknown = await ask(dsn, of(ADA, history.story.position))
    assert (unknown["http"], unknown["code"]) == (404, "not-known-yet")


async def test_an_assessor_is_revoked_and_reinstated_in_place_whatever_dies_meanwhile(stack: Stack) -> None:
    history = a_history()
    for number in range(60):
        assessor = TEACHER if number % 2 else None
        history.submit(number % 20, an_evidence_submitted(number % 9 / 2, assessor=assessor), time=at(number))
    history.revoke(TEACHER, at(10))
    for number in range(40):
        history.submit(number % 20, an_evidence_submitted(2.0, assessor=TEACHER), time=at(number))
    history.reinstate(TEACHER)
    history.revoke(TEACHER, at(30))
    history.story.tick()
    async with await postgres.create_pool(stack.fresh_database("mastery"), application="test", size=4) as pool:
        district = District(pool, MasteryView())
        serves = (await district.generation()).generation
        assert await killed(pool, district, serves, history.story) > PARTITIONS
        clean = await district.folded(history.story)
        assert await district.digest(serves) == await district.digest(clean.generation) == await district.scanned(serves)
        places = [(subject, cause) for subject, cause, _ in await told(pool)]
        assert len(places) == len(set(places)), "a change was told twice"


async def killed(pool: Pool, district: District, generation: int, story: Story) -> int:
    """Fold a story with workers that die after each step of a sweep; how many did."""
    deaths = 0
    for partition in range(PARTITIONS):
        while True:
            worker = Dies(pool, district.view, generation, sweep=2)
            await worker.claim(partition)
            try:
                await worker.apply(partition, story.entries(partition))
                break
            except RuntimeError:
                deaths += 1
    return deaths
