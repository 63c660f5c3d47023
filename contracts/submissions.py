"""What publishers send: CloudEvents in JSON (structured mode) that name people by identifiers, never by pseudonyms.

Closed and strict: a field that is not here is refused, and so is a number in a string, a fraction where an integer is due, a
time without its zone. Any publisher may send `EvidenceSubmission`, and correct what it sent; the others need a grant that names
their type.
Validate with `validate`, which takes what `json.loads` gives with `parse_float=decimal.Decimal`, so scores stay exact.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from decimal import Decimal
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    StringConstraints,
    WithJsonSchema,
    create_model,
)

from contracts.codec import timestamp
from contracts.envelope import Data, dataschema_of
from contracts.events import (
    AssessorReinstated,
    AssessorRevoked,
    CalendarPublished,
    ClassRegistered,
    EvidenceCarried,
    EvidenceRetracted,
    EvidenceSubmitted,
    EvidenceSuperseded,
    FrameworkPublished,
    PolicyPublished,
    ProgrammeChanged,
    ScalePublished,
    SchoolRegistered,
    StaffRegistered,
    StudentEnrolled,
    StudentTransferred,
    StudentWithdrawn,
)
from contracts.events.corrections import CorrectionReason
from contracts.events.evidence import EvidenceKind, Provenance
from contracts.events.schools import Part, Term
from contracts.ids import Code, EventId, Source

# The shape of RFC 3339 (section 5.6). Nine fractional digits are read and cut to the log's six. Years outside are typing errors:
# they would make a deduplication partition for a day that nobody meant.
FIRST_YEAR, LAST_YEAR = 1900, 2199
_TIME = re.compile(r"(?:19|20|21)\d\d-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:[Zz]|[+-]\d\d:\d\d)", re.ASCII)
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
# Points. The log keeps thousandths of a point, see `contracts.events.evidence.Thousandths`.
MOST_POINTS = 1_000_000
_THOUSANDTH = Decimal("0.001")

_TIME_EXPECTED = f"an RFC 3339 time with its zone, from {FIRST_YEAR} to {LAST_YEAR}"
_SCORE_EXPECTED = f"a JSON number from -{MOST_POINTS} to {MOST_POINTS} with at most three decimals"


def _instant(value: object) -> dt.datetime:
    """An instant in UTC, to the microsecond."""
    if not isinstance(value, str) or not _TIME.fullmatch(value):
        raise ValueError(_TIME_EXPECTED)
    try:
        return dt.datetime.fromisoformat(value.upper()).astimezone(dt.UTC)
    except ValueError:
        raise ValueError(_TIME_EXPECTED) from None  # its own words quote the value


def _day(value: object) -> object:
    if not isinstance(value, str) or not _DAY.fullmatch(value):
        raise ValueError("a date, YYYY-MM-DD")
    try:
        return dt.date.fromisoformat(value)
    except ValueError:
        raise ValueError("a date of the calendar, YYYY-MM-DD") from None


def _thousandths(value: object) -> int:
    """A score in thousandths: exact, or refused. The value decides, not its spelling: 1.50 is 1.5."""
    if type(value) is int and -MOST_POINTS <= value <= MOST_POINTS:
        return value * 1000
    if isinstance(value, Decimal) and value.is_finite() and -MOST_POINTS <= value <= MOST_POINTS:
        rounded = value.quantize(_THOUSANDTH)
        if rounded == value:  # a comparison is exact, whatever the context's precision
            return int(rounded.scaleb(3))
    raise ValueError(_SCORE_EXPECTED)


Instant = Annotated[
    dt.datetime,
    PlainValidator(_instant),
    PlainSerializer(timestamp, when_used="json"),  # the log's form: sameness must not depend on how a library writes a time
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
Day = Annotated[dt.date, BeforeValidator(_day)]
Score = Annotated[
    int,
    PlainValidator(_thousandths),
    WithJsonSchema({"type": "number", "multipleOf": 0.001, "minimum": -MOST_POINTS, "maximum": MOST_POINTS}),
]


class Identifier(Part):
    """A person as the publisher knows her. Example: scheme `sis`, value `104-2291`. Only the identity vault keeps it."""

    scheme: Code
    value: Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=r"^[^\x00-\x1f\x7f]+$")]


class EvidenceData(Part):
    """A piece of evidence as sent. `score` is a JSON number with at most three decimals; it arrives here in thousandths.

    History from an old system says so: `provenance` is `migrated`, and `entered` is when it was entered there.
    """

    student: Identifier
    framework: Code
    competency: Code
    score: Score
    scale: Code
    kind: EvidenceKind = "assessment"
    assessor: Identifier | None = None
    context: Code | None = None
    attempt: Annotated[int, Field(ge=1, le=1000)] | None = None
    due: Instant | None = None
    language: Code | None = None
    language_demand: Annotated[int, Field(ge=1, le=5)] | None = None
    accommodations: Annotated[tuple[Code, ...], Field(max_length=16, strict=False)] = ()  # an array is no tuple to strict mode
    provenance: Provenance | None = None
    entered: Instant | None = None


class EvidenceCarriedData(EvidenceCarried):
    """As the event, with the student's and the assessor's identifiers."""

    student: Identifier
    assessor: Identifier | None = None  # type: ignore[assignment]
    entered: Instant | None = None


class Target(Part):
    """What a correction corrects: an event by its `id`, or a record by its `sourcekey`. `source` None: the correction's own."""

    source: Source | None = None
    id: EventId | None = None
    sourcekey: EventId | None = None


