"""The pages over HTTP, as they run: numbers, names, what they stand for, what they refuse, what nobody may keep."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from html import unescape
from typing import Any

import httpx
import pytest

from tests.integration.reporting.evidence_stand_in import FAMILY, name_of
from tests.integration.reporting.served import Served, pages_of
from tests.integration.reporting.town import CODES, TEACHER, WEEK, a_town
from tests.stack import Stack
from tests.story import a_student

pytestmark = [pytest.mark.stack, pytest.mark.timeout(180)]

STUDENT = a_student(4)
PAGES = {
    "/": "/district.json",
    "/?framework=": "/district.json?framework=",
    "/?q=harbor": "/district.json?q=harbor",
    "/schools/HS1": "/schools/HS1.json",
    "/schools/HS1/students": "/schools/HS1/students.json",
    "/schools/HS1/week": "/schools/HS1/week.json",
    f"/students/{STUDENT}": f"/students/{STUDENT}.json",
    f"/students/{STUDENT}/competencies/hs/C.1": f"/students/{STUDENT}/competencies/hs/C.1.json",
    "/operations": "/operations.json",
}


@pytest.fixture(scope="module")
async def served(stack: Stack) -> AsyncIterator[Served]:
    async with pages_of(stack, a_town(students=80)) as served:
        yield served


@pytest.fixture
async def browser(served: Served) -> AsyncIterator[httpx.AsyncClient]:
    served.evidence.away = False
    async with httpx.AsyncClient(base_url=served.url, headers={"accept": "text/html"}, timeout=30) as client:
        yield client


async def text_of(browser: httpx.AsyncClient, address: str) -> str:
    response = await browser.get(address)
    assert response.status_code == 200, address
    return unescape(response.text)


async def json_of(browser: httpx.AsyncClient, address: str) -> Any:
    response = await browser.get(address)
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/json"
    return response.json()


@pytest.mark.parametrize("page", PAGES)
async def test_every_page_says_what_it_stands_for_and_is_the_same_as_json(browser: httpx.AsyncClient, page: str) -> None:
    told = await json_of(browser, PAGES[page])
    text = await text_of(browser, page)
    assert told["as_known"].keys() == {"position", "time", "generation"}
    assert f"log position <b>{told['as_known']['position']:,}</b>" in text
    assert f'<time datetime="{told["as_known"]["time"].replace("Z", "+00:00")}">' in text
    assert "<script" not in text
    asked_for = await browser.get(page, headers={"accept": "application/json"})
    without_order = sorted if page.endswith("/students") else list
    assert without_order(map(str, _rows(asked_for.json()))) == without_order(map(str, _rows(told)))


def _rows(told: Any) -> list[Any]:
    """What a page tells, without its pagination (by name on a page, by pseudonym in JSON) on the roll."""
    return list(told.items()) if "rows" not in told else [told["pagination"]["total"], told["as_known"]]


@pytest.mark.parametrize("page", PAGES)
async def test_no_cache_keeps_a_page_and_nothing_runs_or_frames_it(browser: httpx.AsyncClient, page: str) -> None:
    for address in (page, PAGES[page]):
        headers = (await browser.get(address)).headers
        assert headers["cache-control"] == "no-store"
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "script" not in headers["content-security-policy"]
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"


async def test_a_schools_matrix_is_what_was_told(served: Served, browser: httpx.AsyncClient) -> None:
    for school in ("HS1", "HS2"):
        told = await json_of(browser, f"/schools/{school}.json")
        rows = [row for axis in told["frameworks"][0]["axes"] for row in axis["rows"]]
        found = {
            (row["competency"], it["level"]): it["count"] for row in rows for it in row["levels"] if it["level"] and it["count"]
        }
        assert found == served.town.counts(school)
        assert all(sum(it["count"] for it in row["levels"]) == told["students"] for row in rows)
        text = await text_of(browser, f"/schools/{school}")
        for row in rows:
            cells = re.search(rf"<small>{row['competency']}</small>.*?</tr>", text, re.DOTALL)
            assert cells is not None
            shown = [int(cell) for cell in re.findall(r'<td class="n tint-\d+">(\d+)</td>', cells.group())]
            assert shown == [it["count"] for it in row["levels"]]


async def test_the_district_lists_its_schools_by_level(served: Served, browser: httpx.AsyncClient) -> None:
    told = await json_of(browser, "/district.json")
    assert (told["students"], told["schools"], told["pieces"]) == (80, 2, sum(served.town.pieces.values()))
    for row in told["rows"]:
        assert sum(it["count"] for it in row["levels"]) == sum(served.town.counts(row["school"]).values())


async def test_a_school_is_found_by_part_of_its_name_or_code(browser: httpx.AsyncClient) -> None:
    for search, found in {"harbor": ["HS1"], "hs2": ["HS2"], "h": ["HS1", "HS2"], "nowhere": [], "100%": []}.items():
        told = await json_of(browser, f"/district.json?q={search.replace('%', '%25')}")
        assert [row["school"] for row in told["rows"]] == found


async def test_a_roll_is_in_order_of_name_on_its_page_and_holds_no_name_in_json(browser: httpx.AsyncClient) -> None:
    text = await text_of(browser, "/schools/HS1/students")
    listed = re.findall(r'<a href="/students/[^"]+">([^<]+)</a>', text)
    assert len(listed) == 50
    assert listed == sorted(listed, key=str.casefold)
    assert "Page 1 of 2" in text
    second = await text_of(browser, "/schools/HS1/students?page=2")
    rest = re.findall(r'<a href="/students/([^"]+)">', second)
    told = await json_of(browser, "/schools/HS1/students.json?page=2")
    assert len(rest) == len(told["rows"]) == told["pagination"]["total"] - 50


@pytest.mark.parametrize("page", PAGES)
async def test_no_json_holds_a_name(browser: httpx.AsyncClient, page: str) -> None:
    told = (await browser.get(PAGES[page])).text
    assert not any(name in told for name in (*FAMILY, "Adeyemi"))


async def test_names_are_pseudonyms_and_a_note_while_the_vault_is_away(served: Served, browser: httpx.AsyncClient) -> None:
    here = await text_of(browser, f"/students/{STUDENT}")
    assert " ".join(name_of(STUDENT)) in here
    assert "Names are away" not in here
    served.evidence.away = True
    for page, person in ((f"/students/{STUDENT}", STUDENT), ("/schools/HS1/students", "s-0"), ("/schools/HS1/week", TEACHER)):
        text = await text_of(browser, page)
        assert "Names are away" in text
        assert person in text


async def test_a_level_is_explained_by_mastery_down_to_its_evidence(served: Served, browser: httpx.AsyncClient) -> None:
    competency = next(code for code, level in served.town.levels[STUDENT].items() if level)
    told = await json_of(browser, f"/students/{STUDENT}/competencies/hs/{competency}.json")
    explained = told["explanation"]
    assert len(explained["evidence"]) == told["standing"]["pieces"]
    assert explained["policy"]["method"] == "latest"
    assert float(told["standing"]["value"]) == explained["evidence"][-1]["score"]
    text = await text_of(browser, f"/students/{STUDENT}/competencies/hs/{competency}")
    assert "How this level comes about" in text
    assert "The explanation is away" not in text


async def test_a_student_has_levels_on_axes_next_steps_and_this_weeks_seats(served: Served, browser: httpx.AsyncClient) -> None:
    told = await json_of(browser, f"/students/{STUDENT}.json")
    rows = {row["competency"]: row for axis in told["frameworks"][0]["axes"] for row in axis["rows"]}
    assert list(rows) == list(CODES)
    assert {code: row["level"] for code, row in rows.items() if row["cause"] is not None} == served.town.levels[STUDENT]
    assert all(rows[step["competency"]]["level"] != 4 for step in told["next_steps"])
    assert [(seat["section"], seat["starts"]) for seat in told["seats"]] == [("FLEX-2", "10:15")]
    assert told["week"] == WEEK.isoformat()


async def test_operations_say_who_is_behind_who_is_away_and_whose_counters_do_not_add_up(
    served: Served, browser: httpx.AsyncClient
) -> None:
    told = await json_of(browser, "/operations.json")
    assert {it["name"]: it["answers"] for it in told["projections"]} == {"mastery": True, "scheduling": False, "reporting": True}
    reporting = next(it for it in told["projections"] if it["name"] == "reporting")
    assert [row["behind"] for row in reporting["partitions"]] == [0, 1]  # the stand-in's log is one ahead in partition 1
    assert [it["name"] for it in told["relays"]] == ["evidence.log", "mastery.changes", "schedule.changes"]
    text = await text_of(browser, "/operations")
    assert "Does not answer" in text
    assert "Does not add up" in text
    served.evidence.away = True
    assert "Evidence does not answer" in await text_of(browser, "/operations")


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("/schools/none", 404),
        ("/schools/none/week", 404),
        (f"/students/{a_student(999)}", 404),
        ("/students/not-a-pseudonym", 422),
        (f"/students/{STUDENT}/competencies/hs/none", 404),
        ("/?page=x", 422),
        ("/schools/HS1/week?week=soon", 422),
        ("/nowhere", 404),
    ],
)
async def test_a_mistake_is_a_page_for_a_person_and_a_problem_for_a_program(
    browser: httpx.AsyncClient, address: str, status: int
) -> None:
    page = await browser.get(address)
    assert (page.status_code, page.headers["content-type"]) == (status, "text/html; charset=utf-8")
    assert "<h1>" in page.text
    problem = await browser.get(address, headers={"accept": "application/json"})
    assert (problem.status_code, problem.headers["content-type"]) == (status, "application/problem+json")
    assert problem.json()["status"] == status


async def test_what_a_reader_types_comes_back_as_text(browser: httpx.AsyncClient) -> None:
    response = await browser.get("/", params={"q": '"><b>x'})
    assert '"><b>x' not in response.text
    assert "&#34;&gt;&lt;b&gt;x" in response.text


async def test_styles_are_kept_for_good_and_change_their_address_with_their_content(browser: httpx.AsyncClient) -> None:
    address = re.search(r'href="(/static/cairn.css\?v=[0-9a-f]{12})"', (await browser.get("/")).text)
    assert address is not None
    response = await browser.get(address.group(1))
    assert response.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert response.headers["content-type"].startswith("text/css")
    assert "url(" not in response.text


async def test_the_openapi_document_has_every_json_page(browser: httpx.AsyncClient) -> None:
    paths = (await browser.get("/openapi.json", headers={"accept": "application/json"})).json()["paths"]
    assert {path for path in paths if path.endswith(".json")} == {
        "/district.json",
        "/schools/{school}.json",
        "/schools/{school}/students.json",
        "/schools/{school}/week.json",
        "/students/{student}.json",
        "/students/{student}/competencies/{framework}/{competency}.json",
        "/operations.json",
    }


@pytest.mark.parametrize("address", ["/?q=a%00b", "/?framework=%00", "/schools/HS1%00", "/schools/HS1/students.json?page=1&x=%00"])
async def test_a_character_that_no_database_takes_is_refused_and_no_fault_of_ours(browser: httpx.AsyncClient, address: str) -> None:
    assert (await browser.get(address)).status_code == (200 if "x=" in address else 422)
