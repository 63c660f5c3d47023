"""Errors as problems (RFC 9457, `application/problem+json`): ours, the framework's, and those that are a bug.

Each has a stable `code`, the `pointer` of the field at fault, what was `expected`, and the page that explains it (`docs`, on the
service that answered). None repeats what the caller sent.
"""

from __future__ import annotations

import logging
from typing import Any

import asyncpg
import orjson
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from services.chassis import postgres
from services.chassis.docs.explanations import code_of, docs_of
from services.chassis.errors import Conflict, Rejected, Transient, Unavailable
from services.chassis.validation import fault_of

log = logging.getLogger(__name__)

PROBLEM_JSON = "application/problem+json"


class Problem(BaseModel):
    """An RFC 9457 problem. `expected` says what would have been accepted; no member holds a value that was sent."""

    type: str = Field(examples=["urn:cairn:problem:invalid-field"])
    title: str
    status: int
    code: str = Field(examples=["invalid-field"])
    pointer: str | None = Field(default=None, description="JSON pointer of the field at fault; absent: the whole")
    expected: str | None = None
    docs: str = Field(examples=["/docs/problems/invalid-field"], description="the page of this service that explains the code")


PROBLEMS: dict[int | str, dict[str, Any]] = {"4XX": {"model": Problem, "content": {PROBLEM_JSON: {}}}}


class TooLarge(HTTPException):
    """413. An `HTTPException`, so that FastAPI's own reading of a body passes it on."""

    def __init__(self, max_bytes: int) -> None:
        super().__init__(413, f"a body of at most {max_bytes} bytes", headers={"connection": "close"})


def handle_errors(app: FastAPI) -> None:
    """Have every error of this application answered as a problem."""
    app.add_exception_handler(Rejected, _rejected)
    app.add_exception_handler(RequestValidationError, _invalid_request)
    app.add_exception_handler(HTTPException, http_exception)
    app.add_exception_handler(Conflict, _conflict)
    app.add_exception_handler(Unavailable, _unavailable)
    app.add_exception_handler(Transient, _unavailable)
    for passing in postgres.PASSING:  # wherever a request met it: the same one may be sent again
        app.add_exception_handler(passing, _unavailable)
    app.add_exception_handler(asyncpg.InterfaceError, _interface)
    app.add_exception_handler(ClientDisconnect, _gone)
    app.add_exception_handler(Exception, _internal)


def problem(status: int, code: str, expected: str | None, *, pointer: str = "", headers: dict[str, str] | None = None) -> Response:
    """A problem as a response. `code` in kebab case becomes the title and the type."""
    body: dict[str, object] = {
        "type": f"urn:cairn:problem:{code}",
        "title": code.replace("-", " ").capitalize(),
        "status": status,
        "code": code,
    }
    if pointer:
        body["pointer"] = pointer
    if expected:
        body["expected"] = expected
    body["docs"] = docs_of(code)
    return Response(orjson.dumps(body), status, headers, PROBLEM_JSON)


def retry_later(expected: str) -> Response:
    """503: nothing is wrong with the request, and the same one may be sent again."""
    return problem(503, "unavailable", expected, headers={"retry-after": "1"})


async def _rejected(_: Request, error: Exception) -> Response:
    assert isinstance(error, Rejected)
    headers = {"www-authenticate": "Bearer"} if error.status == 401 else {}
    if error.retry_after is not None:
        headers["retry-after"] = str(error.retry_after)
    return problem(error.status, error.code, error.expected, pointer=error.pointer, headers=headers)


async def _invalid_request(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    details = error.errors()[0]
    if details["type"] == "json_invalid":
        return problem(400, "invalid-json", "valid JSON")
    if details["loc"][0] == "body":
        details["loc"] = details["loc"][1:]
    found = fault_of(details)
    return problem(422, "invalid-field", found.expected, pointer=found.pointer)


async def _conflict(_: Request, error: Exception) -> Response:
    return problem(409, "conflict", "fresh state: read again and decide again")


async def _unavailable(_: Request, error: Exception) -> Response:
    log.warning("cannot answer now", extra={"error": type(error).__name__})
    return retry_later(str(error) if isinstance(error, Unavailable) else "a passing fault to be over")


async def _gone(_: Request, error: Exception) -> Response:
    return problem(400, "client-disconnected", "the whole body")  # nobody reads this; it is no error of ours either


async def _interface(request: Request, error: Exception) -> Response:
    assert isinstance(error, asyncpg.InterfaceError)
    if not postgres.is_lost(error):
        raise error
    return await _unavailable(request, error)


async def _internal(_: Request, error: Exception) -> Response:
    return problem(500, "internal-server-error", None)  # the server logs it, by type and place


async def http_exception(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    expected = error.detail if isinstance(error, TooLarge) else None
    return problem(error.status_code, code_of(error.status_code), expected, headers=dict(error.headers or {}))
