"""SQL of records of evidence: where one begins, whose it is, who holds it.

Owns: `sourcekeys`, `records`, `holders`. Must not: decide who may correct what (`corrections` does).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from contracts.ids import uuid7_day
from services.chassis.postgres import Connection, Queryable
from services.evidence.corrections import Found, Named
from services.evidence.deduplication import Pair
from services.evidence.domain import Draft

OF_KEYS = """
SELECT k.source, k.sourcekey, s.record FROM unnest($1::text[], $2::text[]) AS k (source, sourcekey)
JOIN public.sourcekeys s ON s.source = k.source AND s.sourcekey = k.sourcekey
"""

# An id that tells its day is looked for under that day alone. Others are looked for under all days, a probe each.
OF_IDS = """
SELECT k.source, k.id, s.position FROM unnest($1::text[], $2::text[], $3::date[]) AS k (source, id, day),
LATERAL (SELECT min(position) AS position FROM public.seen WHERE day = k.day AND source = k.source AND id = k.id) s
WHERE s.position IS NOT NULL
"""
OF_IDS_OF_ANY_DAY = """
SELECT k.source, k.id, s.position FROM unnest($1::text[], $2::text[]) AS k (source, id),
LATERAL (SELECT min(position) AS position FROM public.seen WHERE source = k.source AND id = k.id) s
WHERE s.position IS NOT NULL
"""

# A record belongs to the pseudonym to which the identifier of its first piece led when that pseudonym was given.
OF_POSITIONS = """
SELECT t.position, t.type, f.position AS record,
       coalesce(convert_from(f.record, 'UTF8')::json ->> 'resolvedfrom', f.subject) AS owner
FROM public.ledger t LEFT JOIN public.records r ON r.position = t.position
JOIN public.ledger f ON f.position = coalesce(r.record, t.position)
WHERE t.position = ANY ($1::bigint[]) AND f.subject IS NOT NULL
"""

# From the owner up: into whom she is merged now, into whom that one is, and so on. Of those, the ones who hold the record.
HOLDERS = """
WITH RECURSIVE path (record, node, depth) AS (
    SELECT record, owner, 0 FROM unnest($1::bigint[], $2::text[]) AS asked (record, owner)
    UNION ALL
    SELECT p.record, m.survivor, p.depth + 1 FROM path p JOIN public.merges m ON m.other = p.node
)
SELECT p.record, p.node, p.node = l.subject OR EXISTS (
    SELECT FROM public.holders h WHERE h.position = p.record AND h.holder = p.node
) AS holds
FROM path p JOIN public.ledger l ON l.position = p.record ORDER BY p.record, p.depth
"""

OF_RECORD = """
SELECT l.record FROM (SELECT $1::bigint AS position UNION SELECT position FROM public.records WHERE record = $1) r
JOIN public.ledger l USING (position) ORDER BY l.position
"""

KEEP_KEYS = "INSERT INTO public.sourcekeys (source, sourcekey, record) SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[])"
KEEP_RECORDS = "INSERT INTO public.records (position, record) SELECT * FROM unnest($1::bigint[], $2::bigint[])"
KEEP_HOLDERS = "INSERT INTO public.holders (position, holder) SELECT * FROM unnest($1::bigint[], $2::text[])"


async def find(on: Queryable, names: Collection[Named]) -> dict[Named, Found]:
    """The events and records that these names lead to; unknown ones are left out."""
    keys = {(name.source, name.sourcekey): name for name in names if name.sourcekey is not None}
    ids = {(name.source, name.id): name for name in names if name.id is not None}
    positions = {keys[key]: position for key, position in (await of_keys(on, keys)).items()} if keys else {}
    positions |= {ids[pair]: position for pair, position in (await of_ids(on, ids)).items()} if ids else {}
    found = await at(on, set(positions.values())) if positions else {}
    return {name: found[position] for name, position in positions.items() if position in found}


async def of_keys(on: Queryable, keys: Collection[Pair]) -> dict[Pair, int]:
    """Where the records under these (source, sourcekey) begin; unknown keys are left out."""
    sources, sourcekeys = [source for source, _ in keys], [key for _, key in keys]
    return {(row[0], row[1]): row[2] for row in await on.fetch(OF_KEYS, sources, sourcekeys)}


async def of_ids(on: Queryable, pairs: Collection[Pair]) -> dict[Pair, int]:
    """The first position of each of these (source, id); unknown ones are left out."""
    dated = [(*pair, day) for pair in pairs if (day := uuid7_day(pair[1])) is not None]
    others = [pair for pair in pairs if uuid7_day(pair[1]) is None]
    rows = list(await on.fetch(OF_IDS, *_columns(dated, 3))) if dated else []
    rows += await on.fetch(OF_IDS_OF_ANY_DAY, *_columns(others, 2)) if others else []
    return {(row[0], row[1]): row[2] for row in rows}


async def at(on: Queryable, positions: Collection[int]) -> dict[int, Found]:
    """What stands at these positions, with its record; events of no student are left out."""
    rows = await on.fetch(OF_POSITIONS, list(positions))
    owners = {row["record"]: row["owner"] for row in rows}
    path: dict[int, list[tuple[str, bool]]] = {}
    for record, node, holds in await on.fetch(HOLDERS, list(owners), list(owners.values())):
        path.setdefault(record, []).append((node, holds))
    return {row["position"]: _found(row["position"], row["type"], row["record"], row["owner"], path[row["record"]]) for row in rows}


def _found(position: int, type: str, record: int, owner: str, path: Sequence[tuple[str, bool]]) -> Found:
    holders = tuple(node for node, holds in path if holds)
    return Found(position, type, record, owner, person=path[-1][0], holders=holders)


async def of_record(on: Queryable, record: int) -> list[bytes]:
    """Every event that belongs to the record that begins there, in log order."""
    return [row[0] for row in await on.fetch(OF_RECORD, record)]


async def remember(connection: Connection, drafts: Sequence[Draft], first: int) -> None:
    """Keep what these drafts, appended from position `first` on, begin and belong to, and who else holds them."""
    begun: dict[Pair, int] = {}
    linked: list[tuple[int, int]] = []
    held: list[tuple[int, str]] = []
    for position, draft in enumerate(drafts, first):
        held += [(position, holder) for holder in draft.sharedwith]
        if (link := draft.link) is None:
            continue
        record = link.record
        if record is None and link.sourcekey is not None:
            record = begun.setdefault((draft.source, link.sourcekey), position)
        if record is not None and record != position:
            linked.append((position, record))
    if begun:
        await connection.execute(KEEP_KEYS, *_columns([(*key, record) for key, record in begun.items()], 3))
    if linked:
        await connection.execute(KEEP_RECORDS, *_columns(linked, 2))
    if held:
        await connection.execute(KEEP_HOLDERS, *_columns(held, 2))


def _columns(rows: Sequence[tuple[object, ...]], count: int) -> list[list[object]]:
    """Rows as columns, as `unnest` takes them."""
    return [[row[n] for row in rows] for n in range(count)]
