"""Asking a log's owner to publish again: a consumer that finds a gap asks over HTTP, the owner's relay does it.

The door is one row a partition in the owner's database, so it does not matter which of its processes is asked. An ask is not
kept once taken: a consumer that still finds the gap asks again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field

from services.chassis.operators import operator
from services.chassis.postgres import Pool, passing

ASK = """
INSERT INTO public.republications AS r (log, partition, sequence) VALUES ($1, $2, $3)
ON CONFLICT (log, partition) DO UPDATE SET sequence = least(r.sequence, excluded.sequence)
"""

TAKE = "DELETE FROM public.republications WHERE log = $1 RETURNING partition, sequence"


class Republication(BaseModel):
    """What is asked for: everything of one partition from `sequence` on."""

    model_config = ConfigDict(strict=True, extra="forbid")

    partition: Annotated[int, Field(ge=0, le=1023)]
    sequence: Annotated[int, Field(ge=0, le=2**62)]


async def ask(pool: Pool, log: str, partition: int, sequence: int) -> None:
    """Have the owner's relay publish this partition again from `sequence` on."""
    with passing():
        await pool.execute(ASK, log, partition, sequence)


async def take(pool: Pool, log: str) -> dict[int, int]:
    """What was asked for, {partition: sequence}; it is taken away."""
    with passing():
        return {row[0]: row[1] for row in await pool.fetch(TAKE, log)}


def routes(log: str, pool_of: Callable[[Request], Pool]) -> APIRouter:
    """`POST /v1/log/republish`, for the owner of `log`. A fold passes over repeats, but a topic keeps them: operators only.

    `pool_of` finds the pool of the owner's database, e.g. `lambda request: request.app.state.pool`.
    """
    router = APIRouter()

    @router.post("/v1/log/republish", status_code=202, dependencies=[Depends(operator)])
    async def republish(wanted: Republication, request: Request) -> Republication:
        await ask(pool_of(request), log, wanted.partition, wanted.sequence)
        return wanted

    return router
