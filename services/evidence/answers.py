"""What the evidence API answers: the bodies, as models for the OpenAPI document and as plain objects for speed."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from typing import Any, Literal

from pydantic import BaseModel, Field

from contracts.codec import timestamp
from services.chassis.docs.explanations import docs_of
from services.chassis.errors import Rejected
from services.chassis.problems import Problem
from services.evidence.deduplication import OTHER_STUDENT
from services.evidence.domain import Abandoned, Conflicting, Foreign, Held, Receipt, Refused, Valid
from services.evidence.mine import ScorecardTold
from services.evidence.submit import Answer

Word = Literal["accepted", "duplicate", "held", "rejected", "valid"]

CONFLICT = Rejected("conflict", "the content first sent under this source and id, or a new id", pointer="/id", status=409)
ABANDONED = Rejected("abandoned", "an atomic batch in which every item is good")
FOREIGN = Rejected(OTHER_STUDENT, "a key of no other student's record", pointer="/sourcekey")


class Fault(BaseModel):
    """Why an item was refused. `pointer` is a JSON pointer within the item; no member holds a value that was sent."""

    code: str = Field(examples=["invalid-field"])
    pointer: str = Field(examples=["/data/score"])
    expected: str
    docs: str = Field(examples=["/docs/problems/invalid-field"])


class Result(BaseModel):
    """What became of one item. A receipt (position, leaf hash, recordedtime) means that the event is in the log, durably.

    `valid` answers `?validate_only=true`: it would have been accepted, or is known.
    """

    source: str | None = None
    id: str | None = None
    outcome: Word
    position: str | None = Field(default=None, description="decimal; absent unless accepted or duplicate")
    leaf: str | None = Field(default=None, description="the Merkle leaf, SHA-256 of 0x00 and the record, in hexadecimal")
    recordedtime: str | None = None
    problem: Fault | None = None


class Results(BaseModel):
    """An item's result each, in the order in which they were sent."""

    results: list[Result]


class RefusedBatch(Problem):
    """An atomic batch of which nothing was taken, with each item's result."""

    results: list[Result]


class Known(BaseModel):
    """What is known of an event: a receipt, that it is held, why it was refused, or `unknown`."""

    source: str
    id: str
    outcome: Literal["accepted", "held", "rejected", "unknown"]
    position: str | None = None
    leaf: str | None = None
    recordedtime: str | None = None
    problem: Fault | None = None


class Counts(BaseModel):
    """received = accepted + duplicate + rejected + held, always."""

    publisher: str
    received: int
    accepted: int
    duplicate: int
    rejected: int
    held: int


class Publishers(BaseModel):
    """The counters of every publisher that has sent anything."""

    publishers: list[Counts]


class Scorecards(BaseModel):
    """Of every publisher, by name."""

    scorecards: list[ScorecardTold]


class Heap(BaseModel):
    """How many of a publisher's are rejected, or held, for one reason."""

    publisher: str
    standing: Literal["rejected", "held"]
    reason: str
    count: int
    oldest: datetime
    newest: datetime


class Quarantine(BaseModel):
    """By publisher, standing and reason."""

    quarantine: list[Heap]


class Log(BaseModel):
    """Where the log stands. `position` is the last event's, `tick` the last tick's, `next` each partition's next sequence."""

    log: str
    partitions: int
    timezone: str
    position: str
    recordedtime: str
    tick: str
    next: tuple[int, ...]


class Tick(BaseModel):
    """The position of the tick that was asked for."""

    position: str


class Person(BaseModel):
    """A person's name, for a page that is about to be shown."""

    pseudonym: str
    given: str
    family: str


class People(BaseModel):
    """People found; those who are not known are left out."""

    people: list[Person]


def result(answer: Answer) -> dict[str, Any]:
    """A `Result` as a plain object."""
    told: dict[str, Any] = {"source": answer.source, "id": answer.id, "outcome": answer.word}
    return told | detail(answer.outcome)


def detail(outcome: object) -> dict[str, Any]:
    """The rest of a `Result`: a receipt, a fault, or nothing."""
    match outcome:
        case Receipt(position, leaf, time):
            return {"position": str(position), "leaf": leaf.hex(), "recordedtime": _text(time)}
        case Rejected():
            return {"problem": fault(outcome)}
        case Conflicting():
            return {"problem": fault(CONFLICT)}
        case Abandoned():
            return {"problem": fault(ABANDONED)}
        case Foreign():
            return {"problem": fault(FOREIGN)}
        case Held() | Valid():
            return {}
    raise TypeError(f"not an outcome: {type(outcome).__name__}")


@lru_cache(maxsize=64)
def _text(time: datetime) -> str:
    """As the record has it. The events of one append share it."""
    return timestamp(time)


def fault(rejected: Rejected | Refused) -> dict[str, str]:
    """A `Fault` as a plain object."""
    code = rejected.code
    return {"code": code, "pointer": rejected.pointer, "expected": rejected.expected, "docs": docs_of(code)}
