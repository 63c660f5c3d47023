"""The arithmetic proof, end to end: STAR goes in by the public doors, and API and pages say what the oracle says, pupil by pupil.

One stack for the file: `make run`'s own command seeds it, so what a newcomer sees is tested here too.
"""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from typing import Any

import asyncpg
import httpx
import pytest

from tests.e2e.platform import Platform, a_platform
from tests.oracle import star as oracle

pytestmark = [pytest.mark.stack, pytest.mark.timeout(900)]

SEED_SECONDS = 600
AT_ONCE = 4  # questions in flight
EVERY_NTH_PAGE = 25  # of the pupils' pages; all of their levels are compared over the API


@pytest.fixture(scope="module")
def answer() -> oracle.Answer:
    return oracle.answer(oracle.read_rows(), oracle.read_curriculum())


@pytest.fixture(scope="module")
def platform() -> Iterator[Platform]:
    with a_platform() as platform:
        yield platform


@pytest.fixture(scope="module")
def shown(platform: Platform) -> str:
    """What `cairn seed demo` printed; after it, both seeds are in every view."""
    return platform.cairn("seed", "demo", seconds=SEED_SECONDS)


class Client(threading.local):
    """A connection a thread to one service. Eleven thousand questions are too many for a client with every comfort."""

    def __init__(self, url: str) -> None:
        self._connection = HTTPConnection(url.removeprefix("http://"), timeout=60.0)

    def get(self, path: str) -> tuple[int, Any]:
        """Status and body."""
        self._connection.request("GET", path)
        response = self._connection.getresponse()
        return response.status, json.loads(response.read())


def every(platform: Platform, service: str, paths: Mapping[str, str]) -> dict[str, Any]:
    """The answers to many questions, by their key; None where there is nothing of that name."""
    client = Client(platform.settings[f"CAIRN_{service.upper()}_URL"])
    with ThreadPoolExecutor(AT_ONCE) as threads:
        answers = dict(zip(paths, threads.map(client.get, paths.values()), strict=True))
    assert {status for status, _ in answers.values()} <= {200, 404}
    return {key: body if status == 200 else None for key, (status, body) in answers.items()}


async def pseudonyms(platform: Platform) -> dict[str, str]:
    """The pseudonym of each STAR pupil by her number in the data. Only the vault knows."""
    connection = await asyncpg.connect(platform.settings["CAIRN_EVIDENCE_DATABASE"])
    try:
        rows = await connection.fetch(
            "SELECT value, pseudonym FROM vault.identifiers WHERE scheme = 'sis' AND value LIKE 'star-p%'"
        )
    finally:
        await connection.close()
    return {row["value"].removeprefix("star-p"): row["pseudonym"] for row in rows}


def standings(levels: list[dict[str, Any]]) -> dict[str, tuple[int, int, int]]:
    """Level, hundredths of the value, pieces, by competency."""
    return {each["competency"]: (each["level"], round(each["value"] * 100), each["pieces"]) for each in levels}


def test_the_command_of_make_run_shows_a_student_in_twenty_lines(platform: Platform, shown: str) -> None:
    lines = shown.splitlines()
    assert len(lines) <= 20
    assert lines[0].startswith("star: evidence 48,875 accepted")
    assert any("decaying 65 % of" in line for line in lines)
    [page] = [line.split()[-1] for line in lines if line.startswith("One student")]
    assert httpx.get(page, timeout=60.0).status_code == 200
    for command in [line.split()[1:] for line in lines if line.startswith("  cairn")]:
        platform.cairn(*command)


def test_every_event_of_both_seeds_was_accepted_and_counted(platform: Platform, shown: str) -> None:
    counted = httpx.get(f"{platform.settings['CAIRN_EVIDENCE_URL']}/v1/publishers", timeout=60.0).json()["publishers"]
    by_name = {each["publisher"]: each for each in counted}
    assert by_name["star"] == {
        "publisher": "star",
        "received": 48_875,
        "accepted": 48_875,
        "duplicate": 0,
        "rejected": 0,
        "held": 0,
    }
    for each in counted:
        assert each["received"] == each["accepted"] + each["duplicate"] + each["rejected"] + each["held"]


async def test_every_pupils_levels_are_the_oracles(platform: Platform, shown: str, answer: oracle.Answer) -> None:
    ids = await pseudonyms(platform)
    assert ids.keys() == answer.pupils.keys()
    found = every(platform, "mastery", {pupil: f"/v1/students/{ids[pupil]}" for pupil in answer.pupils})
    told = {pupil: standings(body["levels"]) for pupil, body in found.items() if body is not None}
    expected = {
        pupil: {competency: (each.level, int(each.value * 100), each.pieces) for competency, each in theirs.items()}
        for pupil, theirs in answer.pupils.items()
    }
    assert [pupil for pupil in expected if told.get(pupil, {}) != expected[pupil]] == []


def test_every_schools_counts_are_the_oracles_over_api_and_on_pages(platform: Platform, shown: str, answer: oracle.Answer) -> None:
    api = every(platform, "mastery", {school: f"/v1/schools/star-{school}" for school in answer.schools})
    pages = every(platform, "reporting", {school: f"/schools/star-{school}.json" for school in answer.schools})
    for school, expected in answer.schools.items():
        assert counts(api[school]["competencies"], "students") == expected, school
        assert counts(page_rows(pages[school]), "count") == expected, school


def page_rows(school: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows of a school's page; none where nobody is enrolled."""
    frameworks = [each for each in school["frameworks"] if each["framework"] == "star"]
    return [row for framework in frameworks for axis in framework["axes"] for row in axis["rows"]]


def counts(rows: list[dict[str, Any]], number: str) -> dict[str, Counter[int]]:
    """Pupils by competency and level; those without a level are not counted."""
    told = {row["competency"]: Counter({each["level"]: each[number] for each in row["levels"] if each["level"]}) for row in rows}
    return {competency: +told.get(competency, Counter[int]()) for competency in oracle.COLUMNS}


async def test_the_pages_of_pupils_say_so_too(platform: Platform, shown: str, answer: oracle.Answer) -> None:
    ids = await pseudonyms(platform)
    some = sorted(answer.pupils)[::EVERY_NTH_PAGE]
    found = every(platform, "reporting", {pupil: f"/students/{ids[pupil]}.json" for pupil in some})
    for pupil, body in found.items():
        rows = [row for each in body["frameworks"] for axis in each["axes"] for row in axis["rows"]]
        told = {row["competency"]: row["level"] for row in rows if row["level"]}
        assert told == {competency: each.level for competency, each in answer.pupils[pupil].items()}, pupil


def test_seeding_again_adds_nothing(platform: Platform, shown: str) -> None:
    before = counters(platform)
    again = platform.json("seed", "highschool")
    assert set(again["evidence"]) == set(again["curriculum"]) == {"duplicate"}
    after = counters(platform)
    assert {name: each["accepted"] for name, each in after.items()} == {name: each["accepted"] for name, each in before.items()}


def counters(platform: Platform) -> dict[str, dict[str, Any]]:
    """What became of each publisher's events; the roster's door counts as one."""
    publishers = httpx.get(f"{platform.settings['CAIRN_EVIDENCE_URL']}/v1/publishers", timeout=60.0).json()["publishers"]
    return {each["publisher"]: each for each in publishers}
