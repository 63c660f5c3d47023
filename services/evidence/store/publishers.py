"""SQL of the publishers and their grants."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from services.chassis.postgres import Connection, Pool
from services.evidence.grants import Publisher

COLUMNS = "name, types, schools, quota, sandbox"
ADD = """
INSERT INTO public.publishers (name, keyhash, types, schools, quota, sandbox) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (name) DO NOTHING
RETURNING name
"""
BY_KEY = f"SELECT {COLUMNS} FROM public.publishers WHERE keyhash = $1 AND revoked IS NULL"
BY_NAME = f"SELECT {COLUMNS} FROM public.publishers WHERE name = $1"
SET_QUOTA = "UPDATE public.publishers SET quota = $2 WHERE name = $1 RETURNING name"
REVOKE = "UPDATE public.publishers SET revoked = now() WHERE name = $1 AND revoked IS NULL RETURNING name"
LIST = f"SELECT {COLUMNS}, created, revoked, keyhash IS NOT NULL AS keyed FROM public.publishers ORDER BY name"


@dataclass(frozen=True, slots=True)
class Listed:
    """A publisher as listed. `keyed` False: it has no key, so it is a door of the service itself."""

    publisher: Publisher
    created: datetime
    revoked: datetime | None
    keyed: bool


async def add(connection: Connection | Pool, publisher: Publisher, keyhash: bytes | None) -> bool:
    """Add a publisher; False when the name is taken."""
    schools = None if publisher.schools is None else sorted(publisher.schools)
    types = sorted(publisher.types)
    return await connection.fetchval(ADD, publisher.name, keyhash, types, schools, publisher.quota, publisher.sandbox) is not None


async def by_key(connection: Connection | Pool, keyhash: bytes) -> Publisher | None:
    """The publisher whose key has this hash, unless it is revoked."""
    return _publisher(await connection.fetchrow(BY_KEY, keyhash))


async def by_name(connection: Connection | Pool, name: str) -> Publisher | None:
    """The publisher of this name, revoked or not."""
    return _publisher(await connection.fetchrow(BY_NAME, name))


async def revoke(connection: Connection | Pool, name: str) -> bool:
    """Revoke a publisher's key; False when there is none of this name in force."""
    return await connection.fetchval(REVOKE, name) is not None


async def set_quota(connection: Connection | Pool, name: str, quota: int | None) -> bool:
    """Give a publisher a quota of its own, or (None) the setting's; False when there is none of this name."""
    return await connection.fetchval(SET_QUOTA, name, quota) is not None


async def listed(connection: Connection | Pool) -> list[Listed]:
    """Every publisher, by name."""
    rows = await connection.fetch(LIST)
    return [Listed(granted(row), row["created"], row["revoked"], row["keyed"]) for row in rows]


def _publisher(row: asyncpg.Record | None) -> Publisher | None:
    return None if row is None else granted(row)


def granted(row: asyncpg.Record) -> Publisher:
    """A publisher with its grant, from a row that has its columns."""
    types, schools = frozenset(row["types"]), _all_or(row["schools"])
    return Publisher(row["name"], types, schools, quota=row["quota"], sandbox=row["sandbox"])


def _all_or(schools: Iterable[str] | None) -> frozenset[str] | None:
    return None if schools is None else frozenset(schools)
