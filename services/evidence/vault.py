"""The identity vault: from what publishers call a person to a pseudonym, and back to a name for pages.

Owns: pseudonyms (random, never derived), names and demographics, the key that tells a resend from a conflict.
Must not: let an identifier, a name or a demographic out of its own answers: not into logs, errors, traces, or the log.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from typing import Literal

from prometheus_client import Counter

from services.chassis.errors import Unavailable
from services.chassis.postgres import Pool, create_pool
from services.evidence.admit import Key, Resolution
from services.evidence.identity import Described, is_somebody_else
from services.evidence.store import vault as store
from services.evidence.store.vault import Name, Person

ROLE = "cairn_vault"
BIRTH_DATE = "birthDate"  # OneRoster's name of it, in demographics
SUBMISSION_KEY = "submissionhash"
# Identifiers remembered, about 250 bytes each: a school day's active students of a large district on one gateway.
MOST_REMEMBERED = 400_000
MOST_FOUND = 50

Kind = Literal["s-", "p-"]  # how a pseudonym begins
STUDENT: Kind = "s-"
STAFF: Kind = "p-"

_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"  # 32 signs: 26 of them are 130 random bits

lookups = Counter("cairn_vault_lookups", "Identifiers looked up, by where the answer came from", ["answer"])


def pseudonym(kind: Kind) -> str:
    """A new random pseudonym of a student or of a member of staff."""
    bits = secrets.randbits(130)
    return kind + "".join(_ALPHABET[bits >> shift & 31] for shift in range(0, 130, 5))


class Vault:
    """The vault over a pool of its own role. `merges` reads the ledger's merge counter."""

    def __init__(self, pool: Pool, merges: Callable[[], Awaitable[int]]) -> None:
        self.pool = pool
        self._read_merges = merges
        self._merges: int | None = None
        self._known: dict[Key, str] = {}
        self._own: dict[Key, str] = {}  # of those who are merged

    async def resolve(self, identifiers: Collection[Key]) -> Resolution:
        """The pseudonyms of identifiers, from memory where the merge counter has not moved since."""
        if self._merges is None:
            await self.refresh()
        merges, known, own = self._merges, self._known, self._own
        assert merges is not None
        found = {key: known[key] for key in identifiers if key in known}
        lookups.labels("memory").inc(len(found))
        if unknown := set(identifiers) - found.keys():
            read = await store.resolve(self.pool, unknown)
            lookups.labels("vault").inc(len(unknown))
            names = {Key(*key): name for key, (name, _) in read.items()}
            own |= {Key(*key): first for key, (_, first) in read.items() if first is not None}
            found |= names
            self._remember(known, names)
        return Resolution(found, merges, own)

    async def refresh(self) -> None:
        """Forget every answer and read the merge counter again: it moved, so identifiers may lead to somebody else.

        The counter is read before any identifier is: an answer is never older than the counter it goes with. A look-up that is
        under way keeps to the old dictionary, with the old counter, and the ledger refuses what comes of it.
        """
        self._merges = await self._read_merges()
        self._known, self._own = {}, {}

    async def moved_since(self, merges: int) -> bool:
        """Whether somebody was merged or unmerged since the counter stood there. Every answer is then forgotten."""
        await self.refresh()
        return self._merges != merges

    def _remember(self, known: dict[Key, str], read: Mapping[Key, str]) -> None:
        known.update(read)
        if len(known) > MOST_REMEMBERED:
            for key in list(known)[: MOST_REMEMBERED // 2]:  # the oldest half: dictionaries keep their order
                del known[key]

    async def register(self, kind: Kind, identifiers: Iterable[Key]) -> dict[Key, str]:
        """The pseudonyms of people of a kind, issuing those that are missing."""
        held = await store.issue(self.pool, {key: pseudonym(kind) for key in identifiers})
        return {Key(*key): name for key, (name, _) in held.items()}

    async def make_believe(self, sandbox: str, students: Collection[Key], staff: Collection[Key]) -> Resolution:
        """The people of a publisher's sandbox, made up as they are named.

        Their scheme has a sign that no publisher's can have: nobody of a sandbox is ever met outside, and nobody else inside.
        """
        inside = {key: Key(f"~{sandbox}/{key.scheme}", key.value) for key in (*students, *staff)}
        merges = (await self.resolve(())).merges
        found = await self.register(STUDENT, [inside[key] for key in students])
        found |= await self.register(STAFF, [inside[key] for key in staff])
        return Resolution({key: found[its] for key, its in inside.items()}, merges)

    async def link(self, further: Mapping[Key, Key]) -> None:
        """Give people further identifiers, each beside one that is known: {further: known}, whoever this leads to by now.

        A further one that leads to somebody already goes on leading to her.
        """
        if further:
            await store.link(self.pool, [(*new, *known) for new, known in further.items()])

    async def merged(self, identifiers: Collection[Key]) -> dict[Key, str]:
        """Of those identifiers that a merge has lead to another pseudonym than their own, that pseudonym."""
        found = await store.resolve(self.pool, identifiers)
        return {Key(*key): name for key, (name, own) in found.items() if own is not None}

    async def first_known(self, pseudonyms: Collection[str], scheme: str) -> dict[Key, str]:
        """The identifiers of a scheme under which these were known before any merge."""
        return {Key(*key): name for key, name in (await store.first_known(self.pool, pseudonyms, scheme)).items()}

    async def own(self, told: Key, pseudonym: str) -> str | None:
        """The pseudonym that an identifier was given first, or `pseudonym` itself if somebody bears it."""
        found = await store.resolve(self.pool, [told])
        if found:
            [(name, own)] = found.values()
            return own or name
        return pseudonym if await store.is_borne(self.pool, pseudonym) else None

    async def describe(self, people: Sequence[Person]) -> int:
        """State what is known of people; how many were new or changed."""
        return await store.describe(self.pool, people)

    async def identifiers_of(self, pseudonyms: Collection[str]) -> dict[str, Key]:
        """An identifier that leads to each of these people."""
        return {name: Key(*key) for name, key in (await store.identifiers_of(self.pool, pseudonyms)).items()}

    async def strangers(self, people: Sequence[Person]) -> set[str]:
        """Those of these pseudonyms whose person, as described here, seems to be somebody else than the one who is known."""
        known = await store.described(self.pool, [each.pseudonym for each in people])
        told = {each.pseudonym: Described(each.given, each.family, each.demographics.get(BIRTH_DATE)) for each in people}
        return {name for name, before in known.items() if is_somebody_else(before, told[name])}

    async def names(self, pseudonyms: Collection[str]) -> list[Name]:
        """The names behind pseudonyms, for a page that is about to be shown."""
        return await store.names(self.pool, pseudonyms)

    async def search(self, text: str, kind: Kind) -> list[Name]:
        """Up to `MOST_FOUND` people whose names begin with the words of `text`."""
        words = text.split()
        return await store.search(self.pool, words, kind, MOST_FOUND) if words else []


async def open_vault_pool(dsn: str, *, application: str, size: int = 4) -> Pool:
    """Connections that take the vault's role: they see its schema and nothing else."""
    return await create_pool(dsn, application=application, size=size, settings={"role": ROLE})


async def submission_key(pool: Pool, configured: bytes | None, *, local: bool) -> bytes:
    """The HMAC key of submissions: the configured one, or in local mode one made at the first start.

    Another key than before would make every resend a conflict, so it is compared by its fingerprint. Raises `Unavailable`.
    """
    made = configured or (secrets.token_bytes(32) if local else None)
    if made is None:
        raise Unavailable("CAIRN_VAULT_KEY is not set; set it to 64 hexadecimal digits that are kept as a secret")
    await store.keep_key(pool, SUBMISSION_KEY, None if configured else made, _fingerprint(made))
    kept = await store.kept_key(pool, SUBMISSION_KEY)
    assert kept is not None
    key = configured or kept[0]
    if key is None:
        raise Unavailable("CAIRN_VAULT_KEY is not set, but this vault was opened with one; set the same")
    if not hmac.compare_digest(_fingerprint(key), kept[1]):
        raise Unavailable("CAIRN_VAULT_KEY is not the key that this vault was opened with; resends would not be recognised")
    return key


def _fingerprint(key: bytes) -> bytes:
    return hmac.digest(key, b"cairn submissionhash fingerprint", "sha256")
