"""`/healthz`, `/readyz` and `/metrics`, telling the truth.

Alive: the loop turns and every background task of the process still runs; a process that is not alive should be restarted.
Ready: every named check holds now (the database answers, the relay has compared its tails); asked each time, never remembered.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, generate_latest

log = logging.getLogger(__name__)

# None when all is well; otherwise what is wrong, in words an operator can act on and without anybody's data.
Check = Callable[[], Awaitable[str | None]]

# A check that takes longer counts as failed: orchestrators give a probe a second or two, then draw their own conclusion.
SLOWEST_CHECK_SECONDS = 2.0


class Health:
    """The checks of one process. Services add theirs; `web.create_app` adds the background tasks."""

    def __init__(self) -> None:
        self._alive: dict[str, Check] = {}
        self._ready: dict[str, Check] = {}

    def add_alive(self, name: str, check: Check) -> None:
        """A condition without which the process must be restarted. It counts for readiness too."""
        self._alive[name] = check

    def add_ready(self, name: str, check: Check) -> None:
        """A condition without which the process should get no requests."""
        self._ready[name] = check

    async def alive(self) -> dict[str, str | None]:
        """The verdict of each liveness check by name, None for one that holds."""
        return await _verdicts(self._alive)

    async def ready(self) -> dict[str, str | None]:
        """The verdict of every check by name, None for one that holds."""
        return await _verdicts(self._alive | self._ready)


async def _verdicts(checks: dict[str, Check]) -> dict[str, str | None]:
    found = await asyncio.gather(*(_verdict(name, check) for name, check in checks.items()))
    return dict(zip(checks, found, strict=True))


async def _verdict(name: str, check: Check) -> str | None:
    try:
        return await asyncio.wait_for(check(), SLOWEST_CHECK_SECONDS)
    except TimeoutError:
        return f"no answer within {SLOWEST_CHECK_SECONDS:g} s"
    except Exception as error:
        log.warning("check failed", extra={"check": name}, exc_info=error)
        return type(error).__qualname__


def routes(health: Health) -> APIRouter:
    """The three addresses, outside the OpenAPI document: they are for orchestrators, not for callers."""
    router = APIRouter(include_in_schema=False)

    @router.get("/healthz")
    async def healthz() -> JSONResponse:
        return _answer("alive", await health.alive())

    @router.get("/readyz")
    async def readyz() -> JSONResponse:
        return _answer("ready", await health.ready())

    @router.get("/metrics")
    async def metrics() -> Response:
        return Response(generate_latest(REGISTRY), media_type=CONTENT_TYPE_LATEST)

    return router


def _answer(word: str, verdicts: dict[str, str | None]) -> JSONResponse:
    holds = not any(verdicts.values())
    checks = {name: verdict or "ok" for name, verdict in verdicts.items()}
    return JSONResponse({"status": word if holds else f"not {word}", "checks": checks}, status_code=200 if holds else 503)
