"""Problems as pages, for who asked for a page; everybody else gets `application/problem+json` from the chassis."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from services.chassis.errors import Rejected, Transient, Unavailable
from services.reporting.pages.render import bare

_SAID = {
    404: ("Not found", "Nothing in the log has this address. A student or a school appears here once a roster has brought them."),
    422: ("Not understood", "A part of this address is not what it should be, such as a page that is not a number."),
    503: ("Not ready yet", "The view or its database does not answer just now. Nothing is lost; try again in a moment."),
}


def handle(app: FastAPI) -> None:
    """Wrap the chassis's handlers of what a reader can run into."""
    for kind in (Rejected, RequestValidationError, HTTPException, Unavailable, Transient):
        app.add_exception_handler(kind, _for_readers(app.exception_handlers[kind]))


Answer = Response | Awaitable[Response]


def _for_readers(handler: Callable[[Request, Any], Answer]) -> Callable[[Request, Exception], Awaitable[Response]]:
    async def handled(request: Request, error: Exception) -> Response:
        answer = handler(request, error)
        problem = answer if isinstance(answer, Response) else await answer
        said = _SAID.get(problem.status_code)
        if said is None or "text/html" not in request.headers.get("accept", ""):
            return problem
        return bare("problem.html", problem.status_code, title=said[0], said=said[1])

    return handled
