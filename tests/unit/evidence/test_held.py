"""Going through the held goes on after a connection was lost, and a finished import is not undone by it."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import asyncpg
import pytest

from services.chassis.errors import Conflict
from services.chassis.postgres import Pool
from services.evidence import held
from services.evidence.held import Resubmission
from services.evidence.roster.command import _let_in
from services.evidence.submit import Door


class Waiting:
    """A pool in whose database something waits for one person."""

    async def fetch(self, statement: str, reason: str, after: str, limit: int) -> list[tuple[str]]:
        return [] if after else [("sis 104",)]


class Failing:
    """A vault whose every look-up fails."""

    def __init__(self, error: Exception) -> None:
        self.error = error
        self.asked: asyncio.Queue[None] = asyncio.Queue()

    async def resolve(self, identifiers: Any) -> Any:
        self.asked.put_nowait(None)
        raise self.error


def over(vault: Failing) -> Resubmission:
    return Resubmission(cast(Door, SimpleNamespace(vault=vault)), cast(Pool, Waiting()))


async def test_a_connection_lost_in_the_vault_does_not_end_the_task(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held, "RETRY_SECONDS", 0.0)
    vault = Failing(asyncpg.ConnectionDoesNotExistError())
    task = asyncio.create_task(over(vault).run())
    async with asyncio.timeout(10):
        await vault.asked.get()
        await vault.asked.get()
    assert not task.done()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize("error", [Conflict("merged"), asyncpg.ConnectionDoesNotExistError()])
async def test_an_import_that_is_done_leaves_what_cannot_come_in_to_the_worker(error: Exception) -> None:
    assert await _let_in(over(Failing(error))) == 0
