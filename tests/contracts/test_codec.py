"""Every event there can be goes through the codec and comes back the same."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from contracts.codec import decode, finish, prepare, timestamp
from contracts.envelope import Data
from contracts.events import EVENTS
from contracts.ids import partition_of
from contracts.schema import writers_schema
from tests.contracts.examples import EXTENSIONS, MINIMAL, NOON, OTHER, STUDENT, THIRD
from tests.contracts.strategies import any_data

each_event = pytest.mark.parametrize("event", EVENTS.values(), ids=[data.__name__ for data in EVENTS.values()])
moments = st.datetimes(min_value=datetime(2, 1, 1), max_value=datetime(9998, 12, 31), timezones=st.just(UTC))


@cache
def validator(event: type[Data]) -> Draft202012Validator:
    return Draft202012Validator(writers_schema(event.TYPE))


@each_event
@settings(max_examples=50)
@given(generated=st.data(), time=moments, recordedtime=moments, position=st.integers(0, 2**63 - 1))
def test_any_event_survives_the_log(
    event: type[Data], generated: st.DataObject, time: datetime, recordedtime: datetime, position: int
) -> None:
    data = generated.draw(any_data(event))
    subject = None if event.REFERENCE else STUDENT
    record = finish(prepare(data, id="id 1", source="app", time=time, subject=subject), position, timestamp(recordedtime))
    read = decode(record)
    assert (read.data, read.time, read.recordedtime, int(read.position)) == (data, time, recordedtime, position)
    assert (read.type, read.subject, read.id, read.source) == (event.TYPE, subject, "id 1", "app")
    validator(event).validate(json.loads(record))


@given(first=moments, second=moments)
def test_text_order_of_timestamps_is_time_order(first: datetime, second: datetime) -> None:
    assert (timestamp(first) < timestamp(second)) == (first < second)
    assert len(timestamp(first)) == 27


def test_a_timestamp_is_in_utc_wherever_it_was_taken() -> None:
    assert timestamp(NOON.astimezone(timezone(timedelta(hours=-4)))) == timestamp(NOON) == "2026-10-05T12:00:00.000000Z"


@pytest.mark.parametrize("data", MINIMAL, ids=lambda data: type(data).__name__)
def test_a_students_event_has_a_subject_and_a_reference_event_none(data: Data) -> None:
    wrong = STUDENT if data.REFERENCE else None
    with pytest.raises(TypeError, match="subject"):
        prepare(data, id="1", source="app", time=NOON, subject=wrong)


def test_an_extension_the_envelope_does_not_have_is_refused() -> None:
    with pytest.raises(TypeError, match="not an extension"):
        prepare(MINIMAL[0], id="1", source="app", time=NOON, nickname="x")


@each_event
def test_every_event_is_explained_by_an_example(event: type[Data]) -> None:
    assert "Example: " in (event.__doc__ or "")


def test_an_event_is_held_by_its_subject_and_by_those_it_is_shared_with_each_in_her_partition() -> None:
    piece = next(data for data in MINIMAL if data.TYPE == "cairn.evidence.submitted.v1")
    prepared = prepare(piece, id="1", source="app", time=NOON, subject=STUDENT, sharedwith=EXTENSIONS["sharedwith"])
    event = decode(finish(prepared, 7, timestamp(NOON)))
    assert event.holders == (STUDENT, OTHER, THIRD)
    found = {partition: event.holders_in(partition, 8) for partition in range(8)}
    assert sorted(holder for holders in found.values() for holder in holders) == sorted(event.holders)
    assert all(partition_of(holder, 8) == partition for partition, holders in found.items() for holder in holders)


def test_a_reference_event_is_held_by_nobody_in_particular() -> None:
    event = decode(finish(prepare(MINIMAL[0], id="1", source="app", time=NOON), 0, timestamp(NOON)))
    assert event.holders == event.holders_in(0, 8) == ()
