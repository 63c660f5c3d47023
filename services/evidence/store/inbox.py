"""SQL of the inboxes: who reads which, how far each was taken, and the answers that are still to be told."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import NamedTuple
from uuid import UUID

from services.chassis.postgres import Connection, Pool
from services.evidence.domain import Cursor, Told
from services.evidence.grants import Publisher
from services.evidence.store.publishers import granted

IS_PUBLISHER = "SELECT true FROM public.publishers WHERE name = $1 AND keyhash IS NOT NULL AND revoked IS NULL"
OPEN = "INSERT INTO public.inboxes (publisher) VALUES ($1) ON CONFLICT DO NOTHING"

# Each with its publisher's grant as it is now. What another worker is just looking at is left to it.
HOLD = """
WITH mine AS (
    SELECT i.publisher FROM public.inboxes i JOIN public.publishers p ON p.name = i.publisher
    WHERE p.revoked IS NULL AND (i.holder = $1 OR i.held_until IS NULL OR i.held_until < clock_timestamp())
    ORDER BY i.publisher FOR UPDATE OF i SKIP LOCKED
), held AS (
    UPDATE public.inboxes i SET holder = $1, held_until = clock_timestamp() + $2::interval
    FROM mine WHERE i.publisher = mine.publisher RETURNING i.publisher
)
SELECT p.* FROM held JOIN public.publishers p ON p.name = held.publisher
"""
LET_GO = "UPDATE public.inboxes SET held_until = NULL WHERE holder = $1"

BEGIN = """
INSERT INTO public.inbox_cursors (topic, partition, publisher, next)
SELECT $1, n, $3, 0 FROM generate_series(0, $2::integer - 1) AS n ON CONFLICT DO NOTHING
"""
CURSORS = "SELECT partition, next FROM public.inbox_cursors WHERE topic = $1 ORDER BY partition"
IS_MADE_ANEW = """
SELECT count(*) > 0 AND count(*) FILTER (WHERE topic = $2) = 0 FROM public.inbox_cursors WHERE publisher = $1
"""
MOVE = """
UPDATE public.inbox_cursors SET next = $4 WHERE topic = $1 AND partition = $2 AND next = $3 RETURNING true
"""
RESTART = "UPDATE public.inbox_cursors SET next = 0 WHERE publisher = $1"

ANSWER = """
INSERT INTO public.inbox_answers (publisher, topic, partition, "offset", answer)
SELECT $1, $2, $3, told.* FROM unnest($4::bigint[], $5::bytea[]) AS told
"""
TO_TELL = """
SELECT number, topic, partition, "offset", answer FROM public.inbox_answers WHERE publisher = $1 ORDER BY number LIMIT $2
"""
WAITING = "SELECT count(*) FROM (SELECT FROM public.inbox_answers WHERE publisher = $1 LIMIT $2) AS untold"
TOLD = "DELETE FROM public.inbox_answers WHERE number = ANY ($1::bigint[])"


class Answered(NamedTuple):
    """An answer to be told: what became of the record at an offset of a partition of an inbox."""

    number: int
    topic: UUID
    partition: int
    offset: int
    answer: bytes


async def is_publisher(pool: Pool, name: str) -> bool:
    """Whether somebody outside bears this name, with a key that is in force."""
    return bool(await pool.fetchval(IS_PUBLISHER, name))


async def open_inbox(pool: Pool, publisher: str) -> None:
    """Have the inbox of a publisher read."""
    await pool.execute(OPEN, publisher)


async def hold(pool: Pool, holder: UUID, seconds: float) -> list[Publisher]:
    """Take, and keep, every inbox that nobody else holds; the publishers of those that are this worker's now."""
    return [granted(row) for row in await pool.fetch(HOLD, holder, timedelta(seconds=seconds))]


async def let_go(pool: Pool, holder: UUID) -> None:
    """Leave the inboxes to whoever comes next."""
    await pool.execute(LET_GO, holder)


async def begin(pool: Pool, topic: UUID, partitions: int, publisher: str) -> dict[int, int]:
    """The cursors of a topic, {partition: next}, beginning at 0 for partitions that have none yet."""
    await pool.execute(BEGIN, topic, partitions, publisher)
    return {row[0]: row[1] for row in await pool.fetch(CURSORS, topic)}


async def is_made_anew(pool: Pool, publisher: str, topic: UUID) -> bool:
    """Whether the publisher's inbox was another topic until now."""
    return bool(await pool.fetchval(IS_MADE_ANEW, publisher, topic))


async def restart(pool: Pool, publisher: str) -> None:
    """Have the whole inbox taken again: what was taken before then counts as duplicates."""
    await pool.execute(RESTART, publisher)


async def move(connection: Connection, cursor: Cursor) -> bool:
    """Move a cursor from where its reader saw it; False when it stands elsewhere."""
    return bool(await connection.fetchval(MOVE, cursor.topic, cursor.partition, cursor.next, cursor.following))


async def answer(connection: Connection, cursor: Cursor, told: Sequence[Told]) -> None:
    """Keep what is to be told about records, until it is told."""
    offsets, answers = [each.offset for each in told], [each.answer for each in told]
    await connection.execute(ANSWER, cursor.publisher, cursor.topic, cursor.partition, offsets, answers)


async def to_tell(pool: Pool, publisher: str, limit: int) -> list[Answered]:
    """The oldest answers that a publisher was not told."""
    return [Answered(*row) for row in await pool.fetch(TO_TELL, publisher, limit)]


async def waiting(pool: Pool, publisher: str, most: int) -> int:
    """How many answers a publisher was not told, counted up to `most`."""
    count: int = await pool.fetchval(WAITING, publisher, most)
    return count


async def told(pool: Pool, numbers: Iterable[int]) -> None:
    """Forget answers that were told."""
    await pool.execute(TOLD, list(numbers))
