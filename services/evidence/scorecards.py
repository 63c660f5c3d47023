"""How well a publisher delivers: what became of what it sent, and whether it has gone silent. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

SATURDAY = 5


@dataclass(frozen=True, slots=True)
class Expectation:
    """A delivery within `every` of the last one, in hours of which Saturdays and Sundays do not count if `weekdays`."""

    every: timedelta
    weekdays: bool = False

    def by(self, last: datetime, zone: ZoneInfo) -> datetime:
        """When the next delivery is due, in UTC terms of `last`. Days are the district's."""
        if not self.weekdays:
            return last + self.every
        left, at = self.every, last
        while True:
            midnight = _next_midnight(at, zone)
            if at.astimezone(zone).weekday() < SATURDAY:
                if left <= midnight - at:
                    return at + left
                left -= midnight - at
            at = midnight


def _next_midnight(at: datetime, zone: ZoneInfo) -> datetime:
    """The first local midnight after `at`, in `at`'s own zone: days of 23 or 25 hours are as long as they are."""
    day = at.astimezone(zone).date() + timedelta(days=1)
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(at.tzinfo)


@dataclass(frozen=True, slots=True)
class Scorecard:
    """A publisher's. received = accepted + duplicate + rejected + held, and the reasons add up to rejected."""

    publisher: str
    sandbox: bool
    received: int
    accepted: int
    duplicate: int
    rejected: int
    held: int
    late: int
    reasons: Mapping[str, int]
    created: datetime
    last_seen: datetime | None
    expectation: Expectation | None
    revoked: bool = False

    @property
    def conflicts(self) -> int:
        """Other content under an id that was sent before."""
        return self.reasons.get("conflict", 0)

    def expected_by(self, zone: ZoneInfo) -> datetime | None:
        """When the next delivery is due; None: nothing is expected."""
        if self.expectation is None or self.revoked:
            return None
        return self.expectation.by(self.last_seen or self.created, zone)

    def silent(self, now: datetime, zone: ZoneInfo) -> bool:
        """Whether a delivery that was expected has not come."""
        due = self.expected_by(zone)
        return due is not None and due < now
