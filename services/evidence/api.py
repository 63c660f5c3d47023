"""HTTP: `POST /v1/evidence` and what is asked about events, the log, publishers and names.

Parses, calls, maps outcomes to statuses. Must not: hold rules or SQL.
"""

from __future__ import annotations

from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, Header, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from contracts.codec import timestamp
from contracts.ids import EventId, Pseudonym, Source
from contracts.submissions import SUBMISSIONS
from contracts.topics import EVIDENCE_LOG
from services.chassis.errors import Rejected
from services.chassis.log import republish
from services.chassis.operators import operator
from services.chassis.problems import PROBLEM_JSON, PROBLEMS, Problem, problem
from services.evidence import answers, mine
from services.evidence.answers import ABANDONED, CONFLICT, FOREIGN
from services.evidence.body import read_body
from services.evidence.domain import Conflicting, Foreign, Held, Receipt, Refused, Valid
from services.evidence.grants import Publisher
from services.evidence.ledger import Ledger
from services.evidence.parse import FORMS, Items, form_of, parse
from services.evidence.publishers import Publishers
from services.evidence.store import kept
from services.evidence.submit import Answer
from services.evidence.vault import STAFF, STUDENT, Vault

router = APIRouter(responses=PROBLEMS)

JSON = "application/json"
MOST_NAMES = 1000
SUBMISSIONS_PATH = "/v1/evidence"


async def publisher(request: Request, authorization: Annotated[str | None, Header()] = None) -> Publisher:
    """The publisher whose key the request bears."""
    publishers: Publishers = request.app.state.publishers
    return await publishers.of(authorization)


_ITEM = {"oneOf": [{"$ref": f"#/components/schemas/{model.__name__}"} for model in SUBMISSIONS.values()]}
_BATCH = {"type": "array", "items": _ITEM, "minItems": 1, "maxItems": 500}
_BODIES = {"event": _ITEM, "batch": _BATCH, "either": {"oneOf": [_ITEM, _BATCH]}, "lines": {"type": "string"}}
_SUBMISSION: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "One event, an array, or one a line; at most 32 KiB an event, 500 events and 1 MiB a request; gzip or not.",
        "content": {media: {"schema": _BODIES[form]} for media, form in FORMS.items()},
    }
}


@router.post(
    SUBMISSIONS_PATH,
    openapi_extra=_SUBMISSION,
    responses={
        200: {"model": answers.Results, "description": "Every item was taken (one event: it was sent before, or is valid)"},
        201: {"model": answers.Result, "description": "One event: it is in the log"},
        202: {"model": answers.Result, "description": "One event: it waits until its people are known"},
        207: {"model": answers.Results, "description": "Some items were refused"},
        409: {"model": Problem, "description": "One event: other content was sent under this source and id"},
        422: {"model": answers.RefusedBatch, "description": "An atomic batch with a bad item: nothing was taken"},
        429: {"model": Problem, "description": "The publisher's quota is used up: nothing was received. See Retry-After"},
        503: {"model": Problem, "description": "Too much to do, or a part is away: send the same again. See Retry-After"},
    },
)
async def submit(
    request: Request,
    sender: Annotated[Publisher, Depends(publisher)],
    atomic: Annotated[bool, Query(description="all or none")] = False,
    validate_only: Annotated[bool, Query(description="say what is wrong, and take, keep and count nothing")] = False,
) -> Response:
    """Submit evidence, or other events that the publisher's grant names. Answers once it is durable."""
    state = request.app.state
    state.quotas.must_be_open(sender)
    form = form_of(request.headers.get("content-type", ""))
    body = await _body(request, sender, keep=not validate_only)
    try:
        items = parse(body, form)
    except Rejected as rejected:
        await _refuse(request, sender, body, rejected, keep=not validate_only)
        raise
    await state.quotas.take(sender, len(items.items))
    if validate_only:
        found = await state.door.validate(sender, items.items)
    else:
        found = await state.door.submit(sender, items.items, atomic=atomic)
    return _one(found[0]) if items.single else _many(found, items, atomic=atomic)


async def _body(request: Request, sender: Publisher, *, keep: bool) -> bytes:
    try:
        return await read_body(request.stream(), request.headers.get("content-encoding", ""))
    except Rejected as rejected:
        await _refuse(request, sender, b"", rejected, keep=keep)
        raise


async def _refuse(request: Request, sender: Publisher, body: bytes, rejected: Rejected, *, keep: bool) -> None:
    """A body that is no events counts as one, against the quota too."""
    await request.app.state.quotas.take(sender, 1)
    if keep:
        await request.app.state.door.refuse(sender, body, rejected)


def _one(answer: Answer) -> Response:
    """The answer to one event."""
    match answer.outcome:
        case Valid():
            return Response(orjson.dumps(answers.result(answer)), media_type=JSON)
        case Receipt(duplicate=duplicate) | Held(duplicate=duplicate):
            fresh = 201 if isinstance(answer.outcome, Receipt) else 202
            return Response(orjson.dumps(answers.result(answer)), 200 if duplicate else fresh, media_type=JSON)
        case Conflicting():
            return _refused(CONFLICT)
        case Foreign():
            return _refused(FOREIGN)
        case Rejected() as rejected:
            return _refused(rejected)
    return _refused(ABANDONED)


