"""When a delivery is due; and that what a sandbox sends is nothing to any fold."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import cast
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.codec import decode
from contracts.events import SandboxSubmitted
from contracts.events.evidence import Evidence
from services.evidence.scorecards import Expectation
from services.mastery import domain as mastery
from services.reporting import domain as reporting
from services.scheduling import domain as scheduling
from tests.contracts.golden import minimal

NEW_YORK = ZoneInfo("America/New_York")
DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("last", "due"),
    [
        (datetime(2026, 10, 5, 18), datetime(2026, 10, 6, 18)),  # a Monday
        (datetime(2026, 10, 9, 18), datetime(2026, 10, 12, 18)),  # over a weekend
        (datetime(2026, 10, 10, 12), datetime(2026, 10, 13, 0)),  # seen on a Saturday: Monday is the first day that counts
    ],
)
def test_days_of_the_weekend_do_not_count(last: datetime, due: datetime) -> None:
    expected = Expectation(DAY, weekdays=True).by(last.replace(tzinfo=NEW_YORK), NEW_YORK)
    assert expected == due.replace(tzinfo=NEW_YORK)


@given(st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC)), st.integers(1, 24 * 30))
def test_weekdays_only_make_a_delivery_due_later_and_never_within_a_weekend(last: datetime, hours: int) -> None:
    every = timedelta(hours=hours)
    due = Expectation(every, weekdays=True).by(last, NEW_YORK)
    assert due >= Expectation(every).by(last, NEW_YORK) == last + every
    assert (due - timedelta(microseconds=1)).astimezone(NEW_YORK).weekday() < 5


def test_no_view_counts_what_a_sandbox_sent() -> None:
    event = decode(minimal(SandboxSubmitted(evidence=Evidence(framework="hs", competency="MA.1", score_thousandths=1, scale="d4"))))
    assert not isinstance(event.data, Evidence)
    assert scheduling.evolve(scheduling.initial, event.data) is scheduling.initial
    who = event.subject or ""
    assert reporting.evolve(reporting.initial, who, event, 1, lambda assessor, time: None) is reporting.initial
    no_law = cast("mastery.Law", None)  # it must not even look at it
    assert mastery.evolve(mastery.initial, who, event, 1, no_law) == (mastery.initial, ())
    assert {mastery.effective_on(event.data), reporting.effective_on(event.data)} == {None}
