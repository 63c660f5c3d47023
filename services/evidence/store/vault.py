"""SQL of the identity vault. Runs on connections of the role `cairn_vault`, which sees the schema `vault` and nothing else."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from services.chassis.postgres import Connection, Pool
from services.evidence.identity import Described

RESOLVE = """
SELECT i.scheme, i.value, i.pseudonym, i.own
FROM unnest($1::text[], $2::text[]) AS asked (scheme, value) JOIN vault.identifiers AS i USING (scheme, value)
"""
# Two imports may meet a person at once: the first pseudonym stays, and both read it back.
ISSUE = """
INSERT INTO vault.identifiers (scheme, value, pseudonym) SELECT * FROM unnest($1::text[], $2::text[], $3::text[])
ON CONFLICT (scheme, value) DO NOTHING
"""
FIRST_KNOWN = """
SELECT scheme, value, pseudonym FROM vault.identifiers WHERE pseudonym = ANY ($1::text[]) AND own IS NULL AND scheme = $2
"""
# The lock makes a merge that is under way come first, or wait: whoever the known one leads to then, the further one does too.
LINK = """
INSERT INTO vault.identifiers (scheme, value, pseudonym, own)
SELECT f.scheme, f.value, i.pseudonym, i.own
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS f (scheme, value, known_scheme, known_value)
JOIN vault.identifiers i ON i.scheme = f.known_scheme AND i.value = f.known_value
FOR SHARE OF i
ON CONFLICT (scheme, value) DO NOTHING
"""
# Locked first, moved by a next statement: that one sees what was linked before the lock was had.
LOCK = "SELECT FROM vault.identifiers WHERE pseudonym = $1 FOR UPDATE"
LEAD = "UPDATE vault.identifiers SET pseudonym = $2, own = coalesce(own, pseudonym) WHERE pseudonym = $1"
GIVE_BACK = """
UPDATE vault.identifiers SET pseudonym = $2, own = nullif(coalesce(own, pseudonym), $2)
WHERE pseudonym = $1 AND coalesce(own, pseudonym) = ANY ($3::text[])
"""
DESCRIBE = """
INSERT INTO vault.people AS p (pseudonym, given, family, lunch, demographics)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[]::jsonb[])
ON CONFLICT (pseudonym) DO UPDATE
SET given = excluded.given, family = excluded.family, lunch = excluded.lunch, demographics = excluded.demographics
WHERE (p.given, p.family, p.lunch, p.demographics)
    IS DISTINCT FROM (excluded.given, excluded.family, excluded.lunch, excluded.demographics)
"""
NAMES = "SELECT pseudonym, given, family FROM vault.people WHERE pseudonym = ANY ($1::text[])"
IDENTIFIERS_OF = """
SELECT DISTINCT ON (pseudonym) pseudonym, scheme, value FROM vault.identifiers
WHERE pseudonym = ANY ($1::text[]) ORDER BY pseudonym, scheme, value
"""
DESCRIBED = """
SELECT pseudonym, given, family, demographics ->> 'birthDate' FROM vault.people WHERE pseudonym = ANY ($1::text[])
"""
# Each word must begin the given or the family name. `starts` holds the words as LIKE patterns, lower case.
# Somebody to whom no identifier leads is merged into somebody else, who is found instead.
SEARCH = """
SELECT pseudonym, given, family FROM vault.people p
WHERE EXISTS (SELECT FROM vault.identifiers i WHERE i.pseudonym = p.pseudonym)
  AND (SELECT bool_and(lower(given) LIKE word OR lower(family) LIKE word) FROM unnest($1::text[]) AS word)
  AND (lower(given) LIKE ANY ($1) OR lower(family) LIKE ANY ($1)) AND starts_with(pseudonym, $2)
ORDER BY lower(family), lower(given), pseudonym LIMIT $3
"""
KEY = "SELECT key, fingerprint FROM vault.keys WHERE name = $1"
KEEP_KEY = "INSERT INTO vault.keys (name, key, fingerprint) VALUES ($1, $2, $3) ON CONFLICT (name) DO NOTHING"


@dataclass(frozen=True, slots=True)
class Person:
    """What the vault knows of somebody. Never leaves the vault's API."""

    pseudonym: str
    given: str
    family: str
    lunch: str | None = None
    demographics: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Name:
    """A person's name as pages show it."""

    pseudonym: str
    given: str
    family: str


Pseudonyms = tuple[str, str | None]