def _refused(rejected: Rejected) -> Response:
    return problem(rejected.status, rejected.code, rejected.expected, pointer=rejected.pointer)


def _many(found: list[Answer], items: Items, *, atomic: bool) -> Response:
    results = [answers.result(answer) for answer in found]
    rejected = any(result["outcome"] == "rejected" for result in results)
    if rejected and atomic:
        refused = problem(422, "batch-refused", ABANDONED.expected)
        return Response(orjson.dumps(orjson.loads(refused.body) | {"results": results}), 422, media_type=PROBLEM_JSON)
    return Response(orjson.dumps({"results": results}), 207 if rejected else 200, media_type=JSON)


@router.get("/v1/events/{id:path}", response_model=answers.Known, response_model_exclude_none=True)
async def event(
    request: Request,
    id: EventId,
    source: Annotated[Source, Query(description="the event's source")],
    sender: Annotated[Publisher, Depends(publisher)],
) -> dict[str, Any]:
    """What became of an event: its receipt, that it waits, why it was refused (kept for 30 days), or `unknown`."""
    if not sender.owns(source):
        raise Rejected("foreign-source", f"{sender.name}, or a source below it", pointer="/query/source", status=403)
    ledger: Ledger = request.app.state.ledger
    known: dict[str, Any] = {"source": source, "id": id}
    match await ledger.status(source, id):
        case Receipt() as receipt:
            return known | {"outcome": "accepted"} | answers.detail(receipt)
        case Held():
            return known | {"outcome": "held"}
        case Refused() as refused:
            return known | {"outcome": "rejected", "problem": answers.fault(refused)}
    return known | {"outcome": "unknown"}


@router.get("/v1/log")
async def log(request: Request) -> answers.Log:
    """Where the log stands: the last position, its recordedtime, the number of partitions."""
    ledger: Ledger = request.app.state.ledger
    head = await ledger.head()
    return answers.Log(
        log=head.log,
        partitions=head.partitions,
        timezone=head.timezone,
        position=str(head.position - 1),
        recordedtime=timestamp(head.recordedtime),
        tick=str(head.tick),
        next=head.sequences,
    )


@router.post("/v1/ticks", status_code=201, dependencies=[Depends(operator)])
async def tick(request: Request) -> answers.Tick:
    """Append a tick now; every partition gets it, so it is a cut. For services that need one, such as a swap of generations."""
    ledger: Ledger = request.app.state.ledger
    return answers.Tick(position=str(await ledger.tick()))


@router.get("/v1/publishers", dependencies=[Depends(operator)])
async def publishers(request: Request) -> answers.Publishers:
    """What each publisher sent, and what became of it."""
    ledger: Ledger = request.app.state.ledger
    counters = sorted((await ledger.counters()).items())
    return answers.Publishers(
        publishers=[
            answers.Counts(
                publisher=name, received=c.received, accepted=c.accepted, duplicate=c.duplicate, rejected=c.rejected, held=c.held
            )
            for name, c in counters
        ]
    )


@router.get("/v1/scorecards", dependencies=[Depends(operator)])
async def scorecards(request: Request) -> answers.Scorecards:
    """How every publisher delivers, and whether one has gone silent."""
    return answers.Scorecards(scorecards=await mine.scorecards_of(request.app.state.pool))


@router.get("/v1/quarantine", dependencies=[Depends(operator)])
async def quarantine(request: Request) -> answers.Quarantine:
    """What was refused and is kept, and what waits: how much, by publisher and reason."""
    found = await kept.summary(request.app.state.pool)
    return answers.Quarantine(quarantine=[answers.Heap.model_validate(each, from_attributes=True) for each in found])


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Pseudonyms(_Asked):
    """People whose names are asked for."""

    pseudonyms: Annotated[list[Pseudonym], Field(max_length=MOST_NAMES)]


class NameSearch(_Asked):
    """The beginning of a name: of the given name, the family name, or both. In a body, so that no address holds a name."""

    text: Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]+$")]
    staff: bool = False


@router.post("/v1/vault/names", dependencies=[Depends(operator)])
async def names(request: Request, asked: Pseudonyms) -> answers.People:
    """The names behind pseudonyms."""
    vault: Vault = request.app.state.vault
    return _people(await vault.names(asked.pseudonyms))


@router.post("/v1/vault/search", dependencies=[Depends(operator)])
async def search(request: Request, asked: NameSearch) -> answers.People:
    """Up to 50 students (or staff) by the beginning of their names."""
    vault: Vault = request.app.state.vault
    return _people(await vault.search(asked.text, STAFF if asked.staff else STUDENT))


def _people(found: list[Any]) -> answers.People:
    return answers.People(people=[answers.Person(pseudonym=each.pseudonym, given=each.given, family=each.family) for each in found])


router.include_router(mine.routes(publisher))
router.include_router(republish.routes(EVIDENCE_LOG.name, lambda request: request.app.state.pool))
