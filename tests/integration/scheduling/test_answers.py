"""The API and the commands: they plan and answer what the view and the plans hold, and say what it stands for."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from click.testing import CliRunner, Result

from services.scheduling.app import create_api
from services.scheduling.cli import scheduling
from services.scheduling.settings import SchedulingSettings
from tests.integration.scheduling.highschool import PARTITIONS, SCHOOL, WEEK, House, a_house, a_term
from tests.stack import Stack
from tests.story import a_student

pytestmark = pytest.mark.stack

TERM = a_term()
# The last event of the log is a tick, which every partition has.
HEAD = TERM.log.position - 1


@pytest.fixture
async def house(stack: Stack) -> AsyncIterator[House]:
    async with a_house(stack) as house:
        await house.fold(TERM)
        yield house


@asynccontextmanager
async def serving(house: House) -> AsyncIterator[httpx.AsyncClient]:
    """The API over a house's database, as its own process would open it."""
    app = create_api(SchedulingSettings(mode="local", CAIRN_SCHEDULING_DATABASE=house.dsn))
    transport = httpx.ASGITransport(app=app)
    async with app.router.lifespan_context(app), httpx.AsyncClient(transport=transport, base_url="http://scheduling") as client:
        yield client


@pytest.fixture
async def api(house: House) -> AsyncIterator[httpx.AsyncClient]:
    async with serving(house) as client:
        yield client


async def plan(api: httpx.AsyncClient, **body: Any) -> httpx.Response:
    return await api.post("/v1/plans", json={"school": SCHOOL, "week": WEEK} | body)


async def get(api: httpx.AsyncClient, path: str) -> Any:
    answer = await api.get(path)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_a_plan_is_made_once_and_read_by_any_of_its_days(api: httpx.AsyncClient) -> None:
    first, again = await plan(api), await plan(api, week="2026-10-09")
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json()
    for week in (WEEK, "2026-10-05", "2026-10-11"):
        assert await get(api, f"/v1/plans/{SCHOOL}/{week}") == first.json()
    body = first.json()
    assert (body["school"], body["week"], body["monday"], body["revision"]) == (SCHOOL, WEEK, "2026-10-05", 1)
    assert body["input"] == body["as_known"]["position"] == HEAD
    assert len(body["seats"]) + len(body["unseated"]) == 5 * 12
    assert {each["reason"] for each in body["unseated"]} <= {"class-meets", "no-need", "no-section", "no-capacity"}


async def test_a_students_seats_are_her_part_of_the_plan(api: httpx.AsyncClient) -> None:
    body = (await plan(api)).json()
    for number in range(12):
        found = await get(api, f"/v1/students/{a_student(number)}/seats?week={WEEK}")
        for part in ("seats", "unseated"):
            assert found[part] == [each for each in body[part] if each["student"] == a_student(number)]


async def test_needs_are_counted_by_competency_and_listed_by_student(api: httpx.AsyncClient) -> None:
    found = await get(api, f"/v1/needs/{SCHOOL}?limit=49")
    assert found["as_known"]["position"] == HEAD
    listed = [need for student in found["students"] for need in student["needs"]]
    students, weights = Counter(need["competency"] for need in listed), Counter[str]()
    for need in listed:
        weights[need["competency"]] += need["weight"]
    assert {each["competency"]: each["students"] for each in found["competencies"]} == students
    assert {each["competency"]: each["weight"] for each in found["competencies"]} == weights
    assert students["A"] == 9  # three of twelve stand at the top of it
    assert all(len(student["needs"]) <= 1 for student in (await get(api, f"/v1/needs/{SCHOOL}?limit=1"))["students"])


async def test_the_standing_says_how_far_each_partition_is(api: httpx.AsyncClient) -> None:
    answer = await get(api, "/v1/standing")
    assert answer["inputs"] == ["evidence.log", "mastery.changes"]
    expected = [[len(TERM.of_log(partition)), len(TERM.of_mastery(partition))] for partition in range(PARTITIONS)]
    assert [each["next"] for each in answer["partitions"]] == expected
    assert (answer["view"], answer["parked"]) == ("scheduling", 0)


