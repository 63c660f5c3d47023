"""What the evidence service's commands share: a connection or a ledger to work on, progress bars, lists in one word."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from services.chassis.postgres import Pool, create_pool
from services.evidence.opening import Opened
from services.evidence.settings import Settings

T = TypeVar("T")


def with_pool(work: Callable[[Pool], Awaitable[T]]) -> T:
    """Run `work` on a connection to the evidence database."""

    async def connected() -> T:
        async with await create_pool(Settings().dsn(), application="cairn publisher", size=1) as pool:
            return await work(pool)

    return asyncio.run(connected())


async def with_ledger(settings: Settings, process: str, work: Callable[[Opened], Awaitable[T]]) -> T:
    """Run `work` on a ledger that accepts."""
    from services.evidence.app import opened  # noqa: PLC0415 - as in `serve`

    async with opened(settings, process, size=4) as has:
        await has.ledger.compare(settings.required("kafka"))
        return await work(has)


def listed(told: tuple[str, ...]) -> frozenset[str]:
    """The parts of an option that may be given more than once and hold several, comma-separated."""
    return frozenset(part.strip() for each in told for part in each.split(",") if part.strip())


def progress_bar() -> Progress:
    return Progress(*_COLUMNS, console=Console(stderr=True), disable=not sys.stderr.isatty())


_COLUMNS = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())


class Bars:
    """A bar for each stage of an import, on standard error and only for somebody who is looking."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task: TaskID | None = None

    def stage(self, title: str, total: int | None) -> None:
        self._task = self._progress.add_task(title, total=total)

    def advance(self, done: int) -> None:
        assert self._task is not None
        self._progress.advance(self._task, done)
