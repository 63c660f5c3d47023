"""What the evidence service decides about: drafts, refusals, holds, and the outcomes that the ledger answers with.

Owns: the types between the doors and the ledger. Must not: know the clock, randomness, Kafka, Postgres or logging.
Every item that a publisher sends becomes exactly one `Draft`, `Refusal` or `Hold`, and ends as one outcome, so that
received = accepted + duplicate + rejected + held, a publisher, always.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import NamedTuple
from uuid import UUID

from contracts.ids import uuid7_day
from services.chassis.errors import Conflict

# The source of the log's own events (`log.opened`, `log.ticked`). No publisher may bear this name.
LOG_SOURCE = "cairn"


@dataclass(frozen=True, slots=True)
class Link:
    """How an event belongs to a record of evidence (see `contracts.events.corrections`).

    `record` is the position of the record's first piece; None: this event begins one under `source` and `sourcekey`. What the
    door knew of a key must still be so under the ledger's lock, or the append is refused with `RecordBegun`.
    """

    sourcekey: str | None
    record: int | None


class RecordBegun(Conflict):
    """Records were begun under these (source, sourcekey) after the drafts that bear them were made: look them up again."""

    def __init__(self, keys: Set[tuple[str, str]]) -> None:
        super().__init__("a record of evidence was begun meanwhile: resolve again")
        self.keys = keys


@dataclass(frozen=True, slots=True)
class Draft:
    """A submission that is ready for the log: everything but its position and recordedtime.

    `subject` is the student's pseudonym, None for a reference event (which goes to every partition). `prepared` is what
    `contracts.codec.prepare` gave; `submissionhash` (32 bytes) tells a resend from a conflict; `day` is `day_of` the
    submission. `merges` is the ledger's merge counter under which the identifier was resolved: an append under another is
    refused with `Conflict`, and resolves again. `payload` is what came: kept if the draft is refused after all. `held`: this
    draft waits in `held` until now and was counted when it came. `sharedwith`: the other students who hold it. `occurred`: when
    what it says happened.
    """

    publisher: str
    source: str
    id: str
    day: date
    subject: str | None
    type: str
    submissionhash: bytes
    prepared: bytes
    merges: int
    traceparent: str | None = None
    payload: bytes = b""
    held: bool = False
    sharedwith: tuple[str, ...] = ()
    link: Link | None = None
    occurred: datetime | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """A submission that was refused at the door; kept for 30 days for its publisher and district IT.

    `source` and `id` are None when they could not be read. `code`, `pointer` and `expected` never hold a sent value.
    `held`: it waits in `held` until now, was counted when it came, and is refused after all.
    """

    publisher: str
    source: str | None
    id: str | None
    code: str
    pointer: str
    expected: str
    payload: bytes
    held: bool = False


@dataclass(frozen=True, slots=True)
class Hold:
    """A submission that must wait, e.g. `unknown-student`, until what `key` names is known. `payload` is what came."""

    publisher: str
    source: str
    id: str
    day: date
    reason: str
    key: str
    submissionhash: bytes
    payload: bytes


class Told(NamedTuple):
    """What a publisher is told about the record at an offset of its inbox."""

    offset: int
    answer: bytes


@dataclass(frozen=True, slots=True)
class Cursor:
    """A move in a partition of a publisher's inbox: from `next`, where its reader saw it, to `following`."""

    publisher: str
    topic: UUID
    partition: int
    next: int
    following: int


@dataclass(frozen=True, slots=True)
class Delivery:
    """What a batch brings along from an inbox: the cursor moves with it or nothing happens, and its outcomes are told."""

    cursor: Cursor
    tell: Callable[[Sequence[Outcome]], Sequence[Told]]


class Taken(Exception):  # noqa: N818
    """A cursor does not stand where its reader saw it: somebody else has taken these records, and counted them."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What one transaction takes. `atomic`: if one item is refused or conflicts, none is appended and all count as rejected."""

    drafts: tuple[Draft, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    holds: tuple[Hold, ...] = ()
    atomic: bool = False
    delivery: Delivery | None = None


class Receipt(NamedTuple):
    """The event is in the log, durably. `leaf` is its Merkle leaf hash, SHA-256(0x00 ‖ record)."""

    position: int
    leaf: bytes
    recordedtime: datetime
    duplicate: bool = False


@dataclass(frozen=True, slots=True)
class Conflicting:
    """The same source and id with other content: the first stays, at `position` (None: the first is itself held)."""

    position: int | None


@dataclass(frozen=True, slots=True)
class Foreign:
    """Its `sourcekey` was given to a record of another student, by an event in the same append. Counted as rejected."""


@dataclass(frozen=True, slots=True)
class Held:
    """It waits. `duplicate`: the same submission was waiting already."""

    duplicate: bool = False


@dataclass(frozen=True, slots=True)
class Abandoned:
    """Not appended: another item of its atomic batch is refused (then it is counted as rejected), or it was to be released from
    `held` and is there no more (then it was counted by whoever took it).
    """


@dataclass(frozen=True, slots=True)
class Valid:
    """Nothing is wrong with it, and its people are known (the answer to `validate_only`, which looks into no log)."""


@dataclass(frozen=True, slots=True)
class Refused:
    """It was refused, most recently for this `code` (the answer to a question about an id, never to a submission)."""

    code: str
    pointer: str
    expected: str


Outcome = Receipt | Conflicting | Foreign | Held | Abandoned


def day_of(id: str, time: datetime) -> date:
    """The UTC day under which an event is deduplicated: a UUIDv7's own, else the date of `time`."""
    return uuid7_day(id) or time.astimezone(UTC).date()
