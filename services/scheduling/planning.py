"""How a plan is made: one snapshot of the view is read, solved, and published in one transaction, or not at all.

The door that a person asks through (command or API) calls `plan`. Nothing else publishes.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from contracts.ids import partition_of
from services.chassis.errors import Conflict, Rejected, Unavailable
from services.chassis.log.outbox import Emission
from services.chassis.postgres import Connection, Pool, retry
from services.chassis.projection.serving import Standing, reading
from services.chassis.telemetry import traceparent
from services.scheduling.domain import Announcement, Draft, Header, School, announce, next_header, week_of
from services.scheduling.seating import Plan, Problem, digest, solve
from services.scheduling.solver import assign
from services.scheduling.store import plans, schools
from services.scheduling.week import monday_of

VIEW = "scheduling"
# A draft loses only against a newer plan of the same week: who loses this often is not alone, and can ask again.
ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class Published:
    """A plan in force. `new`: published just now; otherwise the same input had given it before, and nothing was written."""

    header: Header
    plan: Plan
    new: bool


async def plan(pool: Pool, school: str, week: str) -> tuple[Published, Standing]:
    """Plan a school's week (`2026-W41`, or a date in it) from what is known now, and publish what that changes.

    Raises `Rejected` for an unknown school, one without a calendar, or a week that is none.
    """
    for _ in range(ATTEMPTS - 1):
        try:
            made, standing = await draft(pool, school, week)
            return await publish(pool, made, len(standing.cursors)), standing
        except Conflict:
            continue
    made, standing = await draft(pool, school, week)
    return await publish(pool, made, len(standing.cursors)), standing


async def draft(pool: Pool, school: str, week: str) -> tuple[Draft, Standing]:
    """Solve a school's week from one snapshot of the view; nothing is written. Raises like `plan`."""
    monday = monday_of(week)
    async with reading(pool, VIEW) as (connection, standing):
        facts = await school_at(connection, school, standing)
    problem, solved = await asyncio.to_thread(_solve, facts, monday)
    made = Draft(
        school=school,
        week=monday,
        digest=digest(problem),
        plan=solved,
        input=standing.position,
        entries=sum(sum(cursor.next) for cursor in standing.cursors),
        time=tick_of(standing),
    )
    return made, standing


async def publish(pool: Pool, draft: Draft, partitions: int) -> Published:
    """Put a draft in force, in one transaction: the plan's tables and what is said of it. Nothing if its input was planned already.

    Raises `Conflict` if a plan that has read more has come meanwhile.
    """

    async def transaction() -> Published:
        async with pool.acquire() as connection, connection.transaction():
            return await _publish(connection, draft, partitions)

    return await retry(transaction)


async def _publish(connection: Connection, draft: Draft, partitions: int) -> Published:
    await plans.lock(connection, draft.school, draft.week)
    before = await plans.current(connection, draft.school, draft.week)
    replaced = await plans.read(connection, before.plan) if before else Plan((), ())
    if before is not None and before.digest == draft.digest:
        return Published(before, replaced, new=False)
    if before is not None and before.entries > draft.entries:
        raise Conflict("a plan that has read more is in force")
    header = next_header(draft, before)
    await plans.write(connection, header, draft.plan, before)
    await _say(connection, header, announce(header, replaced.seats, draft.plan.seats), partitions)
    return Published(header, draft.plan, new=True)


async def _say(connection: Connection, header: Header, announcements: Sequence[Announcement], partitions: int) -> None:
    """Everything said of a plan goes out with it. Partitions in ascending order: that is the order of their locks."""
    for partition in range(partitions):
        heard = [each for each in announcements if each.subject is None or partition_of(each.subject, partitions) == partition]
        await plans.emit(connection, partition, [_emission(header, each) for each in heard])


def _emission(header: Header, said: Announcement) -> Emission:
    # A plan happens at the tick that it was made from, so that no clock is read.
    cause = header.event if said.subject else None
    return Emission(said.data, said.id, said.subject, header.time, header.time, cause, traceparent())


def _solve(school: School, monday: dt.date) -> tuple[Problem, Plan]:
    problem = week_of(school, monday)
    return problem, solve(problem, assign)


def tick_of(standing: Standing) -> dt.datetime:
    """The tick that a snapshot stands for. `Unavailable` while there is none."""
    if standing.time is None:
        raise Unavailable("the view has passed no tick yet: its worker (`cairn scheduling work`) is catching up")
    return standing.time


async def school_at(connection: Connection, school: str, standing: Standing) -> School:
    """What is known of a school in a snapshot. Raises `Rejected` for an unknown one, or one without a calendar."""
    tick_of(standing)
    if not await schools.known(connection, school, standing.position):
        raise Rejected("unknown-school", "the code of a registered school", status=404)
    found = await schools.read(connection, school, standing.position)
    if found is None:
        raise Rejected("no-calendar", "a school whose calendar was published", status=409)
    return found
