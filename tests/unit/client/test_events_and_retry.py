"""What the client makes: events that the contracts take, ids that carry their time, pauses within bounds."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.client import Backoff, evidence, new_id
from contracts.client.retry import retry_after
from contracts.ids import uuid7_day
from contracts.submissions import validate
from tests.unit.client.gateways import NOON, a_piece


def sent(event: dict[str, object]) -> object:
    """The event as the door reads it."""
    return validate(json.loads(json.dumps(event), parse_float=Decimal))


def test_the_least_and_the_most_that_can_be_said_are_submissions() -> None:
    sent(a_piece("e-1"))
    sent(
        evidence(
            source="algebra/quiz",
            student=("sis", "104"),
            framework="hs",
            competency="MA.1",
            score=0.125,
            scale="d4",
            time=NOON,
            sourcekey="row 17",
            kind="judgement",
            assessor=("sis", "t1"),
            context="fair",
            attempt=2,
            due=NOON,
            language="es",
            language_demand=3,
            accommodations=["extra-time"],
        )
    )


def test_a_time_without_a_zone_is_refused_where_it_is_made() -> None:
    with pytest.raises(ValueError, match="zone"):
        evidence(
            source="a",
            student=("sis", "1"),
            framework="f",
            competency="c",
            score=1,
            scale="s",
            time=datetime(2026, 10, 5),
        )


def test_ids_are_new_and_carry_the_day() -> None:
    before = datetime.now(UTC).date()
    ids = {new_id() for _ in range(1000)}
    assert len(ids) == 1000
    assert {uuid7_day(id) for id in ids} <= {before, datetime.now(UTC).date()}


@given(st.integers(0, 10_000), st.floats(0, 1, exclude_max=True), st.floats(0, 100))
def test_a_pause_is_bounded_and_never_shorter_than_was_asked_for(attempt: int, chance: float, asked: float) -> None:
    pause = Backoff(first=0.2, most=30.0, chance=lambda: chance).pause(attempt, asked)
    assert asked <= pause <= asked + min(30.0, 0.2 * 2.0 ** min(attempt, 64))


def test_two_clients_do_not_come_back_together() -> None:
    assert len({Backoff().pause(5) for _ in range(100)}) > 90


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, 0),
        ("", 0),
        ("7", 7),
        (" 7 ", 7),
        ("soon", 0),
        ("-3", 0),
        ("Mon, 05 Oct 2026 12:01:00 GMT", 60),
        ("Mon, 05 Oct 2026 11:00:00 GMT", 0),
        ("9" * 400, 999999999),
    ],
)
def test_retry_after_is_a_number_or_a_date(header: str | None, seconds: float) -> None:
    assert timedelta(seconds=retry_after(header, NOON)) == timedelta(seconds=seconds)
