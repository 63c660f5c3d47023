"""What any release wrote, every later one reads, and would write again byte for byte."""

from __future__ import annotations

import json

import pytest
from jsonschema import Draft202012Validator, FormatChecker

from contracts.codec import RECORDS, UnknownType, decode, finish, prepare, timestamp
from contracts.envelope import Data, Event
from contracts.events import EVENTS
from contracts.schema import opened
from contracts.upcasters import UPCASTERS
from tests.contracts import golden
from tests.contracts.compatibility import committed
from tests.contracts.examples import EXTENSIONS, FULL, MINIMAL, STUDENT

RECORDS_OF_ALL_TIME = golden.golden_records()
each_record = pytest.mark.parametrize("record", [pytest.param(record, id=name) for name, record in RECORDS_OF_ALL_TIME])


def rewritten(event: Event[Data], data: Data) -> bytes:
    """The bytes that the codec writes for a decoded event with its data as it was read."""
    extensions = {name: getattr(event, name) for name in EXTENSIONS}
    prepared = prepare(data, id=event.id, source=event.source, time=event.time, subject=event.subject, **extensions)
    return finish(prepared, int(event.position), timestamp(event.recordedtime))


def as_written(record: bytes) -> Event[Data]:
    """The event in the version it was written in."""
    return RECORDS[json.loads(record)["type"]].model_validate_json(record)


@each_record
def test_golden_bytes_decode_to_the_newest_version(record: bytes) -> None:
    event = decode(record)
    assert type(event.data) not in UPCASTERS
    assert json.loads(record)["position"] == event.position


@each_record
def test_a_decoded_record_is_written_again_byte_for_byte(record: bytes) -> None:
    event = as_written(record)
    assert rewritten(event, event.data) == record


@each_record
def test_golden_bytes_are_what_the_committed_schema_describes(record: bytes) -> None:
    document = json.loads(record)
    schema = committed(document["type"].removeprefix("cairn."))
    Draft202012Validator(schema, format_checker=FormatChecker()).validate(document)


@each_record
def test_a_reader_ignores_what_it_does_not_know(record: bytes) -> None:
    document = json.loads(record)
    document["invented"] = {"later": [1, 2]}
    document["data"]["invented"] = "later"
    assert decode(json.dumps(document).encode()) == decode(record)
    schema = committed(document["type"].removeprefix("cairn."))
    assert not Draft202012Validator(schema).is_valid(document)
    assert Draft202012Validator(opened(schema)).is_valid(document)


def test_an_unknown_type_or_version_is_named() -> None:
    _, record = RECORDS_OF_ALL_TIME[0]
    later = json.loads(record) | {"type": "cairn.evidence.submitted.v99"}
    with pytest.raises(UnknownType, match=r"cairn\.evidence\.submitted\.v99"):
        decode(json.dumps(later).encode())


@pytest.mark.parametrize("other", [b"", b"[]", b"{}", b"\xff\xfe", b'{"type":"cairn.log.ticked.v1"}'])
def test_other_bytes_are_no_record_and_are_not_repeated_in_the_error(other: bytes) -> None:
    with pytest.raises(ValueError, match=r"^not a record of the log: \d+ fields are wrong$"):
        decode(other)


def test_an_error_never_holds_a_value_of_the_record() -> None:
    _, record = next(item for item in RECORDS_OF_ALL_TIME if STUDENT.encode() in item[1])
    with pytest.raises(ValueError, match="fields are wrong") as caught:
        decode(record.replace(STUDENT.encode(), b"Jane Doe"))
    assert "Jane" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_golden_files_are_frozen_and_none_is_missing() -> None:
    assert {path.stem: golden.sha256(path) for path in golden.golden_files()} == golden.frozen()
    assert set(golden.frozen()) == {type_.removeprefix("cairn.") for type_ in EVENTS}
    assert all(len(path.read_bytes().splitlines()) >= 2 for path in golden.golden_files())


def test_the_examples_cover_every_type_and_the_full_ones_every_field() -> None:
    assert [type(data) for data in MINIMAL] == [type(data) for data in FULL] == list(EVENTS.values())
    for data in FULL:
        assert data.model_fields_set == set(type(data).model_fields), data.TYPE
    assert set(EXTENSIONS) | {"subject"} == {name for name, field in Event.model_fields.items() if field.default is None}