class EvidenceRetractedData(Part):
    """As the event, with the student's identifier (any that leads to her) and the target as the publisher names it.

    By `id` it is the one event that is retracted, by `sourcekey` the record, as far as it was sent before.
    """

    student: Identifier
    target: Target
    reason: CorrectionReason


class EvidenceSupersededData(EvidenceData):
    """A piece of evidence as it should have been, whole, and what it stands for."""

    target: Target
    reason: CorrectionReason


class AssessorRevokedData(AssessorRevoked):
    """As the event, with the assessor's identifier."""

    assessor: Identifier  # type: ignore[assignment]
    since: Instant | None = None


class AssessorReinstatedData(AssessorReinstated):
    """As the event, with the assessor's identifier."""

    assessor: Identifier  # type: ignore[assignment]


class StudentEnrolledData(StudentEnrolled):
    """As the event, with the student's identifier."""

    student: Identifier
    effective: Day


class StudentTransferredData(StudentTransferred):
    """As the event, with the student's identifier."""

    student: Identifier
    effective: Day


class StudentWithdrawnData(StudentWithdrawn):
    """As the event, with the student's identifier."""

    student: Identifier
    effective: Day


class ProgrammeChangedData(ProgrammeChanged):
    """As the event, with the student's identifier."""

    student: Identifier
    effective: Day
    until: Day | None = None


class StaffRegisteredData(StaffRegistered):
    """As the event, with the person's identifier."""

    staff: Identifier  # type: ignore[assignment]


class ClassRegisteredData(ClassRegistered):
    """As the event, with the teachers' identifiers."""

    teachers: Annotated[tuple[Identifier, ...], Field(max_length=10)] = ()  # type: ignore[assignment]


class TermData(Term):
    """As the event's."""

    starts: Day
    ends: Day


class CalendarPublishedData(CalendarPublished):
    """As the event."""

    terms: Annotated[tuple[TermData, ...], Field(min_length=1, max_length=20)]
    closed: Annotated[tuple[Day, ...], Field(max_length=250)] = ()


class PolicyPublishedData(PolicyPublished):
    """As the event."""

    effective: Day | None = None


S = TypeVar("S", bound=BaseModel)


class Submission(BaseModel, Generic[S]):
    """The envelope as sent. `id` is the publisher's own; `source` its name, or below it (`NAME/…`)."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False)

    specversion: Literal["1.0"]
    id: EventId
    source: Source
    type: str
    time: Instant
    datacontenttype: Literal["application/json"] | None = None
    dataschema: str | None = None
    correlationid: Code | None = None
    actor: Code | None = None
    sourcesequence: Annotated[int, Field(ge=0, le=2**31 - 1)] | None = None
    sourcekey: EventId | None = None
    data: S


def _submission(event: type[Data], data: type[BaseModel]) -> type[Submission[Any]]:
    """The class of one event type's submissions: the envelope with `type` and `dataschema` fixed."""
    fixed: dict[str, Any] = {
        "type": (Literal[event.TYPE], ...),
        "dataschema": (Literal[dataschema_of(event.TYPE)] | None, None),
    }
    doc = f"A `{event.TYPE}` as sent."
    return create_model(f"{event.__name__}Submission", __base__=Submission[data], __doc__=doc, **fixed)  # type: ignore[valid-type]


EvidenceSubmission = _submission(EvidenceSubmitted, EvidenceData)

SUBMISSIONS: dict[str, type[Submission[Any]]] = {
    EvidenceSubmitted.TYPE: EvidenceSubmission,
    EvidenceRetracted.TYPE: _submission(EvidenceRetracted, EvidenceRetractedData),
    EvidenceSuperseded.TYPE: _submission(EvidenceSuperseded, EvidenceSupersededData),
    EvidenceCarried.TYPE: _submission(EvidenceCarried, EvidenceCarriedData),
    AssessorRevoked.TYPE: _submission(AssessorRevoked, AssessorRevokedData),
    AssessorReinstated.TYPE: _submission(AssessorReinstated, AssessorReinstatedData),
    StudentEnrolled.TYPE: _submission(StudentEnrolled, StudentEnrolledData),
    StudentTransferred.TYPE: _submission(StudentTransferred, StudentTransferredData),
    StudentWithdrawn.TYPE: _submission(StudentWithdrawn, StudentWithdrawnData),
    ProgrammeChanged.TYPE: _submission(ProgrammeChanged, ProgrammeChangedData),
    SchoolRegistered.TYPE: _submission(SchoolRegistered, SchoolRegistered),
    StaffRegistered.TYPE: _submission(StaffRegistered, StaffRegisteredData),
    ClassRegistered.TYPE: _submission(ClassRegistered, ClassRegisteredData),
    CalendarPublished.TYPE: _submission(CalendarPublished, CalendarPublishedData),
    FrameworkPublished.TYPE: _submission(FrameworkPublished, FrameworkPublished),
    ScalePublished.TYPE: _submission(ScalePublished, ScalePublished),
    PolicyPublished.TYPE: _submission(PolicyPublished, PolicyPublishedData),
}


_SUPERSEDED = SUBMISSIONS[EvidenceSuperseded.TYPE]


def validate(value: dict[str, Any]) -> Submission[Any]:
    """The submission in a JSON object. Raises pydantic's `ValidationError`; its `type` must be one of `SUBMISSIONS`.

    Others than pieces of evidence are read once more as JSON, where pydantic's strict mode takes an array for a tuple.
    """
    model = SUBMISSIONS[value["type"]]
    if model is EvidenceSubmission or model is _SUPERSEDED:
        return model.model_validate(value)
    return model.model_validate_json(json.dumps(value, default=str))
