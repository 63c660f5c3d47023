"""The other services' APIs, asked when a page is rendered: names, explanations, how far everybody is.

A peer that is away makes a page poorer, never an error: every question here has None as its answer then.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import quote

import httpx

log = logging.getLogger(__name__)

# A page waits this long for a peer, then does without. Readers leave after a few seconds; local answers take milliseconds.
TIMEOUT_SECONDS = 2.0
# Names asked for at once; the vault answers up to 1,000.
NAMES_AT_ONCE = 1000


class Name(NamedTuple):
    """A person's name, as the vault has it."""

    given: str
    family: str

    @property
    def full(self) -> str:
        """As one is called."""
        return f"{self.given} {self.family}".strip()

    @property
    def listed(self) -> str:
        """As one stands in a list."""
        return f"{self.family}, {self.given}" if self.family else self.given


Names = Mapping[str, Name]


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the other services are, "" for one that is not configured, and the key that evidence wants of an operator."""

    evidence: str
    mastery: str
    scheduling: str
    operator_key: str = field(default="", repr=False)


class Peers:
    """Asks the other services. One instance a process; `close` it."""

    def __init__(self, addresses: Addresses, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._addresses = addresses
        self._client = httpx.AsyncClient(timeout=TIMEOUT_SECONDS, transport=transport, follow_redirects=False)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def names(self, pseudonyms: Sequence[str]) -> Names | None:
        """Names by pseudonym, of those that have one; None when the vault is away."""
        unique = sorted(set(pseudonyms))
        chunks = [unique[start : start + NAMES_AT_ONCE] for start in range(0, len(unique), NAMES_AT_ONCE)]
        answers = await asyncio.gather(*(self._names(chunk) for chunk in chunks))
        known = [answer for answer in answers if answer is not None]
        return {pseudonym: its for answer in known for pseudonym, its in answer.items()} if len(known) == len(answers) else None

    async def _names(self, pseudonyms: Sequence[str]) -> Names | None:
        answer = await self._ask("POST", self._addresses.evidence, "/v1/vault/names", json={"pseudonyms": list(pseudonyms)})
        people = answer.get("people") if answer is not None else None
        if not isinstance(people, list):
            return None
        return {str(person["pseudonym"]): Name(str(person["given"]), str(person["family"])) for person in people}

    async def explanation(self, student: str, framework: str, competency: str) -> Mapping[str, Any] | None:
        """What mastery says a level rests on."""
        path = f"/v1/students/{student}/competencies/{quote(framework, safe='')}/{quote(competency, safe='')}"
        return await self._ask("GET", self._addresses.mastery, path)

    async def log(self) -> Mapping[str, Any] | None:
        """The head of the log and its relay."""
        return await self._ask("GET", self._addresses.evidence, "/v1/log")

    async def publishers(self) -> Mapping[str, Any] | None:
        """The publishers' counters."""
        return await self._ask("GET", self._addresses.evidence, "/v1/publishers")

    async def standing(self, service: str) -> Mapping[str, Any] | None:
        """How far the view of `mastery` or `scheduling` is."""
        address = {"mastery": self._addresses.mastery, "scheduling": self._addresses.scheduling}[service]
        return await self._ask("GET", address, "/v1/standing")

    async def _ask(self, method: str, address: str, path: str, **options: Any) -> Mapping[str, Any] | None:
        if not address:
            return None
        headers = {"authorization": f"Bearer {self._addresses.operator_key}"} if self._addresses.operator_key else {}
        try:
            response = await self._client.request(method, address + path, headers=headers, **options)
            response.raise_for_status()
            answer = response.json()
        except (httpx.HTTPError, ValueError) as error:
            log.warning("a peer did not answer", extra={"peer": address, "error": type(error).__name__})
            return None
        return answer if isinstance(answer, dict) else None
