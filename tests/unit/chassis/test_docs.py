"""The documentation that services serve: whole, true to the code, and readable without a network."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from html.parser import HTMLParser

import httpx
import pytest
from fastapi import FastAPI

from contracts.topics import TOPICS
from services.chassis.docs.explanations import OWN, STATUSES, Explanations, all_of
from services.chassis.health import Health
from services.chassis.web import create_app
from services.evidence import api
from services.evidence.explanations import EXPLANATIONS as EVIDENCE
from services.mastery.explanations import EXPLANATIONS as MASTERY
from services.reporting.explanations import EXPLANATIONS as REPORTING
from services.scheduling.explanations import EXPLANATIONS as SCHEDULING
from tests.architecture.sources import Modules, project, snippets, within

OF: Mapping[str, Explanations] = {
    "services.chassis": {},
    "services.evidence": EVIDENCE,
    "services.mastery": MASTERY,
    "services.scheduling": SCHEDULING,
    "services.reporting": REPORTING,
}
# Which argument of a call is a problem's code.
CODES = {"Rejected": 0, "problem": 1, "_refusal": 1}
CODE = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


def codes(modules: Modules, package: str) -> set[str]:
    """Every code that a package's modules can answer with."""
    return {code for name, tree in modules.items() if within(name, package) for code in _codes(tree)}


def _codes(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            at = CODES.get(getattr(node.func, "id", getattr(node.func, "attr", "")))
            told = node.args[at] if at is not None and len(node.args) > at else None
            if isinstance(told, ast.Constant) and isinstance(told.value, str) and CODE.fullmatch(told.value):
                yield told.value


@pytest.mark.parametrize("package", OF)
def test_every_code_that_a_service_answers_with_is_explained(package: str) -> None:
    missing = codes(project(), package) - all_of(OF[package]).keys()
    assert not missing, f"add these to {package}.explanations, for whoever meets them"


def test_the_search_for_codes_finds_them() -> None:
    source = "raise Rejected('a-code', 'x')\nproblem(422, 'another', None)\nerrors.Rejected('third', 'x')"
    assert codes(snippets(services__evidence__x=source), "services.evidence") == {"a-code", "another", "third"}
    assert len(codes(project(), "services.evidence")) > 30


@pytest.mark.parametrize(("package", "own"), ({**OF, "services.chassis": OWN}).items())
def test_nothing_is_explained_that_nobody_answers_with(package: str, own: Explanations) -> None:
    """Codes that are no plain argument, such as the reasons for which something is held, are constants at least."""
    said = {
        text for name, tree in project().items() if within(name, package) and "explanations" not in name for text in texts(tree)
    }
    assert own.keys() - STATUSES.keys() - said == set()


def texts(tree: ast.AST) -> set[str]:
    constants = (node.value for node in ast.walk(tree) if isinstance(node, ast.Constant))
    return {text for text in constants if isinstance(text, str)}


class Links(HTMLParser):
    """What a page refers to, and what stands in it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.links: set[str] = set()
        self.ids: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            if name in ("href", "src", "srcset", "action") and value:
                self.links.add(value)
            if name == "id" and value:
                self.ids.add(value)


@pytest.fixture
def app() -> FastAPI:
    app = create_app("Cairn evidence", health=Health(), explanations=EVIDENCE)
    app.include_router(api.router)
    return app


def client(app: FastAPI) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test")


PAGES = ("/docs", "/docs/problems", "/docs/openapi", "/docs/asyncapi", "/docs/problems/invalid-field")


@pytest.mark.parametrize("path", PAGES)
async def test_a_page_has_no_script_and_nothing_from_elsewhere_and_no_dead_link(app: FastAPI, path: str) -> None:
    async with client(app) as http:
        page = await http.get(path)
        found = Links(page.text)
        assert page.status_code == 200
        assert "script" not in found.tags
        assert found.links
        assert [link for link in found.links if not link.startswith(("/", "#"))] == []
        assert {link[1:] for link in found.links if link.startswith("#")} <= found.ids
        answers = {link: (await http.get(link)).status_code for link in found.links if link.startswith("/")}
        assert set(answers.values()) == {200}, answers


async def test_a_problem_leads_to_the_page_of_its_code(app: FastAPI) -> None:
    async with client(app) as http:
        answer = (await http.get("/nowhere")).json()
        assert answer["docs"] == "/docs/problems/not-found"
        assert "404" in (await http.get(answer["docs"])).text
        unknown = await http.get("/docs/problems/made-up")
        assert (unknown.status_code, unknown.json()["code"]) == (404, "not-found")


async def test_the_pages_name_every_operation_and_every_event(app: FastAPI) -> None:
    async with client(app) as http:
        operations = (await http.get("/docs/openapi")).text
        assert all(path in operations for path in app.openapi()["paths"])
        events = (await http.get("/docs/asyncapi")).text
        for topic in TOPICS:
            assert topic.name in events
            assert all(event.TYPE.removeprefix("cairn.") in events for event in topic.events)
            assert all(name in events for name in (topic.producer, *topic.consumers))
