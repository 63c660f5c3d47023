"""The pages under `/docs`: an index, the problems, the OpenAPI of this service, the AsyncAPI of the platform."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from services.chassis.docs import asyncapi, openapi
from services.chassis.docs.explanations import Explanations

FOLDER = Path(__file__).parent / "templates"
# Made from the code that runs, so they change with a deployment only.
CACHED = {"cache-control": "public, max-age=300"}


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(FOLDER), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )


def _page(template: str, request: Request, **context: object) -> Response:
    text = _environment().get_template(template).render(service=request.app.title, **context)
    return HTMLResponse(text, headers=CACHED)


def routes(explanations: Explanations) -> APIRouter:
    """The pages of a service whose problems mean this. They are no part of its OpenAPI document."""
    router = APIRouter(include_in_schema=False, prefix="/docs")

    @router.get("")
    async def index(request: Request) -> Response:
        return _page("index.html", request)

    @router.get("/problems")
    async def problems(request: Request) -> Response:
        return _page("problems.html", request, explanations=explanations)

    @router.get("/problems/{code}")
    async def problem(request: Request, code: str) -> Response:
        if code not in explanations:
            raise HTTPException(404)
        return _page("problem.html", request, code=code, it=explanations[code])

    @router.get("/openapi")
    async def openapi_page(request: Request) -> Response:
        document = request.app.openapi()
        return _page("openapi.html", request, operations=openapi.operations(document), schemas=openapi.schemas(document))

    @router.get("/asyncapi")
    async def asyncapi_page(request: Request) -> Response:
        document = asyncapi.document()
        return _page("asyncapi.html", request, channels=asyncapi.channels(document), messages=asyncapi.messages(document))

    @router.get("/asyncapi.json")
    async def asyncapi_document() -> dict[str, object]:
        return asyncapi.document()

    @router.get("/style.css")
    async def style() -> Response:
        return Response((FOLDER / "style.css").read_bytes(), media_type="text/css", headers=CACHED)

    return router
