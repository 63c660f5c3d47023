"""The client for programs without an event loop."""

from __future__ import annotations

import os
import time
from threading import Lock
from types import TracebackType

import httpx

from contracts.client.delivery import MEDIA_TYPE, MOST_EVENTS, PATH, Answer, Manner, Pause, Sent, deliver
from contracts.client.events import Event
from contracts.client.retry import Backoff, retry_after
from contracts.client.spool import Refused, Spool

ANSWER_SECONDS = 30.0
PATIENCE_SECONDS = 300.0


class Client:
    """Submits events of one publisher. `submit` from any thread; leaving the `with` block flushes.

    `url`: the gateway's address. `key`: what `cairn publisher add` printed. `spool`: a file for this program alone, None for
    memory. `batch`: events a request, at most 500. `patience`: seconds without progress after which `flush` gives up.
    """

    def __init__(
        self,
        url: str,
        key: str,
        *,
        spool: str | os.PathLike[str] | None = None,
        batch: int = MOST_EVENTS,
        patience: float = PATIENCE_SECONDS,
        backoff: Backoff | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._spool = Spool(spool)
        self._manner = Manner(min(batch, MOST_EVENTS), backoff or Backoff(), patience, time.monotonic)
        headers = {"authorization": f"Bearer {key}", "content-type": MEDIA_TYPE}
        self._http = httpx.Client(base_url=url, headers=headers, timeout=ANSWER_SECONDS, transport=transport)
        self._flushing = Lock()

    def submit(self, *events: Event) -> None:
        """Keep events to be sent, all or none of them. Once this returns they will be, whatever happens to this process."""
        self._spool.put(events)

    def flush(self) -> Sent:
        """Send everything that waits, now and from before a crash. Raises `Unreachable` or `NotAdmitted`; nothing is lost."""
        with self._flushing:
            conversation = deliver(self._spool, self._manner)
            answer: Answer | None = None
            while True:
                try:
                    wanted = conversation.send(answer)
                except StopIteration as end:
                    sent: Sent = end.value
                    return sent
                if isinstance(wanted, Pause):
                    time.sleep(wanted.seconds)
                    answer = None
                else:
                    answer = self._post(wanted.body)

    def _post(self, body: bytes) -> Answer:
        try:
            response = self._http.post(PATH, content=body)
        except httpx.TransportError:
            return Answer(0)
        return Answer(response.status_code, response.content, retry_after(response.headers.get("retry-after")))

    def waiting(self) -> int:
        """How many events wait to be sent."""
        return self._spool.waiting()

    def refused(self) -> list[Refused]:
        """What the gateway refused and why, over all flushes, until `forget_refused`."""
        return self._spool.refused()

    def forget_refused(self) -> None:
        """Let go of what was refused."""
        self._spool.forget_refused()

    def totals(self) -> dict[str, int]:
        """How many events had each outcome, over the life of the spool's file."""
        return self._spool.totals()

    def close(self) -> None:
        """Close the connections and the spool without sending; what waits, waits on."""
        self._http.close()
        self._spool.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            if kind is None:
                self.flush()
        finally:
            self.close()
