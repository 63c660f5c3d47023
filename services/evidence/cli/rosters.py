"""`cairn roster`: students, staff and classes from the student information system."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path

import click

from services.chassis.telemetry import configure
from services.evidence.cli.asking import Bars, listed, progress_bar, with_ledger
from services.evidence.roster.command import import_roster
from services.evidence.roster.guard import Accepted
from services.evidence.settings import Settings


@click.group()
def roster() -> None:
    """Students, staff and classes, from the student information system."""


@roster.command("import")
@click.argument("path", type=click.Path(exists=True, path_type=Path))
@click.option("--accept", multiple=True, metavar="SCHOOL…", help="Schools that more than 5 % may leave, comma-separated; '*': all.")
@click.option("--same-person", multiple=True, metavar="LINE…", help="Lines of users.csv where name and birth date were mended.")
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
def import_(path: Path, accept: tuple[str, ...], same_person: tuple[str, ...], as_json: bool) -> None:
    """Import the OneRoster 1.1 or 1.2 CSV bulk export at PATH, a folder or a ZIP file. Only changes enter the log.

    It stops before it has changed anything when more than 5 % of a school's enrolments would end, naming the schools, and when a
    student's number seems to have been given to somebody else, naming the lines.
    """
    lines = listed(same_person)
    if not all(line.isdecimal() for line in lines):
        raise click.BadParameter("expected numbers of lines", param_hint="--same-person")
    accepted = Accepted(listed(accept), frozenset(map(int, lines)))
    settings = Settings()
    configure("roster.import", settings.model_copy(update={"log_level": "WARNING"}))
    with progress_bar() as progress:
        bars, now = Bars(progress), datetime.now(UTC)
        importing = with_ledger(settings, "roster.import", lambda has: import_roster(has, path, now, bars, accepted))
        summary = asyncio.run(importing)
    click.echo(json.dumps(summary.as_json()) if as_json else summary.as_text())
