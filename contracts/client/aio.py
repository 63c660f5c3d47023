"""The client for programs with an event loop. The spool's disk is waited for in threads, so the loop never stands still."""

from __future__ import annotations

import asyncio
import os
import time
from types import TracebackType

import httpx

from contracts.client.delivery import MEDIA_TYPE, MOST_EVENTS, PATH, Answer, Conversation, Manner, Pause, Post, Sent, deliver
from contracts.client.events import Event
from contracts.client.retry import Backoff, retry_after
from contracts.client.spool import Refused, Spool
from contracts.client.sync import ANSWER_SECONDS, PATIENCE_SECONDS


class AsyncClient:
    """`Client` with `await`: the same arguments, the same promises."""

    def __init__(
        self,
        url: str,
        key: str,
        *,
        spool: str | os.PathLike[str] | None = None,
        batch: int = MOST_EVENTS,
        patience: float = PATIENCE_SECONDS,
        backoff: Backoff | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._spool = Spool(spool)
        self._manner = Manner(min(batch, MOST_EVENTS), backoff or Backoff(), patience, time.monotonic)
        headers = {"authorization": f"Bearer {key}", "content-type": MEDIA_TYPE}
        self._http = httpx.AsyncClient(base_url=url, headers=headers, timeout=ANSWER_SECONDS, transport=transport)
        self._flushing = asyncio.Lock()

    async def submit(self, *events: Event) -> None:
        """Keep events to be sent, all or none of them. Once this returns they will be, whatever happens to this process."""
        await asyncio.to_thread(self._spool.put, events)

    async def flush(self) -> Sent:
        """Send everything that waits, now and from before a crash. Raises `Unreachable` or `NotAdmitted`; nothing is lost."""
        async with self._flushing:
            conversation = deliver(self._spool, self._manner)
            answer: Answer | None = None
            while True:
                wanted = await asyncio.to_thread(_next, conversation, answer)
                if isinstance(wanted, Sent):
                    return wanted
                if isinstance(wanted, Pause):
                    await asyncio.sleep(wanted.seconds)
                    answer = None
                else:
                    answer = await self._post(wanted.body)

    async def _post(self, body: bytes) -> Answer:
        try:
            response = await self._http.post(PATH, content=body)
        except httpx.TransportError:
            return Answer(0)
        return Answer(response.status_code, response.content, retry_after(response.headers.get("retry-after")))

    async def waiting(self) -> int:
        """How many events wait to be sent."""
        return await asyncio.to_thread(self._spool.waiting)

    async def refused(self) -> list[Refused]:
        """What the gateway refused and why, over all flushes, until `forget_refused`."""
        return await asyncio.to_thread(self._spool.refused)

    async def forget_refused(self) -> None:
        """Let go of what was refused."""
        await asyncio.to_thread(self._spool.forget_refused)

    async def totals(self) -> dict[str, int]:
        """How many events had each outcome, over the life of the spool's file."""
        return await asyncio.to_thread(self._spool.totals)

    async def close(self) -> None:
        """Close the connections and the spool without sending; what waits, waits on."""
        await self._http.aclose()
        await asyncio.to_thread(self._spool.close)

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            if kind is None:
                await self.flush()
        finally:
            await self.close()


def _next(conversation: Conversation, answer: Answer | None) -> Post | Pause | Sent:
    """What the conversation wants next, or its end (a StopIteration could not cross a future)."""
    try:
        return conversation.send(answer)
    except StopIteration as end:
        sent: Sent = end.value
        return sent
