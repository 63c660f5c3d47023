"""Between events and the bytes of the log.

Writing is in two steps, because the ledger's lock must be held for as short as possible: `prepare` gives everything but
`position` and `recordedtime`, `finish` adds those two. Reading ignores fields it does not know and upcasts old versions.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from json.encoder import encode_basestring as quoted  # a string as JSON, not escaping what is not ASCII
from typing import Annotated, Any, Literal, Union, cast

from pydantic import Field, TypeAdapter, ValidationError, create_model

from contracts.envelope import Data, Event, dataschema_of
from contracts.events import EVENTS
from contracts.ids import Pseudonym
from contracts.upcasters import upcast


def _record(type_: str, data: type[Data]) -> type[Event[Data]]:
    subject = (None, None) if data.REFERENCE else (Pseudonym, ...)
    fields: dict[str, Any] = {"type": (Literal[type_], ...), "subject": subject}
    model = create_model(f"{data.__name__}Event", __base__=Event[data], **fields)  # type: ignore[valid-type]
    return cast("type[Event[Data]]", model)


# A whole record of each type: the envelope narrowed to that type, with its data.
RECORDS: dict[str, type[Event[Data]]] = {type_: _record(type_, data) for type_, data in EVENTS.items()}
_EVENT: TypeAdapter[Event[Data]] = TypeAdapter(Annotated[Union[tuple(RECORDS.values())], Field(discriminator="type")])  # type: ignore[arg-type]  # noqa: UP007


class UnknownType(ValueError):  # noqa: N818 - named for what it found
    """The bytes are an event of a type or version that these contracts do not have."""

    def __init__(self, type: str) -> None:
        super().__init__(f"unknown event type {type}: deploy contracts that know it")
        self.type = type


def prepare(
    data: Data, *, id: str, source: str, time: datetime, subject: str | None = None, **extensions: str | int | None
) -> bytes:
    """The record's bytes up to `position`: an open JSON object in the envelope's field order, absent fields left out.

    `extensions` are the envelope's optional fields. Little is validated here beyond the data's own model: what a
    publisher sent was validated at the door.
    """
    if (subject is None) is not data.REFERENCE:
        raise TypeError(f"{data.TYPE}: a student's event has a subject, a reference event has none")
    text = f'{{"specversion":"1.0","id":{quoted(id)},"source":{quoted(source)},"type":{quoted(data.TYPE)}'
    if subject is not None:
        text += f',"subject":{quoted(subject)}'
    text += f',"time":"{timestamp(time)}","dataschema":{quoted(dataschema_of(data.TYPE))}'
    for name in _EXTENSIONS:
        if (value := extensions.pop(name, None)) is not None:
            text += f',"{name}":{value if isinstance(value, int) else quoted(value)}'
    if extensions:
        raise TypeError(f"not an extension of the envelope: {sorted(extensions)}")
    return f'{text},"data":{data.model_dump_json(by_alias=True, exclude_none=True)}'.encode()


_EXTENSIONS = (
    "correlationid",
    "causationid",
    "submissionhash",
    "actor",
    "sourcesequence",
    "sourcekey",
    "resolvedfrom",
    "originalposition",
    "sharedwith",
    "correctionreason",
    "originalhash",
)


def finish(prepared: bytes, position: int, recordedtime: str) -> bytes:
    """The whole record. `recordedtime` as `timestamp` writes it: every record of one append shares it."""
    return b'%b,"position":"%d","recordedtime":"%b"}' % (prepared, position, recordedtime.encode())


def decode(record: bytes) -> Event[Data]:
    """The event in a record's bytes, in its type's newest version. Raises `UnknownType`, or `ValueError` for other bytes."""
    try:
        return upcast(_EVENT.validate_json(record, extra="ignore"))
    except ValidationError as error:
        if error.errors(include_input=False)[0]["type"] == "union_tag_invalid":
            raise UnknownType(str(json.loads(record)["type"])[:128]) from None
        raise ValueError(f"not a record of the log: {error.error_count()} fields are wrong") from None


def timestamp(time: datetime) -> str:
    """RFC 3339 in UTC with microseconds, always 27 characters: text order is time order."""
    # Not strftime: its %Y writes the year 987 with three digits.
    return time.astimezone(UTC).isoformat(timespec="microseconds")[:26] + "Z"