@pytest.mark.parametrize(
    ("body", "status", "code", "pointer"),
    [
        ({"week": "2026-W60"}, 422, "no-week", "/week"),
        ({"week": 41}, 422, "invalid-field", "/week"),
        ({"school": "NOWHERE"}, 404, "unknown-school", None),
        ({"school": "with space"}, 422, "invalid-field", "/school"),
        ({"dry": True}, 422, "invalid-field", None),  # the name of an unknown field is the sender's own words
    ],
)
async def test_what_cannot_be_planned_is_a_problem_that_says_why(
    api: httpx.AsyncClient, body: dict[str, Any], status: int, code: str, pointer: str | None
) -> None:
    answer = await plan(api, **body)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert (answer.json()["code"], answer.json().get("pointer")) == (code, pointer)


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        (f"/v1/plans/{SCHOOL}/2026-W42", 404, "no-plan"),
        (f"/v1/plans/{SCHOOL}/soon", 422, "no-week"),
        (f"/v1/students/{a_student(999)}/seats", 404, "unknown-student"),
        ("/v1/students/somebody/seats", 422, "invalid-field"),
        ("/v1/needs/NOWHERE", 404, "unknown-school"),
    ],
)
async def test_what_is_not_there_is_a_problem(api: httpx.AsyncClient, path: str, status: int, code: str) -> None:
    answer = await api.get(path)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_a_consumer_that_found_a_gap_may_ask_for_what_was_said_again(api: httpx.AsyncClient, house: House) -> None:
    answer = await api.post("/v1/log/republish", json={"partition": 1, "sequence": 3})
    assert answer.status_code == 202
    row = await house.pool.fetchrow("SELECT log, partition, sequence FROM republications")
    assert row and tuple(row) == ("schedule.changes", 1, 3)


async def test_an_api_without_a_view_is_alive_and_not_ready(stack: Stack) -> None:
    async with a_house(stack) as empty, serving(empty) as client:
        assert (await client.get("/healthz")).status_code == 200
        unready = await client.get("/readyz")
        assert unready.status_code == 503
        assert "cairn" in unready.json()["checks"]["view"]
        await empty.fold(TERM)
        assert (await client.get("/readyz")).status_code == 200


# Commands. Each opens a loop of its own, as in a process of its own.


async def command(house: House, *arguments: str) -> Result:
    runner = CliRunner(env={"CAIRN_SCHEDULING_DATABASE": house.dsn})
    return await asyncio.to_thread(runner.invoke, scheduling, arguments)


async def test_a_dry_run_shows_the_plan_and_leaves_nothing_behind(house: House) -> None:
    tried = await command(house, "plan", SCHOOL, "--week", WEEK, "--dry-run", "--json")
    assert tried.exit_code == 0, tried.output
    assert await house.seats_kept() == {}
    assert await house.said_by_type() == {}
    made = await command(house, "plan", SCHOOL, "--week", WEEK, "--json")
    draft, plan = json.loads(tried.output), json.loads(made.output)
    assert (draft.pop("plan"), draft.pop("revision")) == (None, None)
    assert plan.pop("plan") and plan.pop("revision") == 1
    assert draft == plan


async def test_the_commands_say_what_the_api_says(house: House, api: httpx.AsyncClient) -> None:
    made = await command(house, "plan", SCHOOL, "--week", WEEK, "--json")
    assert json.loads(made.output) == await get(api, f"/v1/plans/{SCHOOL}/{WEEK}")
    for arguments, path in (
        (("show", SCHOOL, "--week", WEEK), f"/v1/plans/{SCHOOL}/{WEEK}"),
        (("seats", a_student(1)), f"/v1/students/{a_student(1)}/seats"),
        (("needs", SCHOOL), f"/v1/needs/{SCHOOL}"),
    ):
        assert json.loads((await command(house, *arguments, "--json")).output) == await get(api, path)


async def test_a_person_reads_what_happened_in_a_few_lines(house: House) -> None:
    first = await command(house, "plan", SCHOOL, "--week", WEEK)
    assert f"{SCHOOL} {WEEK}: published. 25 seats" in first.output
    assert "no-capacity" in first.output
    again = await command(house, "plan", SCHOOL, "--week", WEEK)
    assert "in force already" in again.output
    seats = await command(house, "seats", a_student(0))
    assert len(seats.output.strip().splitlines()) == 1 + 5
    needs = await command(house, "needs", SCHOOL)
    assert needs.output.split()[:2] == ["framework", "competency"]


async def test_the_views_digests_can_be_verified_by_command(house: House) -> None:
    verified = await command(house, "verify", "--json")
    assert verified.exit_code == 0, verified.output
    assert [row["equal"] for row in json.loads(verified.output)] == [True] * PARTITIONS
