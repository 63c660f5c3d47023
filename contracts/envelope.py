"""The envelope: a CloudEvents 1.0 record with Cairn's extensions.

Source of the format: CloudEvents 1.0.2 (core attributes, JSON format). The ledger writes an event's bytes once; the same
bytes are hashed, published, archived and replayed. So the order of fields here is the order in the log, for ever, and
`position` and `recordedtime` come last: they are the only two that are not known until the ledger's lock is held.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Generic, Literal, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from contracts.ids import Code, EventId, Position, Pseudonym, Source, partition_of

Hash = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]

# Further holders in one text, because a CloudEvents extension cannot be an array. As many as a chain of merges may have.
MOST_SHARERS = 15
Sharers = Annotated[str, StringConstraints(pattern=rf"^s-[0-9a-z]{{26}}( s-[0-9a-z]{{26}}){{0,{MOST_SHARERS - 1}}}$")]


class Data(BaseModel):
    """What an event says. Writers forbid fields they do not know; readers ignore them (see `codec.decode`)."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False)

    TYPE: ClassVar[str]
    # True: a reference event, placed in every partition. False: a student's event, placed in the partitions of its holders.
    REFERENCE: ClassVar[bool] = False


D_co = TypeVar("D_co", bound=Data, covariant=True)


class Event(BaseModel, Generic[D_co]):
    """One record of the log.

    `time` is when it happened, `recordedtime` when the log took it (never running backwards). `id` and `source` are the
    publisher's and together unique. `submissionhash` tells a resend from a conflict. A reference event has no `subject`.
    `resolvedfrom` is the identifier's own pseudonym where a merge has it lead to another, the `subject`. `originalposition` makes
    a copy of the event that stands there. `sharedwith` are the other students who hold this event (see `holders`).
    With an `originalhash`, the publisher's own submission was refused, and `actor` corrected it at the door for `correctionreason`.
    That hash is of the refused bytes, an HMAC like `submissionhash`: from a plain one an identifier could be guessed.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False)

    specversion: Literal["1.0"] = "1.0"
    id: EventId
    source: Source
    type: str
    subject: Pseudonym | None = None
    time: AwareDatetime
    dataschema: str
    correlationid: Code | None = None
    causationid: EventId | None = None
    submissionhash: Hash | None = None
    actor: Code | None = None
    sourcesequence: Annotated[int, Field(ge=0, le=2**31 - 1)] | None = None
    sourcekey: EventId | None = None
    resolvedfrom: Pseudonym | None = None
    originalposition: Position | None = None
    sharedwith: Sharers | None = None
    correctionreason: Code | None = None
    originalhash: Hash | None = None
    data: D_co
    position: Position
    recordedtime: AwareDatetime

    @property
    def holders(self) -> tuple[str, ...]:
        """The students in whose stories this event stands, the subject first. None for a reference event: it is everybody's."""
        if self.subject is None:
            return ()
        return (self.subject, *self.sharedwith.split(" ")) if self.sharedwith else (self.subject,)

    def holders_in(self, partition: int, partitions: int) -> tuple[str, ...]:
        """The holders whose partition, of so many, this is. A fold applies the event to each of them and to nobody else."""
        if self.sharedwith is None:
            return self.holders
        return tuple(holder for holder in self.holders if partition_of(holder, partitions) == partition)


def dataschema_of(type: str) -> str:
    """The URN of an event type's committed JSON Schema, e.g. `urn:cairn:schema:evidence.submitted.v1`."""
    return f"urn:cairn:schema:{type.removeprefix('cairn.')}"
