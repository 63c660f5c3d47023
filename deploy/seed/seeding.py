"""One seed from beginning to end: curriculum, then roster, then evidence; each by its public door, each harmless to repeat."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from deploy.seed import curriculum, star
from deploy.seed.command import import_roster
from deploy.seed.district import District
from deploy.seed.learning import APPS
from deploy.seed.publish import MOST_EVENTS, Item, Report, batches, publish
from deploy.seed.publishers import key_of
from services.chassis.errors import Unavailable
from services.chassis.settings import ServiceSettings, cairn_home

STAR_PUBLISHER = "star"


@dataclass(frozen=True)
class Seeded:
    """What a seed did: how its events fared, and how long sending the evidence took."""

    name: str
    curriculum: Report
    roster: str
    evidence: Report

    def as_json(self) -> str:
        evidence = dict(self.evidence.outcomes)
        rate = round(self.evidence.sent / self.evidence.seconds) if self.evidence.seconds else 0
        found: dict[str, Any] = {"seed": self.name, "curriculum": dict(self.curriculum.outcomes), "evidence": evidence}
        return json.dumps(found | {"seconds": round(self.evidence.seconds, 1), "events_per_second": rate})

    def as_text(self) -> str:
        counted = ", ".join(f"{count:,} {outcome}" for outcome, count in sorted(self.evidence.outcomes.items()))
        rate = self.evidence.sent / self.evidence.seconds if self.evidence.seconds else 0.0
        return f"{self.name}: evidence {counted} in {self.evidence.seconds:.1f} s ({rate:,.0f}/s)"


def seed_star(connections: int) -> Seeded:
    """Project STAR, whole."""
    rows = star.student_years()
    published = publish_curriculum("star")
    folder = roster_folder("star")
    star.write_roster(rows, folder)
    roster = import_roster(folder)
    items = (Item(STAR_PUBLISHER, submission) for submission in star.evidence(rows))
    evidence = send(items, "STAR evidence", star.PUBLISHED, connections)
    return _sound(Seeded("star", published, roster, evidence))


def seed_district(name: str, district: District, connections: int) -> Seeded:
    """A synthetic district, or one school. How much evidence there will be is known only when it has been made."""
    published = publish_curriculum("highschool")
    folder = roster_folder(name)
    with progress_bar("writing rosters", len(district.sizes)) as advance:
        district.write_roster(folder, lambda: advance(1))
    roster = import_roster(folder)
    evidence = send(district_items(district), f"{name} evidence", None, connections)
    return _sound(Seeded(name, published, roster, evidence))


def district_items(district: District) -> Iterator[Item]:
    """Each piece from the app that its source begins with."""
    return (Item(submission["source"].split("/")[0], submission) for submission in district.evidence())


def publish_curriculum(name: str) -> Report:
    """Framework, scales and policies of a curriculum file; they go one after another over one connection, in their order."""
    items = (Item(curriculum.PUBLISHER, submission) for submission in curriculum.submissions(curriculum.read(name)))
    keys = {curriculum.PUBLISHER: key_of(curriculum.PUBLISHER, curriculum.TYPES)}
    report = Report()
    asyncio.run(publish(batches(items, MOST_EVENTS), url=evidence_url(), keys=keys, report=report, connections=1))
    return report


def send(items: Iterable[Item], title: str, total: int | None, connections: int) -> Report:
    """Evidence as fast as the gateway takes it."""
    report, keys, url = Report(), app_keys(), evidence_url()
    with progress_bar(title, total) as advance:
        to_send = batches(items, MOST_EVENTS)
        asyncio.run(publish(to_send, url=url, keys=keys, report=report, connections=connections, progress=advance))
    return report


def app_keys() -> dict[str, str]:
    """The keys of all publishers of evidence."""
    return {name: key_of(name) for name in (STAR_PUBLISHER, *APPS)}


def evidence_url() -> str:
    return ServiceSettings().required("evidence_url")


def roster_folder(name: str) -> Path:
    """Where a seed's OneRoster folder is written, and left to be looked at."""
    return cairn_home() / "seeds" / name


@contextmanager
def progress_bar(title: str, total: int | None) -> Iterator[Any]:
    """A bar on stderr, if somebody is looking at it; gives the function that advances it."""
    columns = (TextColumn(title), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task(title, total=total)
        yield lambda done: progress.advance(task, done)


def _sound(seeded: Seeded) -> Seeded:
    """A seed is its own data: if any of it was refused or waits, something is wrong, and saying nothing would hide it."""
    for part, report in (("curriculum", seeded.curriculum), ("evidence", seeded.evidence)):
        amiss = {outcome: count for outcome, count in report.outcomes.items() if outcome not in ("accepted", "duplicate")}
        if amiss:
            raise Unavailable(f"{seeded.name}: of its {part}, {amiss} of {report.sent}; `cairn publisher list` shows the counters")
    return seeded
