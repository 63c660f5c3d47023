"""`cairn seed …` and `cairn load`: parse, call, print."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from uuid import uuid4

import click

from deploy.seed import demo as demo_
from deploy.seed import load as load_
from deploy.seed.district import ONE_SCHOOL_DAYS, ONE_SCHOOL_SIZE, district, one_school
from deploy.seed.publish import MOST_EVENTS, Report, batches, publish
from deploy.seed.seeding import Seeded, app_keys, evidence_url, progress_bar, seed_district, seed_star

_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
_connections = click.option("--connections", type=click.IntRange(1, 64), default=4, show_default=True, help="Requests in flight.")
_number = click.option("--seed", "number", type=click.IntRange(0), default=1, show_default=True, help="The seed number.")
_DAYS = click.IntRange(1, 186)  # the school days of a year


@click.group()
def seed() -> None:
    """Fill the running stack with records, by the public doors. Seeding again changes nothing."""


@seed.command()
@_connections
@_json
def star(connections: int, as_json: bool) -> None:
    """Project STAR: 11,598 pupils in 80 schools, 48,875 scores."""
    _print(seed_star(connections), as_json)


@seed.command()
@click.option("--students", type=click.IntRange(1, 5000), default=ONE_SCHOOL_SIZE, show_default=True)
@click.option("--days", type=_DAYS, default=ONE_SCHOOL_DAYS, show_default=True, help="School days of evidence.")
@_number
@_connections
@_json
def highschool(students: int, days: int, number: int, connections: int, as_json: bool) -> None:
    """One synthetic mastery school: 49 competencies, a timetable, a term of evidence from three apps."""
    made = one_school(seed=number, students=students, days=days)
    _print(seed_district(made.school_ids[0], made, connections), as_json)


@seed.command("district")
@click.option("--students", type=click.IntRange(1, 2_000_000), required=True)
@click.option("--days", type=_DAYS, required=True, help="School days of evidence.")
@_number
@_connections
@_json
def district_(students: int, days: int, number: int, connections: int, as_json: bool) -> None:
    """A district of such schools, about 550 students each, the same for the same seed number."""
    made = district(students, days, number)
    _print(seed_district(made.id, made, connections), as_json)


@seed.command()
@_connections
def demo(connections: int) -> None:
    """STAR and the high school; then where to look, and one student's levels with what they rest on."""
    for line in demo_.demo(connections):
        click.echo(line)


@click.command()
@click.option("--rate", type=click.FloatRange(0, 1_000_000, min_open=True), required=True, help="Events a second.")
@click.option("--seconds", type=click.FloatRange(0, min_open=True), help="How long; otherwise to the end of STAR, or for ever.")
@click.option("--seed", "which", type=click.Choice(["star", "highschool"]), default="highschool", show_default=True)
@click.option("--batch", type=click.IntRange(1, MOST_EVENTS), default=50, show_default=True, help="Events a request.")
@click.option("--connections", type=click.IntRange(1, 256), default=8, show_default=True, help="Requests in flight, at most.")
@_json
def load(rate: float, seconds: float | None, which: str, batch: int, connections: int, as_json: bool) -> None:
    """Publish a seed's evidence at a steady rate, and report the rate reached, what was accepted, and latencies."""
    items = load_.star_items() if which == "star" else load_.highschool_items(str(uuid4()), one_school())
    to_send = batches(load_.for_seconds(items, rate, seconds), batch, rate)
    report, keys, url = Report(), app_keys(), evidence_url()
    with progress_bar("load", int(rate * seconds) if seconds else None) as advance, suppress(KeyboardInterrupt):
        # Ctrl-C is how a load without end ends; what it did until then is reported.
        asyncio.run(publish(to_send, url=url, keys=keys, report=report, connections=connections, progress=advance))
    loaded = load_.Loaded(which, rate, report)
    click.echo(loaded.as_json() if as_json else loaded.as_text())


def _print(seeded: Seeded, as_json: bool) -> None:
    click.echo(seeded.as_json() if as_json else seeded.as_text())
