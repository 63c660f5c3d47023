"""Group commit: single submissions in flight share an append.

While one append is under way the next gathers, so nobody waits for company, and under load a commit's fsync is shared by
hundreds. Must not: split what must be atomic (a batch goes to the ledger by itself).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence, Set
from typing import Protocol

from services.chassis.errors import Transient
from services.evidence.domain import Batch, Draft, Outcome, RecordBegun

# Drafts in one append: as many as a request may hold. More would keep the head for longer than the others' patience.
MOST_TOGETHER = 500
# Drafts that may wait. At 10,000 a second they wait for half a second; beyond that a caller is better told to come again.
MOST_WAITING = 5000


class Appends(Protocol):
    """What drafts are gathered for: the ledger."""

    async def append(self, batch: Batch) -> list[Outcome]: ...


class Gatherer:
    """Gathers single drafts for a ledger. One append is under way at a time: two would only wait for each other at the head."""

    def __init__(self, ledger: Appends) -> None:
        self._ledger = ledger
        self._waiting: deque[tuple[Draft, asyncio.Future[Outcome]]] = deque()
        self._appending: asyncio.Task[None] | None = None

    async def submit(self, draft: Draft) -> Outcome:
        """The outcome of one draft. `Transient` when too many wait; otherwise whatever `Ledger.append` raises."""
        if len(self._waiting) >= MOST_WAITING:
            raise Transient("too many submissions are waiting")
        outcome: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._waiting.append((draft, outcome))
        if self._appending is None:
            self._appending = asyncio.create_task(self._append_waiting())
        return await outcome

    async def _append_waiting(self) -> None:
        """Append until nobody waits."""
        try:
            while self._waiting:
                together = [self._waiting.popleft() for _ in range(min(MOST_TOGETHER, len(self._waiting)))]
                await self._append(together)
        finally:
            self._appending = None

    async def _append(self, together: Sequence[tuple[Draft, asyncio.Future[Outcome]]]) -> None:
        try:
            outcomes = await self._ledger.append(Batch(drafts=tuple(draft for draft, _ in together)))
        except RecordBegun as error:
            await self._without(error.keys, together, error)
        except BaseException as error:
            for _, waiter in together:
                _fail(waiter, error)
            if not isinstance(error, Exception):
                raise
        else:
            for (_, waiter), outcome in zip(together, outcomes, strict=True):
                if not waiter.done():  # its caller has gone away; the event is in the log all the same
                    waiter.set_result(outcome)

    async def _without(
        self, keys: Set[tuple[str, str]], together: Sequence[tuple[Draft, asyncio.Future[Outcome]]], error: RecordBegun
    ) -> None:
        """Send those back whose keys have become known, and append the others: they came together by chance."""
        others = [(draft, waiter) for draft, waiter in together if _key(draft) not in keys]
        for draft, waiter in together:
            if _key(draft) in keys:
                _fail(waiter, error)
        if others:
            await self._append(others)


def _key(draft: Draft) -> tuple[str, str | None]:
    return draft.source, draft.link.sourcekey if draft.link else None


def _fail(waiter: asyncio.Future[Outcome], error: BaseException) -> None:
    if waiter.done():
        return
    if isinstance(error, Exception):
        waiter.set_exception(error)
    else:
        waiter.cancel()
