"""The swap: a generation that was rebuilt takes over from the one that serves, at a tick, with equal digests, blocking nobody.

Under the serving row's lock the swap is set pending: T is the first tick beyond anything that either generation has
applied. Neither crosses T. There their exact digests are compared; equal ones are swapped in one transaction, which checks
everything again under the lock. The old generation goes on, muted and warm, so a rollback is the same the other way.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from services.chassis.errors import Conflict, Rejected, Unavailable
from services.chassis.postgres import Connection, Pool, once, passing, retry
from services.chassis.projection import serving
from services.chassis.projection.cursor import Cursor
from services.chassis.projection.digest import Digest
from services.chassis.projection.view import View

# After this long a pending swap is void: both generations go on, as if it had not been asked for.
DEADLINE_SECONDS = 60
POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Swapped:
    """A swap that was done: from, to, at which tick, with which digest."""

    old: int
    new: int
    tick: dt.datetime
    digest: Digest


class Different(Exception):  # noqa: N818 - a finding, which the operator decides about
    """The generations disagree at the tick; nothing was swapped. `partitions` are those whose digests differ."""

    def __init__(self, old: int, new: int, tick: dt.datetime, partitions: tuple[int, ...]) -> None:
        super().__init__(
            f"generation {new} differs from generation {old} at {tick.isoformat()} in {len(partitions)} partitions "
            f"({', '.join(map(str, partitions))}); nothing was swapped"
        )
        self.partitions = partitions


async def swap(
    pool: Pool,
    view: View[Any],
    target: int,
    *,
    ask_tick: Callable[[], Awaitable[None]],
    actor: str,
    reason: str,
    deadline: float = DEADLINE_SECONDS,
) -> Swapped:
    """Let `target` serve. Raises `Different` when the digests differ, `Unavailable` if both do not stand at T by the deadline.

    `ask_tick` asks the log for a tick, so that the cut does not wait for traffic. Several may be asked for: one too early is
    not beyond what has been applied.
    """
    old = await once(pool, lambda connection: _set_pending(connection, view, target, deadline, actor, reason))
    try:
        async with asyncio.timeout(deadline):
            await _until_at_cut(pool, view, old, target, ask_tick)
            return await once(pool, lambda connection: _flip(connection, view, old, target, actor, reason))
    except TimeoutError:
        raise Unavailable(
            f"generations {old} and {target} did not both reach the cut within {deadline:g} s; nothing was swapped. "
            "Is the worker running and caught up (`generations`)?"
        ) from None
    finally:
        await _void(pool, target)


async def void_expired(connection: Connection) -> None:
    """Void a pending swap whose deadline has passed. Anyone may."""
    await connection.execute(
        "UPDATE public.serving SET pending = NULL, after_tick = NULL, deadline = NULL WHERE deadline < clock_timestamp()"
    )


async def _set_pending(
    connection: Connection, view: View[Any], target: int, deadline: float, actor: str, reason: str
) -> tuple[str, int]:
    served = await serving.lock(connection)
    if served.pending is not None and not served.expired:
        raise Rejected("swap-pending", "no other swap under way: wait for its deadline", status=409)
    if target == served.generation:
        raise Rejected("already-serving", "a generation that does not serve yet", status=409)
    if target not in {generation.generation for generation in await serving.generations(connection)}:
        raise Rejected("unknown-generation", "a generation that exists (see `generations`)", status=404)
    both = [
        *await serving.cursors_of(connection, view.name, served.generation),
        *await serving.cursors_of(connection, view.name, target),
    ]
    await connection.execute(
        """
        UPDATE public.serving SET pending = $1, after_tick = $2,
               deadline = clock_timestamp() + make_interval(secs => $3)
        """,
        target,
        _last_tick(both),
        deadline,
    )
    return await serving.record(connection, "swap asked", target, actor, reason), served.generation


def _last_tick(cursors: Sequence[Cursor]) -> dt.datetime:
    """The last tick that anyone has applied on any input: the cut is beyond it. The epoch before the first tick."""
    ticks = [tick for cursor in cursors for tick in cursor.ticks if tick is not None]
    return max(ticks, default=dt.datetime(1970, 1, 1, tzinfo=dt.UTC))


async def _until_at_cut(pool: Pool, view: View[Any], old: int, new: int, ask_tick: Callable[[], Awaitable[None]]) -> None:
    asked = 0.0
    loop = asyncio.get_running_loop()
    while True:
        if loop.time() - asked > 1:
            await ask_tick()
            asked = loop.time()
        with passing():
            async with pool.acquire() as connection:
                served = await serving.peek(connection)
                cut = await _cut(connection, view, old, new, served.after_tick) if served.after_tick else None
        if served.pending != new or served.after_tick is None:
            raise Conflict("the pending swap was voided by somebody else")
        if cut is not None:
            return
        await asyncio.sleep(POLL_SECONDS)


async def _cut(
    connection: Connection, view: View[Any], old: int, new: int, after: dt.datetime
) -> tuple[dt.datetime, list[Cursor], list[Cursor]] | None:
    """The tick at which every input of every partition of both generations stands, and the cursors there; None if not yet."""
    olds = await serving.cursors_of(connection, view.name, old)
    news = await serving.cursors_of(connection, view.name, new)
    ticks = {tick for cursor in (*olds, *news) for tick in cursor.ticks}
    if len(ticks) != 1 or None in ticks:
        return None
    (tick,) = ticks
    return (tick, olds, news) if tick is not None and tick > after else None


async def _flip(connection: Connection, view: View[Any], old: int, new: int, actor: str, reason: str) -> tuple[str, Swapped]:
    """Compare and swap, in one transaction under the serving row's lock: no projection is within a transaction meanwhile."""
    served = await serving.lock(connection)
    if served.pending != new or served.generation != old or served.expired or served.after_tick is None:
        raise Conflict("the pending swap was voided by somebody else")
    at_cut = await _cut(connection, view, old, new, served.after_tick)
    if at_cut is None:
        raise Conflict("a generation has left the cut")
    tick, olds, news = at_cut
    differing = tuple(a.partition for a, b in zip(olds, news, strict=True) if a.digest.exact != b.digest.exact)
    if differing:
        raise Different(old, new, tick, differing)
    await connection.execute("UPDATE public.serving SET generation = $1, pending = NULL, after_tick = NULL, deadline = NULL", new)
    xid = await serving.record(connection, "swap", new, actor, reason)
    return xid, Swapped(old, new, tick, sum((cursor.digest for cursor in news), Digest()))


async def _void(pool: Pool, target: int) -> None:
    """Clear the pending swap of `target`, if it still stands: a failed one must hold nobody."""
    clear = "UPDATE public.serving SET pending = NULL, after_tick = NULL, deadline = NULL WHERE pending = $1"
    await retry(lambda: pool.execute(clear, target))
