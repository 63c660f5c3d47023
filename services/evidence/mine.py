"""What a publisher may ask about itself: what was refused and why, what waits, how it delivers.

`routes` is for the API, which knows who asks. Must not: show anybody what another publisher sent.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, Field

from contracts.submissions import Instant
from services.chassis.docs.explanations import docs_of
from services.chassis.errors import Rejected
from services.evidence.grants import Publisher
from services.evidence.scorecards import Scorecard
from services.evidence.store import kept, scorecards
from services.evidence.store.kept import KeptRejection, Wanted

MOST_AT_ONCE = 500


class RejectionTold(BaseModel):
    """A submission that was refused. `number` is its place in the quarantine."""

    number: int
    came: datetime
    source: str | None
    id: str | None
    code: str
    pointer: str
    expected: str
    docs: str


class Rejections(BaseModel):
    """Rejections by their numbers, ascending. `next`: the `after` of the following page; null when there is none."""

    rejections: list[RejectionTold]
    next: int | None


class Payload(BaseModel):
    """What was sent, as it came; signs that are no UTF-8 are shown as U+FFFD."""

    number: int
    payload: str


class HoldTold(BaseModel):
    """A submission that waits; it comes in by itself."""

    came: datetime
    source: str
    id: str
    reason: str
    docs: str


class Holds(BaseModel):
    """What waits, the oldest first."""

    held: list[HoldTold]


class ScorecardTold(BaseModel):
    """received = accepted + duplicate + rejected + held; `reasons` add up to rejected; `late` are among the accepted."""

    publisher: str
    sandbox: bool
    received: int
    accepted: int
    duplicate: int
    rejected: int
    held: int
    late: int = Field(description="happened more than 7 days before they were recorded")
    conflicts: int = Field(description="other content under an id that was sent before")
    reasons: dict[str, int] = Field(description="rejected, by code")
    last_seen: datetime | None
    expected_by: datetime | None = Field(description="when a delivery is due; null: none is expected")
    silent: bool = Field(description="a delivery that was expected has not come")


async def scorecards_of(pool: Any, publisher: str | None = None) -> list[ScorecardTold]:
    """The scorecards as they are told, of every publisher or of one."""
    zone, now = await scorecards.zone(pool), datetime.now(UTC)

    def told(card: Scorecard) -> ScorecardTold:
        names = ScorecardTold.model_fields.keys() - {"expected_by", "silent"}
        fields = {name: getattr(card, name) for name in names}
        return ScorecardTold(**fields, expected_by=card.expected_by(zone), silent=card.silent(now, zone))

    return [told(card) for card in await scorecards.read(pool, publisher)]


def _told(it: KeptRejection) -> RejectionTold:
    return RejectionTold(
        number=it.number,
        came=it.came,
        source=it.source,
        id=it.id,
        code=it.code,
        pointer=it.pointer,
        expected=it.expected,
        docs=docs_of(it.code),
    )


def routes(publisher: Callable[..., Awaitable[Publisher]]) -> APIRouter:
    """The addresses under `/v1/publishers/me`. `publisher` is the dependency that knows whose key a request bears."""
    router = APIRouter(prefix="/v1/publishers/me")
    me = Depends(publisher)

    @router.get("/rejections")
    async def rejections(
        request: Request,
        sender: Publisher = me,
        code: Annotated[str | None, Query(max_length=64, pattern=r"^[a-z0-9-]+$")] = None,
        since: Instant | None = None,
        after: Annotated[int, Query(ge=0, le=2**62)] = 0,
        limit: Annotated[int, Query(ge=1, le=MOST_AT_ONCE)] = 100,
    ) -> Rejections:
        """What was refused of what this publisher sent, and why. Kept for 30 days, the last 10,000."""
        found = await kept.rejections(request.app.state.pool, Wanted(sender.name, code, since), after, limit)
        told = [_told(it) for it in found]
        return Rejections(rejections=told, next=found[-1].number if len(found) == limit else None)

    @router.get("/rejections/{number}")
    async def rejection(request: Request, number: int, sender: Publisher = me) -> Payload:
        """What was sent, of one rejection: the publisher's own bytes, shown to nobody but it and district IT."""
        if not 0 <= number < 2**62 or (found := await kept.payload(request.app.state.pool, number, sender.name)) is None:
            raise Rejected("unknown-rejection", "the number of a rejection of this publisher's that is kept", status=404)
        return Payload(number=number, payload=found.decode(errors="replace"))

    @router.get("/held")
    async def held(request: Request, sender: Publisher = me, limit: Annotated[int, Query(ge=1, le=MOST_AT_ONCE)] = 100) -> Holds:
        """What waits until its people are known."""
        found = await kept.held(request.app.state.pool, Wanted(sender.name), limit)
        told = [HoldTold(came=it.came, source=it.source, id=it.id, reason=it.reason, docs=docs_of(it.reason)) for it in found]
        return Holds(held=told)

    @router.get("/scorecard")
    async def scorecard(request: Request, sender: Publisher = me) -> ScorecardTold:
        """How this publisher delivers."""
        [told] = await scorecards_of(request.app.state.pool, sender.name)
        return told

    return router
