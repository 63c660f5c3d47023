"""The pages in a real browser: everything without JavaScript, nothing that keeps anybody out, nothing wider than a small phone.

Needs Debian's chromium. `CAIRN_PICTURES=FOLDER` keeps pictures of every page.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, async_playwright

from tests.integration.reporting.served import Served, pages_of
from tests.integration.reporting.town import a_town
from tests.stack import Stack
from tests.story import a_student

pytestmark = [pytest.mark.stack, pytest.mark.timeout(240)]

CHROMIUM = "/usr/bin/chromium"
PICTURES = os.environ.get("CAIRN_PICTURES")
FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
STUDENT = a_student(4)
PAGES = {
    "district": "/",
    "search": "/?q=h",
    "school": "/schools/HS1",
    "students": "/schools/HS1/students",
    "week": "/schools/HS1/week",
    "student": f"/students/{STUDENT}",
    "level": f"/students/{STUDENT}/competencies/hs/C.1",
    "operations": "/operations",
    "missing": "/schools/none",
}
PHONE = {"width": 320, "height": 640}
DESK = {"width": 1200, "height": 900}
# The rules of WCAG 2.2 up to level AA, and axe's own good practice.
RULES = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}}

COLOURS = {"runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}}  # all that night changes


@pytest.fixture(scope="module")
async def served(stack: Stack) -> AsyncIterator[Served]:
    async with pages_of(stack, a_town(students=60)) as served:
        yield served


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    assert shutil.which(CHROMIUM), f"{CHROMIUM} is needed to test the pages: apt-get install chromium"
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, headless=True, args=list(FLAGS))
        yield browser
        await browser.close()


async def opened(browser: Browser, address: str, *, size: dict[str, int] = DESK, dark: bool = False, scripts: bool = False) -> Page:
    """A page in a context of its own. `scripts`: for axe, which is one; it needs the page's policy out of its way."""
    context = await browser.new_context(
        viewport=size,  # type: ignore[arg-type]
        color_scheme="dark" if dark else "light",
        java_script_enabled=scripts,
        bypass_csp=scripts,
    )
    page = await context.new_page()
    await page.goto(address)
    return page


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
async def test_a_page_keeps_nobody_out(served: Served, browser: Browser, name: str, dark: bool) -> None:
    page = await opened(browser, served.url + PAGES[name], dark=dark, scripts=True)
    await picture(page, name, "night" if dark else "desk")
    await page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true })")
    found = await Axe().run(page, options=COLOURS if dark else RULES)
    await page.context.close()
    assert found.violations_count == 0, found.generate_report()


async def test_axe_would_see_a_page_that_keeps_people_out(served: Served, browser: Browser) -> None:
    page = await opened(browser, served.url + PAGES["student"], scripts=True)
    await page.evaluate("document.documentElement.removeAttribute('lang')")
    await page.evaluate("document.querySelector('.lead').style.color = '#ddd'")
    found = await Axe().run(page, options=RULES)
    await page.context.close()
    assert {violation["id"] for violation in found.response["violations"]} == {"html-has-lang", "color-contrast"}


@pytest.mark.parametrize("name", PAGES)
async def test_a_page_fits_a_small_phone(served: Served, browser: Browser, name: str) -> None:
    page = await opened(browser, served.url + PAGES[name], size=PHONE, scripts=True)
    width = await page.evaluate("document.documentElement.scrollWidth")
    await picture(page, name, "phone")
    await page.context.close()
    assert width <= PHONE["width"]


@pytest.mark.parametrize("name", PAGES)
async def test_a_page_asks_nobody_else_and_runs_nothing(served: Served, browser: Browser, name: str) -> None:
    context = await browser.new_context(viewport=DESK)  # type: ignore[arg-type]
    page = await context.new_page()
    asked: list[str] = []
    refused: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: refused.append(message.text) if "Content Security Policy" in message.text else None)
    await page.goto(served.url + PAGES[name])
    await context.close()
    assert all(url.startswith(served.url) for url in asked)
    assert {url.removeprefix(served.url).split("?")[0] for url in asked[1:]} <= {"/static/cairn.css", "/static/cairn.svg"}
    assert refused == []


async def test_a_reader_walks_from_the_district_to_a_piece_of_evidence_without_javascript(served: Served, browser: Browser) -> None:
    page = await opened(browser, served.url)
    await page.get_by_label("Find a school by name or code").fill("harbor")
    await page.get_by_role("button", name="Find").click()
    await page.get_by_role("link", name="Harbor High School").click()
    assert await page.get_by_role("heading", level=1).inner_text() == "Harbor High School"
    assert await page.get_by_role("rowheader", name="Linear functions C.1").count() == 1
    await page.get_by_role("link", name="Students", exact=True).click()
    await page.locator("tbody th a").first.click()
    student = await page.get_by_role("heading", level=1).inner_text()
    await page.get_by_role("link", name="of evidence in").first.click()
    assert student in await page.locator("main").inner_text()
    assert await page.get_by_role("heading", name="How this level comes about").count() == 1
    await page.get_by_role("link", name="JSON").click()
    assert '"explanation"' in await page.content()
    await page.context.close()


async def test_the_keyboard_skips_to_the_content_and_shows_where_it_is(served: Served, browser: Browser) -> None:
    page = await opened(browser, served.url + PAGES["school"], scripts=True)
    await page.keyboard.press("Tab")
    assert await page.evaluate("document.activeElement.textContent") == "Skip to the content"
    assert await page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    await page.keyboard.press("Enter")
    assert page.url.endswith("#main")
    await page.context.close()


async def test_a_page_on_paper_has_its_table_and_no_navigation(served: Served, browser: Browser) -> None:
    page = await opened(browser, served.url + PAGES["school"])
    await page.emulate_media(media="print")
    assert await page.get_by_role("rowheader", name="Linear functions C.1").is_visible()
    assert not await page.get_by_role("link", name="Operations").is_visible()
    await picture(page, "school", "paper")
    await page.context.close()


async def picture(page: Page, name: str, look: str) -> None:
    """Keep a picture of the whole page, if a folder for pictures is named."""
    if PICTURES:
        await page.screenshot(full_page=True, path=f"{PICTURES}/{name}-{look}.png")
