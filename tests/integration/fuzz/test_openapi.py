"""A fuzz driven by each service's own OpenAPI document finds no answer of 500 or more, and no service that has stopped.

More than 2,000 questions in all; under `make soak` ten times as many.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from services.chassis import postgres
from services.mastery.handlers import MasteryView
from tests.integration.evidence.gateway import a_gateway, an_event, over_http
from tests.integration.fuzz.fuzzing import fuzz
from tests.integration.mastery.district import COMPETENCIES, District
from tests.integration.mastery.test_answers import STORY
from tests.integration.reporting.served import pages_of
from tests.integration.reporting.town import a_town
from tests.integration.scheduling.highschool import SCHOOL, WEEK, a_house
from tests.integration.scheduling.test_answers import TERM
from tests.stack import Stack

pytestmark = [pytest.mark.stack, pytest.mark.timeout(1200)]

LEAST = 500  # questions a service

amounts = pytest.mark.parametrize("times", [pytest.param(1, id="some"), pytest.param(10, id="many", marks=pytest.mark.soak)])


async def stands_up_to(url: str, each: int, known: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> None:
    """Fuzz a service; it answers as well after it as before."""
    found = await fuzz(url, each=each, headers=headers, known=known)
    assert found.failures == []
    assert found.asked.total() >= LEAST, found.asked
    async with httpx.AsyncClient(base_url=url, timeout=30) as client:
        ready = await client.get("/readyz")
    assert ready.status_code == 200, ready.text


@amounts
async def test_evidence(stack: Stack, times: int) -> None:
    async with a_gateway(stack) as gateway, over_http(gateway) as url:
        headers = {"authorization": f"Bearer {gateway.keys['algebra']}"}
        await gateway.send(an_event("e-1"))
        await stands_up_to(url, 46 * times, headers=headers, known={"id": "e-1"})
        answer = await gateway.send(an_event("after it all"))
        assert answer.status_code == 201
        received, *outcomes = await gateway.counts()
        assert received == sum(outcomes)


@asynccontextmanager
async def mastery_of(stack: Stack) -> AsyncIterator[tuple[str, str]]:
    """Mastery over a folded term, and a student of it."""
    dsn = stack.fresh_database("mastery")
    async with await postgres.create_pool(dsn, application="test", size=4) as pool:
        district = District(pool, MasteryView())
        await district.folded(STORY)
        student = next(iter(await district.students(1)))
    with stack.cairn("mastery", "serve", environment={"CAIRN_MODE": "local", "CAIRN_MASTERY_DATABASE": dsn}) as mastery:
        yield mastery.url, student


@amounts
async def test_mastery(stack: Stack, times: int) -> None:
    async with mastery_of(stack) as (url, student):
        known = {"student": student, "framework": "math", "competency": COMPETENCIES[0], "school": "HS1"}
        await stands_up_to(url, 44 * times, known)


@amounts
async def test_scheduling(stack: Stack, times: int) -> None:
    async with a_house(stack) as house:
        await house.fold(TERM)
        environment = {"CAIRN_MODE": "local", "CAIRN_SCHEDULING_DATABASE": house.dsn}
        with stack.cairn("scheduling", "serve", environment=environment) as scheduling:
            await stands_up_to(scheduling.url, 40 * times, known={"school": SCHOOL, "week": WEEK})


@amounts
async def test_reporting(stack: Stack, times: int) -> None:
    async with pages_of(stack, a_town(students=40)) as served:
        await stands_up_to(served.url, 34 * times, known={"school": "HS1", "framework": "hs"})
