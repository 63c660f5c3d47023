"""A seed's evidence at a steady rate: what the platform does under it is for others to watch.

STAR is sent as it is, once, so its levels come out as the oracle has them. The high school goes on for ever: each time round its
pieces are new events of this run, happening now.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count, islice

from contracts.ids import derived_id
from deploy.seed import star
from deploy.seed.district import District
from deploy.seed.publish import Item, Report
from deploy.seed.seeding import STAR_PUBLISHER, district_items


def star_items() -> Iterator[Item]:
    return (Item(STAR_PUBLISHER, submission) for submission in star.evidence(star.student_years()))


def highschool_items(run: str, school: District) -> Iterator[Item]:
    """Without end. `run` makes the ids this run's own; it should be new each time, as the times are."""
    items = list(district_items(school))
    for turn in count():
        for item in items:
            fresh = {"id": derived_id(run, turn, item.submission["id"]), "time": datetime.now(UTC).isoformat()}
            yield item._replace(submission=item.submission | fresh)


def for_seconds(items: Iterator[Item], rate: float, seconds: float | None) -> Iterator[Item]:
    """As many as `rate` a second gives in that time; all, where there is no time."""
    return items if seconds is None else islice(items, int(rate * seconds))


@dataclass(frozen=True)
class Loaded:
    """What a load came to, next to what was asked for."""

    seed: str
    asked_rate: float
    report: Report

    @property
    def rate(self) -> float:
        return self.report.sent / self.report.seconds if self.report.seconds else 0.0

    def figures(self) -> dict[str, object]:
        milliseconds = {f"p{p:g}_ms": round(1000 * self.report.latency(p), 1) for p in (50, 95, 99, 100)}
        timing = {"seconds": round(self.report.seconds, 1), "asked_rate": self.asked_rate, "rate": round(self.rate, 1)}
        outcomes = {name: self.report.outcomes[name] for name in ("accepted", "duplicate", "held", "rejected")}
        return {
            "seed": self.seed,
            **timing,
            **outcomes,
            "requests": len(self.report.latencies),
            "retries": self.report.retries,
        } | milliseconds

    def as_json(self) -> str:
        return json.dumps(self.figures())

    def as_text(self) -> str:
        found = self.figures()
        rates = f"{found['rate']}/s of {self.asked_rate:g}/s asked for"
        lines = [f"{self.seed}: {self.report.sent:,} events in {found['seconds']} s, {rates}"]
        lines.append(", ".join(f"{found[name]:,} {name}" for name in ("accepted", "duplicate", "held", "rejected")))
        late = ", ".join(f"{name[:-3]} {found[name]} ms" for name in ("p50_ms", "p95_ms", "p99_ms", "p100_ms"))
        lines.append(f"{found['requests']:,} requests, {found['retries']} tried again; from due to answered: {late}")
        if found["held"]:
            lines.append(f"Held events wait for their students: run `cairn seed {self.seed}` first.")
        return "\n".join(lines)
