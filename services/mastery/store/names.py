"""Short numbers for competencies, and what a policy's position is called."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from services.chassis.postgres import Connection
from services.mastery.standings import Key


async def keys(connection: Connection, partition: int, competencies: Collection[Key]) -> dict[Key, int]:
    """The numbers of competencies in a partition; one that has none gets the next.

    The partition's cursor row is locked by whoever calls this to write, so nobody else gives numbers meanwhile.
    """
    known = await _known(connection, partition, competencies)
    if len(known) < len(competencies):
        await _number(connection, partition, sorted(set(competencies) - known.keys()))
        known = await _known(connection, partition, competencies)
    return known


async def _known(connection: Connection, partition: int, competencies: Collection[Key]) -> dict[Key, int]:
    rows = await connection.fetch(
        """
        SELECT c.framework, c.competency, c.key
        FROM unnest($2::text[], $3::text[]) AS asked (framework, competency)
        JOIN competencies AS c ON c.partition = $1 AND c.framework = asked.framework AND c.competency = asked.competency
        """,
        partition,
        [framework for framework, _ in competencies],
        [competency for _, competency in competencies],
    )
    return {(row["framework"], row["competency"]): row["key"] for row in rows}


async def _number(connection: Connection, partition: int, competencies: Collection[Key]) -> None:
    await connection.execute(
        """
        INSERT INTO competencies (partition, key, framework, competency)
        SELECT $1, coalesce((SELECT max(key) FROM competencies WHERE partition = $1), 0) + new.number, framework, competency
        FROM unnest($2::text[], $3::text[]) WITH ORDINALITY AS new (framework, competency, number)
        """,
        partition,
        [framework for framework, _ in competencies],
        [competency for _, competency in competencies],
    )


async def all_keys(connection: Connection, partition: int) -> dict[int, Key]:
    """Every competency of a partition by its number."""
    rows = await connection.fetch("SELECT key, framework, competency FROM competencies WHERE partition = $1", partition)
    return {row["key"]: (row["framework"], row["competency"]) for row in rows}


async def add_policies(connection: Connection, named: Iterable[tuple[int, str, int]]) -> None:
    """Know what policy versions are called: (position, policy, version)."""
    await connection.executemany(
        "INSERT INTO policies (position, policy, version) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING", list(named)
    )


async def all_policies(connection: Connection) -> dict[int, tuple[str, int]]:
    """Every policy version by its position."""
    rows = await connection.fetch("SELECT position, policy, version FROM policies")
    return {row["position"]: (row["policy"], row["version"]) for row in rows}
