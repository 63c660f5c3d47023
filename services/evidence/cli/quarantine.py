"""`cairn evidence quarantine`: what was refused or waits, for district IT."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime

import click
from rich.console import Console
from rich.table import Table

from services.chassis.errors import Rejected
from services.evidence.cli.asking import with_pool
from services.evidence.store import kept


@click.group()
def quarantine() -> None:
    """What was refused, kept for 30 days, and what waits at the door."""


@quarantine.command("list")
@click.option("--publisher", "name", help="Only of this publisher.")
@click.option("--reason", help="Only for this reason: a problem's code, such as invalid-field or unknown-student.")
@click.option("--since", type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]), help="Only what came at or after this time, UTC.")
@click.option("--after", type=click.IntRange(min=0), default=0, help="Rejections with a higher number only, for the next page.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True, help="Of rejections, and of what waits.")
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
def list_quarantine(name: str | None, reason: str | None, since: datetime | None, after: int, limit: int, as_json: bool) -> None:
    """List rejections by number, then what waits. Nothing of what was sent is shown but which submission it is."""
    wanted = kept.Wanted(name, reason, since.replace(tzinfo=UTC) if since else None)
    rejections = with_pool(lambda pool: kept.rejections(pool, wanted, after, limit))
    held = with_pool(lambda pool: kept.held(pool, wanted, limit))
    if as_json:
        told = {"rejections": [asdict(each) for each in rejections], "held": [asdict(each) for each in held]}
        click.echo(json.dumps(told, default=datetime.isoformat))
        return
    table = Table("number", "came", "publisher", "id", "reason", "where")
    for it in rejections:
        table.add_row(str(it.number), f"{it.came:%Y-%m-%d %H:%M}", it.publisher, it.id or "unreadable", it.code, it.pointer)
    for waits in held:
        table.add_row("held", f"{waits.came:%Y-%m-%d %H:%M}", waits.publisher, waits.id, waits.reason, "")
    Console().print(table)


@quarantine.command("show")
@click.argument("number", type=click.IntRange(0, 2**62))
@click.option("--payload", is_flag=True, help="Also what was sent: student data, so mind who looks on.")
def show_quarantine(number: int, payload: bool) -> None:
    """Show the rejection NUMBER: which submission, why, where, and what was expected."""
    found = with_pool(lambda pool: kept.rejections(pool, kept.Wanted(), number - 1, 1))
    if not found or found[0].number != number:
        raise Rejected("unknown-rejection", "the number of a rejection that is kept (`cairn evidence quarantine list`)")
    for field, value in asdict(found[0]).items():
        click.echo(f"{field:<10} {value if value is not None else 'unreadable'}")
    if payload:
        sent = with_pool(lambda pool: kept.payload(pool, number)) or b""
        click.echo(f"\n{sent.decode(errors='replace')}")
