"""From an item to an admitted submission, and from that to a draft for the ledger.

Owns: the order of the checks (shape, type, grant, source), the normal form whose hash tells a resend from a conflict, and
what the log says of a person. Must not: know HTTP or Postgres. A refusal says where and what was expected, never what was sent.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, NamedTuple

import orjson
from pydantic import TypeAdapter, ValidationError

from contracts.codec import prepare, timestamp
from contracts.envelope import Data
from contracts.events import EVENTS, Evidence, EvidenceRetracted, EvidenceSubmitted, EvidenceSuperseded, SandboxSubmitted
from contracts.ids import EventId, Source
from contracts.submissions import (
    SUBMISSIONS,
    EvidenceData,
    EvidenceRetractedData,
    EvidenceSupersededData,
    Identifier,
    Submission,
    validate,
)
from services.chassis.errors import Rejected
from services.chassis.validation import fault
from services.evidence.corrections import KEYED, Found, Named
from services.evidence.domain import Draft, Hold, Link, Refusal, day_of
from services.evidence.grants import Publisher, short
from services.evidence.parse import Item
from services.evidence.rules import broken_rule

# What is kept of a refused item. An event is smaller; only a body that was no event at all is cut.
MAX_KEPT_BYTES = 32 * 1024


class Key(NamedTuple):
    """An identifier in the vault."""

    scheme: str
    value: str


@dataclass(frozen=True, slots=True)
class Resolution:
    """Who is who under one state of the merge counter. An identifier that is not in `pseudonyms` is unknown.

    `own`: the pseudonym that an identifier was given first, where a merge has it lead to another.
    """

    pseudonyms: Mapping[Key, str]
    merges: int
    own: Mapping[Key, str] = field(default_factory=dict)


class Admitted(NamedTuple):
    """A submission that passed every check that needs no look-up. `students` and `staff` are whom it speaks about.

    `names`: the event or record that it corrects, or that it belongs to by its `sourcekey`.
    """

    item: Item
    submission: Submission[Any]
    day: date
    submissionhash: bytes
    students: tuple[Key, ...]
    staff: tuple[Key, ...]
    names: Named | None = None


def admit(item: Item, publisher: Publisher, sameness: hmac.HMAC) -> Admitted:
    """Check an item of a publisher's. Raises `Rejected`. `sameness` is `keyed` with the vault's key."""
    if item.fault is not None:
        raise item.fault
    submission = _validated(item.value, publisher)
    if not publisher.owns(submission.source):
        raise Rejected("foreign-source", f"{publisher.name}, or a source below it", pointer="/source", status=403)
    if type(submission) is _EVIDENCE:
        students, staff = _people_of_evidence(submission.data)
    else:
        students, staff = _people(submission.data)
        _check_reference(submission, publisher, about_student=bool(students))
    names = _names(submission, publisher)
    submissionhash = hashed(sameness, canonical(submission))
    return Admitted(item, submission, day_of(submission.id, submission.time), submissionhash, students, staff, names)


def _names(submission: Submission[Any], publisher: Publisher) -> Named | None:
    """What the submission corrects, or the record that it belongs to."""
    data, key = submission.data, submission.sourcekey
    if not isinstance(data, EvidenceRetractedData | EvidenceSupersededData):
        return Named(submission.source, sourcekey=key) if key is not None and submission.type in KEYED else None
    source = data.target.source or submission.source
    if not publisher.may_correct(source):
        raise Rejected("foreign-source", f"{publisher.name}, or a source below it", pointer="/data/target/source", status=403)
    if key is not None:
        raise Rejected(
            "inconsistent", "no sourcekey of a correction's own: it belongs to its target's record", pointer="/sourcekey"
        )
    if submission.sourcesequence is not None and source != submission.source:
        expected = "no sequence where the target is of another source: they would not compare"
        raise Rejected("inconsistent", expected, pointer="/sourcesequence")
    return Named(source, data.target.id, data.target.sourcekey)


def keyed(key: bytes) -> hmac.HMAC:
    """HMAC-SHA-256 with the key taken in, to be copied for each message: `hmac.digest` sets the algorithm up anew each time."""
    return hmac.new(key, digestmod="sha256")


def hashed(sameness: hmac.HMAC, message: bytes) -> bytes:
    """The HMAC of a message, 32 bytes."""
    mac = sameness.copy()
    mac.update(message)
    return mac.digest()


_EVIDENCE = SUBMISSIONS[EvidenceSubmitted.TYPE]


def _check_reference(submission: Submission[Any], publisher: Publisher, *, about_student: bool) -> None:
    """Whether the event states only schools that are granted, and makes sense. (A student's own school: in `submit`.)"""
    schools = _schools(submission.data)
    if not publisher.may_speak_about(schools) and not (about_student and not schools):
        raise Rejected("outside-grant", "an event of schools that are all granted", pointer="/data", status=403)
    if (rule := broken_rule(submission.data)) is not None:
        raise Rejected("inconsistent", rule.expected, pointer=f"/data{rule.pointer}")


def _validated(value: Any, publisher: Publisher) -> Submission[Any]:
    if not isinstance(value, dict):
        raise Rejected("not-an-event", "a JSON object")
    type_ = value.get("type")
    if not isinstance(type_, str) or type_ not in SUBMISSIONS:
        raise Rejected("unknown-type", f"one of {', '.join(sorted(publisher.types))}", pointer="/type")
    if not publisher.may_send(type_):
        granted = ", ".join(sorted(map(short, publisher.types)))
        raise Rejected("outside-grant", f"a type granted to this publisher: {granted}", pointer="/type", status=403)
    try:
        return validate(value)
    except ValidationError as error:
        found = fault(error)
        raise Rejected("invalid-field", found.expected, pointer=found.pointer) from None


def canonical(submission: Submission[Any]) -> bytes:
    """The normal form: RFC 8785 over what the submission means, in thousandths and UTC. Media type and schema name say nothing.

    Sorted UTF-8 JSON is RFC 8785 here, because there are only ASCII names, strings and integers below 2**53.
    """
    if type(submission) is _EVIDENCE:
        meaning = _meaning_of_evidence(submission)
    else:
        meaning = submission.model_dump(mode="json", by_alias=True, exclude_none=True, exclude=_FORM)
    return orjson.dumps(meaning, option=orjson.OPT_SORT_KEYS)


def _meaning_of_evidence(submission: Submission[Any]) -> dict[str, Any]:
    """What `model_dump` would give, which the tests prove, in a quarter of the time: most of what comes is evidence."""
    data = {name: value for name, value in submission.data.__dict__.items() if value is not None}
    data["student"] = data["student"].__dict__
    if "assessor" in data:
        data["assessor"] = data["assessor"].__dict__
    for name in ("due", "entered"):
        if name in data:
            data[name] = timestamp(data[name])
    meaning = {name: value for name, value in submission.__dict__.items() if value is not None and name not in _FORM}
    return meaning | {"time": timestamp(submission.time), "data": data}


_FORM = {"specversion", "datacontenttype", "dataschema"}


def _schools(data: Any) -> frozenset[str]:
    """The schools that an event other than evidence speaks about; none for a district's own framework or scale."""
    one = [getattr(data, name, None) for name in ("school", "from_school")]
    return frozenset(school for school in (*one, *getattr(data, "schools", ())) if school is not None)


def _people_of_evidence(data: EvidenceData) -> tuple[tuple[Key, ...], tuple[Key, ...]]:
    return (_key(data.student),), ((_key(data.assessor),) if data.assessor else ())


def _people(data: Any) -> tuple[tuple[Key, ...], tuple[Key, ...]]:
    student = getattr(data, "student", None)
    staff = [getattr(data, name, None) for name in ("assessor", "staff")]
    staff += getattr(data, "teachers", ())
    return ((_key(student),) if student else ()), tuple(_key(person) for person in staff if person is not None)


def _key(identifier: Identifier) -> Key:
    return Key(identifier.scheme, identifier.value)


def draft(
    admitted: Admitted,
    publisher: Publisher,
    people: Resolution,
    traceparent: str | None,
    *,
    found: Found | None = None,
    held: bool,
) -> Draft:
    """The admitted submission with its people's pseudonyms (all of them known), ready for the ledger. `found`: what it names."""
    submission = admitted.submission
    student = admitted.students[0] if admitted.students else None
    subject = people.pseudonyms[student] if student else None
    sharedwith = found.sharers(subject) if found and subject else ()
    data = _data(submission, people.pseudonyms, found)
    if publisher.sandbox:
        data = _rehearsed(data)
    prepared = prepare(
        data,
        id=submission.id,
        source=submission.source,
        time=submission.time,
        subject=subject,
        correlationid=submission.correlationid,
        submissionhash=admitted.submissionhash.hex(),
        actor=submission.actor,
        sourcesequence=submission.sourcesequence,
        sourcekey=submission.sourcekey,
        resolvedfrom=people.own.get(student) if student else None,
        sharedwith=" ".join(sharedwith) or None,
    )
    return Draft(
        publisher=publisher.name,
        source=submission.source,
        id=submission.id,
        day=admitted.day,
        subject=subject,
        type=data.TYPE,
        submissionhash=admitted.submissionhash,
        prepared=prepared,
        merges=people.merges,
        traceparent=traceparent,
        payload=admitted.item.payload,
        held=held,
        sharedwith=sharedwith,
        link=_link(admitted, found),
        occurred=submission.time,
    )


def _rehearsed(data: Data) -> SandboxSubmitted:
    """Evidence as another event, which no fold takes for evidence."""
    assert isinstance(data, EvidenceSubmitted)  # a sandbox may send nothing else
    return SandboxSubmitted(evidence=Evidence.model_validate(dict(data)))


def _link(admitted: Admitted, found: Found | None) -> Link | None:
    if admitted.names is None:
        return None
    return Link(admitted.submission.sourcekey, found.record if found else None)


def _data(submission: Submission[Any], pseudonyms: Mapping[Key, str], found: Found | None) -> Data:
    sent = submission.data
    if type(submission) is _EVIDENCE:
        return _evidence(sent, pseudonyms)
    if isinstance(sent, EvidenceRetractedData):
        assert found is not None  # a correction without a target waits
        whole = sent.target.sourcekey is not None
        return EvidenceRetracted(target=str(found.position), scope="record" if whole else "event", reason=sent.reason)
    if isinstance(sent, EvidenceSupersededData):
        assert found is not None
        content = _evidence(sent, pseudonyms).model_dump(exclude_unset=True)
        return EvidenceSuperseded(**content, target=str(found.position), reason=sent.reason)
    fields = sent.model_dump(by_alias=True, exclude={"student"})
    for name in ("staff", "assessor"):
        if (person := getattr(sent, name, None)) is not None:
            fields[name] = pseudonyms[_key(person)]
    if "teachers" in fields:
        fields["teachers"] = tuple(pseudonyms[_key(person)] for person in sent.teachers)
    return EVENTS[submission.type].model_validate(fields)


def _evidence(sent: EvidenceData, pseudonyms: Mapping[Key, str]) -> EvidenceSubmitted:
    return EvidenceSubmitted(
        framework=sent.framework,
        competency=sent.competency,
        score_thousandths=sent.score,
        scale=sent.scale,
        kind=sent.kind,
        assessor=pseudonyms[_key(sent.assessor)] if sent.assessor else None,
        context=sent.context,
        attempt=sent.attempt,
        due=sent.due,
        language=sent.language,
        language_demand=sent.language_demand,
        accommodations=sent.accommodations,
        provenance=sent.provenance,
        entered=sent.entered,
    )


def hold(admitted: Admitted, publisher: Publisher, reason: str, key: str) -> Hold:
    """The submission as it came, to be admitted again when what `key` names is known."""
    return Hold(
        publisher=publisher.name,
        source=admitted.submission.source,
        id=admitted.submission.id,
        day=admitted.day,
        reason=reason,
        key=key,
        submissionhash=admitted.submissionhash,
        payload=admitted.item.payload,
    )


def held_key(unknown: Key) -> str:
    """The text under which a held submission waits for a person; unambiguous, since a scheme has no spaces."""
    return f"{unknown.scheme} {unknown.value}"


def refusal(item: Item, publisher: Publisher, rejected: Rejected, *, held: bool = False) -> Refusal:
    """What is kept of a refused item: the bytes as they came, and its source and id where they could be read."""
    value = item.value if isinstance(item.value, dict) else {}
    source, id = _readable(_SOURCE, value.get("source")), _readable(_ID, value.get("id"))
    payload = item.payload[:MAX_KEPT_BYTES]
    return Refusal(publisher.name, source, id, rejected.code, rejected.pointer, rejected.expected, payload, held)


_SOURCE: TypeAdapter[str] = TypeAdapter(Source)
_ID: TypeAdapter[str] = TypeAdapter(EventId)


def _readable(adapter: TypeAdapter[str], value: object) -> str | None:
    try:
        return adapter.validate_python(value, strict=True)
    except ValidationError:
        return None
