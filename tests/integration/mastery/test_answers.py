"""The API and the commands over a folded view: what they answer is what the view holds, and says what it stands for."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from click.testing import CliRunner

from services.chassis import postgres
from services.mastery.app import create_api
from services.mastery.cli import mastery
from services.mastery.domain import Student
from services.mastery.handlers import MasteryView
from services.mastery.settings import MasterySettings
from tests.integration.mastery.district import PARTITIONS, District, a_term
from tests.stack import Stack
from tests.story import a_student

pytestmark = pytest.mark.stack

STORY = a_term(students=12, pieces=250)
# The last event is a tick, which every partition has.
HEAD = STORY.position - 1


@pytest.fixture(scope="module")
async def dsn(stack: Stack) -> AsyncIterator[str]:
    dsn = stack.fresh_database("mastery")
    async with await postgres.create_pool(dsn, application="test", size=4) as pool:
        await District(pool, MasteryView()).folded(STORY)
    yield dsn


@pytest.fixture(scope="module")
async def students(dsn: str) -> dict[str, Student]:
    async with await postgres.create_pool(dsn, application="test", size=1) as pool:
        return await District(pool, MasteryView()).students(1)


@pytest.fixture(scope="module")
async def api(dsn: str) -> AsyncIterator[httpx.AsyncClient]:
    app = create_api(MasterySettings(CAIRN_MASTERY_DATABASE=dsn))
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://mastery") as client:
            yield client


async def get(api: httpx.AsyncClient, path: str) -> Any:
    answer = await api.get(path)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_a_students_levels_are_those_of_the_view(api: httpx.AsyncClient, students: dict[str, Student]) -> None:
    for who, student in students.items():
        answer = await get(api, f"/v1/students/{who}")
        assert (answer["school"], answer["enrolled"]) == (student.school, student.counted_at is not None)
        found = {(each["framework"], each["competency"]): each for each in answer["levels"]}
        assert found.keys() == student.standings.keys()
        for key, standing in student.standings.items():
            level = found[key]
            assert (level["level"], level["reason"], level["pieces"]) == (standing.level, standing.reason, standing.tally.n)
            assert level["value"] == (None if standing.value is None else standing.value / 1000)
            assert (level["policy"], level["policy_position"]) == (standing.policy, standing.rule)
            assert level["label"] == f"Can do {key[1]}"
        assert answer["as_known"]["position"] == HEAD
        assert answer["as_known"]["time"] and answer["as_known"]["generation"] == 1


async def test_a_level_rests_on_evidence_that_adds_up_to_it(api: httpx.AsyncClient, students: dict[str, Student]) -> None:
    for who, student in students.items():
        for framework, competency in student.standings:
            answer = await get(api, f"/v1/students/{who}/competencies/{framework}/{competency}")
            pieces = [piece for piece in student.pieces if piece.competency == competency]
            assert sorted(piece["position"] for piece in answer["evidence"]) == [piece.position for piece in pieces]
            counted = [piece for piece in answer["evidence"] if piece["counted"]]
            assert len(counted) == answer["standing"]["pieces"]
            if (value := answer["standing"]["value"]) is not None:
                assert round(abs(counted[-1]["value"] - value), 9) <= 0.005
                assert answer["reading"].endswith(f"level {answer['standing']['level']}") or answer["standing"]["level"] is None
            if answer["policy"]["order"] == "occurred":
                assert [piece["time"] for piece in counted] == sorted(piece["time"] for piece in counted)


async def test_counts_of_a_school_and_of_a_competency_are_those_of_its_students(
    api: httpx.AsyncClient, students: dict[str, Student]
) -> None:
    for school in ("HS1", "HS2"):
        answer = await get(api, f"/v1/schools/{school}")
        here = [student for student in students.values() if student.counted_at == school]
        assert answer["students"] == len(here)
        for each in answer["competencies"]:
            key = each["framework"], each["competency"]
            levels = Counter(student.standings[key].level for student in here if key in student.standings)
            assert {count["level"]: count["students"] for count in each["levels"]} == levels
            across = await get(api, f"/v1/competencies/{each['framework']}/{each['competency']}")
            (same,) = [found for found in across["schools"] if found["school"] == school]
            assert same["levels"] == each["levels"]


async def test_the_standing_says_how_far_each_partition_is(api: httpx.AsyncClient) -> None:
    answer = await get(api, "/v1/standing")
    assert answer["inputs"] == ["evidence.log"]
    assert [each["next"] for each in answer["partitions"]] == [[len(STORY.entries(partition))] for partition in range(PARTITIONS)]
    assert (answer["parked"], answer["as_known"]["position"]) == (0, HEAD)


@pytest.mark.parametrize(
    ("path", "code"),
    [
        (f"/v1/students/{a_student(999)}", "unknown-student"),
        (f"/v1/students/{a_student(0)}/competencies/math/NONE", "no-evidence"),
        ("/v1/schools/NOWHERE", "unknown-school"),
        ("/v1/competencies/math/NONE", "unknown-competency"),
    ],
)
async def test_what_nothing_is_known_of_is_a_404_problem(api: httpx.AsyncClient, path: str, code: str) -> None:
    answer = await api.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
    assert answer.json()["code"] == code


@pytest.mark.parametrize("path", ["/v1/students/Ada", "/v1/schools/%20", "/v1/students/s-1/competencies/a/b"])
async def test_an_address_that_is_none_is_a_422_problem_without_what_was_sent(api: httpx.AsyncClient, path: str) -> None:
    answer = await api.get(path)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid-field")
    assert "Ada" not in answer.text


async def test_it_is_ready_when_the_view_can_be_read(api: httpx.AsyncClient) -> None:
    assert (await api.get("/readyz")).status_code == 200


def run(dsn: str, *arguments: str) -> str:
    result = CliRunner(env={"CAIRN_MASTERY_DATABASE": dsn}).invoke(mastery, arguments)
    assert result.exit_code == 0, result.output
    return result.output


async def test_the_commands_say_what_the_api_says(api: httpx.AsyncClient, dsn: str, students: dict[str, Student]) -> None:
    who = a_student(0)
    framework, competency = min(students[who].standings)
    for arguments, path in (
        (("student", who), f"/v1/students/{who}"),
        (("explain", who, framework, competency), f"/v1/students/{who}/competencies/{framework}/{competency}"),
        (("school", "HS1"), "/v1/schools/HS1"),
    ):
        printed = await asyncio.to_thread(run, dsn, *arguments, "--json")
        assert json.loads(printed) == await get(api, path)
        table = await asyncio.to_thread(run, dsn, *arguments)
        assert "As known at position" in table and competency in table


async def test_verify_finds_the_digests_equal(dsn: str) -> None:
    rows = json.loads(await asyncio.to_thread(run, dsn, "verify", "--json"))
    assert [row["equal"] for row in rows] == [True] * PARTITIONS
