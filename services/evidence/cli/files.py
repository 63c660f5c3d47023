"""`cairn evidence import`, `imports` and `deduplicate`: evidence from files, and what came twice."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import click
from rich.console import Console
from rich.table import Column, Table

from services.chassis.telemetry import configure
from services.evidence.cli.asking import Bars, progress_bar, with_ledger, with_pool
from services.evidence.duplicates import Search, Searched
from services.evidence.files.importing import Summary as Imported
from services.evidence.files.importing import import_file, open_file
from services.evidence.files.rehearsal import rehearse
from services.evidence.files.undo import Undone, undo_import
from services.evidence.opening import Opened
from services.evidence.settings import Settings
from services.evidence.store.files import listed as batches


@click.command("import")
@click.argument("path", metavar="[FILE]", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--map", "map_", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="The map, in TOML.")
@click.option("--dry-run", is_flag=True, help="Say what would become of each row, and send nothing.")
@click.option("--undo", metavar="BATCH", help="Retract what a batch brought (`cairn evidence imports` lists them).")
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
def import_evidence(path: Path | None, map_: Path | None, dry_run: bool, undo: str | None, as_json: bool) -> None:
    """Import evidence from FILE, CSV or Parquet, as the map says.

    Unchanged rows are duplicates, changed rows take the place of what they were, refused rows go to FILE.rejects.csv with the
    reason. An import that was stopped goes on where it stopped: run it again. It waits while live traffic is served.

    \b
    A map, grades.toml:
      publisher = "gradebook"                 # in whose name: `cairn publisher list`
      history = true                          # an old system's: provenance `migrated`
      key = ["student_no", "assignment"]      # the columns that name a record for good
      time = { column = "given", format = "%m/%d/%Y" }
      [fields]
      student = { column = "student_no", scheme = "sis" }
      framework = { value = "nyc-hs" }
      competency = { column = "standard" }
      score = { column = "mark", values = { A = 4, B = 3, C = 2, D = 1 } }
      scale = { value = "d4" }
      entered = { column = "created_at" }

    \b
      cairn evidence import grades.csv --map grades.toml --dry-run
      cairn evidence import grades.csv --map grades.toml
      cairn evidence import --undo b-0123456789abcdef

    `event = "evidence.carried"` and a field `level` in place of `score` bring levels with no evidence under them. `zone` (default:
    the district's) and `at` (default: 12:00) complete dates; `source`, `delimiter` and `encoding` may be told too.
    """
    settings = Settings()
    configure("evidence.import", settings.model_copy(update={"log_level": "WARNING"}))
    with progress_bar() as progress:
        work = _importing(path, map_, undo, Bars(progress), dry_run=dry_run)
        told = asyncio.run(with_ledger(settings, "evidence.import", work))
    click.echo(json.dumps(told.as_json()) if as_json else told.as_text())


def _importing(
    path: Path | None, map_: Path | None, undo: str | None, bars: Bars, *, dry_run: bool
) -> Callable[[Opened], Awaitable[Imported | Undone]]:
    """What is asked for: an import, a dry run, or an undoing."""
    if path is not None and map_ is not None and undo is None:
        file, act = open_file(path, map_), rehearse if dry_run else import_file
        bars.stage("Looking" if dry_run else "Importing", file.table.about)
        return lambda has: act(has, file, bars.advance)
    if undo is not None and path is None and map_ is None and not dry_run:
        bars.stage("Retracting", None)
        return lambda has: undo_import(has, undo, bars.advance)
    raise click.UsageError("expected FILE with --map MAP.toml, or --undo BATCH alone")


@click.command("imports")
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
def imports(as_json: bool) -> None:
    """List the batches of imported files, the latest first."""
    found = with_pool(batches)
    if as_json:
        click.echo(json.dumps([each.as_json() for each in found]))
        return
    batch, publisher = Column("batch", no_wrap=True), Column("publisher", overflow="fold")
    table = Table(batch, publisher, "began", "rows", "accepted, duplicate, held, rejected", "state")
    for each in found:
        counts = ", ".join(f"{count:,}" for count in (each.accepted, each.duplicate, each.held, each.rejected))
        table.add_row(each.batch, each.publisher, f"{each.began:%Y-%m-%d}", f"{each.rows:,}", counts, each.state)
    Console().print(table)


@click.command("deduplicate")
@click.option("--all", "everything", is_flag=True, help="Search the whole log, not what came since the last time.")
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
def deduplicate(everything: bool, as_json: bool) -> None:
    """Retract evidence whose id had come before under another day. The worker does it after each midnight."""
    settings = Settings()
    configure("evidence.deduplicate", settings.model_copy(update={"log_level": "WARNING"}))

    async def search(has: Opened) -> Searched:
        return await Search(has.ledger, has.pool, has.key).run(everything=everything)

    found = asyncio.run(with_ledger(settings, "evidence.deduplicate", search))
    click.echo(json.dumps(found.as_json()) if as_json else found.as_text())