async def resolve(connection: Connection | Pool, identifiers: Collection[tuple[str, str]]) -> dict[tuple[str, str], Pseudonyms]:
    """Of those identifiers that are known, the pseudonym and, where a merge has it lead to another, the one of its own."""
    schemes, values = [scheme for scheme, _ in identifiers], [value for _, value in identifiers]
    rows = await connection.fetch(RESOLVE, schemes, values)
    return {(row[0], row[1]): (row[2], row[3]) for row in rows}


async def issue(connection: Connection | Pool, wanted: Mapping[tuple[str, str], str]) -> dict[tuple[str, str], Pseudonyms]:
    """Give each identifier the pseudonym wanted for it unless it has one; the pseudonyms that hold now."""
    schemes, values = [scheme for scheme, _ in wanted], [value for _, value in wanted]
    await connection.execute(ISSUE, schemes, values, list(wanted.values()))
    return await resolve(connection, wanted.keys())


async def is_borne(connection: Connection | Pool, pseudonym: str) -> bool:
    """Whether an identifier leads to this pseudonym, or did before a merge."""
    found = await connection.fetchval("SELECT true FROM vault.identifiers WHERE pseudonym = $1 OR own = $1 LIMIT 1", pseudonym)
    return bool(found)


async def first_known(connection: Connection | Pool, pseudonyms: Collection[str], scheme: str) -> dict[tuple[str, str], str]:
    """The identifiers of a scheme that lead to these pseudonyms by no merge."""
    rows = await connection.fetch(FIRST_KNOWN, list(pseudonyms), scheme)
    return {(row[0], row[1]): row[2] for row in rows}


async def link(connection: Connection | Pool, further: Collection[tuple[str, str, str, str]]) -> None:
    """Make further identifiers (the first two of each four) lead to whom known ones do. Those that are there stay as they are."""
    await connection.execute(LINK, *map(list, zip(*further, strict=True)))


async def lead(connection: Connection, other: str, survivor: str) -> None:
    """Have every identifier that leads to `other` lead to `survivor`. Runs in the ledger's transaction, under the head's lock."""
    await connection.execute(LOCK, other)
    await connection.execute(LEAD, other, survivor)


async def give_back(connection: Connection, survivor: str, other: str, returned: Sequence[str]) -> None:
    """Have the identifiers whose own pseudonyms are `returned` lead to `other` instead of to `survivor`. As `lead`."""
    await connection.execute(LOCK, survivor)
    await connection.execute(GIVE_BACK, survivor, other, list(returned))


async def describe(connection: Connection | Pool, people: Sequence[Person]) -> int:
    """State what is known of people now; how many of them were new or changed."""
    columns: tuple[Iterable[str | None], ...] = (
        [person.pseudonym for person in people],
        [person.given for person in people],
        [person.family for person in people],
        [person.lunch for person in people],
        [json.dumps(dict(person.demographics), sort_keys=True) for person in people],
    )
    status: str = await connection.execute(DESCRIBE, *columns)
    return int(status.rpartition(" ")[2])


async def identifiers_of(connection: Connection | Pool, pseudonyms: Collection[str]) -> dict[str, tuple[str, str]]:
    """The first identifier, by scheme and value, that leads to each of these people."""
    rows = await connection.fetch(IDENTIFIERS_OF, list(pseudonyms))
    return {row[0]: (row[1], row[2]) for row in rows}


async def described(connection: Connection | Pool, pseudonyms: Collection[str]) -> dict[str, Described]:
    """What tells these people apart, as far as they are known."""
    rows = await connection.fetch(DESCRIBED, list(pseudonyms))
    return {row[0]: Described(row[1], row[2], row[3]) for row in rows}


async def names(connection: Connection | Pool, pseudonyms: Collection[str]) -> list[Name]:
    """The names behind pseudonyms; unknown ones are left out."""
    return [Name(*row) for row in await connection.fetch(NAMES, list(pseudonyms))]


async def search(connection: Connection | Pool, words: Sequence[str], kind: str, limit: int) -> list[Name]:
    """People of a kind (`s-` or `p-`) of whose names each word is a beginning, by family name."""
    patterns = [word.lower().replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%" for word in words]
    return [Name(*row) for row in await connection.fetch(SEARCH, patterns, kind, limit)]


async def kept_key(connection: Connection | Pool, name: str) -> tuple[bytes | None, bytes] | None:
    """A key (None when it is kept elsewhere) and its fingerprint."""
    row = await connection.fetchrow(KEY, name)
    return None if row is None else (row["key"], row["fingerprint"])


async def keep_key(connection: Connection | Pool, name: str, key: bytes | None, fingerprint: bytes) -> None:
    """Keep a key unless one of this name is there already."""
    await connection.execute(KEEP_KEY, name, key, fingerprint)
