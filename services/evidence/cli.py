"""The evidence service's commands: `cairn evidence`, `cairn publisher`, `cairn roster`."""

from __future__ import annotations

import asyncio
import json
import secrets
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table

from contracts.topics import inbox_of, receipts_of
from services.chassis.errors import Rejected
from services.chassis.postgres import Pool, create_pool
from services.chassis.telemetry import configure
from services.chassis.web import run
from services.evidence import grants
from services.evidence.inbox.opening import open_inbox
from services.evidence.mine import scorecards_of
from services.evidence.publishers import keyhash, new_key
from services.evidence.quotas import LEAST_QUOTA
from services.evidence.roster.command import import_roster
from services.evidence.roster.guard import Accepted
from services.evidence.roster.importing import Summary
from services.evidence.scorecards import Expectation
from services.evidence.settings import Settings
from services.evidence.store import publishers as store
from services.evidence.store import scorecards
from services.evidence.store.inbox import restart as restart_inbox
from services.evidence.store.publishers import Listed
from services.evidence.welcome import curl

T = TypeVar("T")


@click.group()
def evidence() -> None:
    """The evidence service: what enters Cairn enters here."""


@evidence.command()
def serve() -> None:
    """Serve the HTTP API until stopped."""
    from services.evidence.app import create_api  # noqa: PLC0415 - a command that serves nothing starts without FastAPI

    settings = Settings()
    configure("evidence.serve", settings)
    run(create_api(settings), settings)


@evidence.command()
def work() -> None:
    """Relay the log to Kafka, let time pass in it, let in what was held, until stopped."""
    from services.evidence.app import create_worker  # noqa: PLC0415 - as in `serve`

    settings = Settings()
    configure("evidence.work", settings)
    run(create_worker(settings), settings)


@click.group()
def publisher() -> None:
    """Who may send evidence."""


@publisher.command("add")
@click.argument("name")
@click.option("--types", multiple=True, default=["evidence.submitted"], show_default=True, help="Event types, comma-separated.")
@click.option("--schools", multiple=True, help="School codes, comma-separated. Default: all.")
@click.option("--sandbox", is_flag=True, help="For trying out: its evidence goes the whole way and counts nowhere.")
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
def add(name: str, types: tuple[str, ...], schools: tuple[str, ...], sandbox: bool, as_json: bool) -> None:
    """Add the publisher NAME; print its key, this once (only its hash is kept), and a `curl` that works as it is printed."""
    made = _publisher(name, types, schools, sandbox=sandbox)
    key = new_key()
    try_it = curl(made, key, Settings().evidence_url, f"try-{secrets.token_hex(4)}", datetime.now(UTC))
    if not _with_pool(lambda pool: store.add(pool, made, keyhash(key))):
        raise Rejected("name-taken", "a name that no publisher bears (`cairn publisher list`)")
    if as_json:
        click.echo(
            json.dumps({"publisher": made.name, "key": key, "types": sorted(made.types), "schools": _schools(made), "curl": try_it})
        )
    else:
        click.echo(f"{made.name} may send {', '.join(sorted(map(grants.short, made.types)))}. Its key, shown this once:\n{key}")
        click.echo(f"\nTry it:\n{try_it}")


def _publisher(name: str, types: tuple[str, ...], schools: tuple[str, ...], *, sandbox: bool) -> grants.Publisher:
    if not grants.is_name(name):
        raise click.BadParameter("expected lower-case letters, digits and hyphens, and no name of Cairn's own services")
    try:
        granted = grants.types_named(",".join(types))
    except ValueError as expected:
        raise click.BadParameter(f"expected {expected}", param_hint="--types") from None
    codes = _listed(schools)
    if sandbox and (granted != grants.DEFAULT_TYPES or codes):
        raise click.BadParameter("a sandbox sends evidence, about students of its own", param_hint="--sandbox")
    return grants.Publisher(name, granted, codes or None, sandbox=sandbox)


def _listed(told: tuple[str, ...]) -> frozenset[str]:
    """The parts of an option that may be given more than once and hold several, comma-separated."""
    return frozenset(part.strip() for each in told for part in each.split(",") if part.strip())


@publisher.command("revoke")
@click.argument("name")
def revoke(name: str) -> None:
    """Take the key of the publisher NAME away. What it sent stays."""
    if not _with_pool(lambda pool: store.revoke(pool, name)):
        raise Rejected("unknown-publisher", "a publisher that has a key (`cairn publisher list`)")
    click.echo(f"{name} can send nothing more, in five seconds at the latest.")


@publisher.command("inbox")
@click.argument("name")
@click.option("--partitions", default=4, show_default=True, type=click.IntRange(1, 64), help="Of each topic that is made.")
@click.option("--restart", is_flag=True, help="Take everything in it again, as duplicates: after its topic was cut short.")
def inbox(name: str, partitions: int, restart: bool) -> None:
    """Let the publisher NAME send through Kafka too: evidence.inbox.NAME, answered on evidence.receipts.NAME.

    Whoever may write to the topic is taken for the publisher. A local stack makes both topics and lets everybody in; in production
    they come with their access list first, from k8s/components/inbox.
    """
    settings = Settings()
    local = settings.mode == "local"
    kafka = settings.required("kafka")
    _with_pool(lambda pool: open_inbox(pool, kafka, name, partitions, make=local))
    if restart:
        _with_pool(lambda pool: restart_inbox(pool, name))
    click.echo(f"{name} may send to {inbox_of(name).name}; what becomes of it is on {receipts_of(name).name}.")


@publisher.command("quota")
@click.argument("name")
@click.argument("quota", type=click.IntRange(LEAST_QUOTA, 10_000_000), required=False)
def quota(name: str, quota: int | None) -> None:
    """Let the publisher NAME send QUOTA events a second; without QUOTA, as many as CAIRN_QUOTA says. Over all doors together."""
    if not _with_pool(lambda pool: store.set_quota(pool, name, quota)):
        raise Rejected("unknown-publisher", "a publisher that is there (`cairn publisher list`)")
    click.echo(
        f"{name} may send {f'{quota} events a second' if quota else 'what CAIRN_QUOTA says'}, in five seconds at the latest."
    )


@publisher.command("list")
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
def list_(as_json: bool) -> None:
    """List the publishers and what each may send."""
    found = _with_pool(store.listed)
    if as_json:
        click.echo(json.dumps([_as_json(each) for each in found]))
        return
    table = Table("publisher", "may send", "about schools", "key")
    for each in found:
        types = ", ".join(sorted(map(grants.short, each.publisher.types)))
        state = "revoked" if each.revoked else "in force" if each.keyed else "none: a door of Cairn's own"
        table.add_row(each.publisher.name, types, ", ".join(_schools(each.publisher) or ["all"]), state)
    Console().print(table)


def _as_json(each: Listed) -> dict[str, object]:
    return {
        "publisher": each.publisher.name,
        "types": sorted(each.publisher.types),
        "schools": _schools(each.publisher),
        "created": each.created.isoformat(),
        "revoked": each.revoked.isoformat() if each.revoked else None,
    }


def _schools(publisher: grants.Publisher) -> list[str] | None:
    return None if publisher.schools is None else sorted(publisher.schools)


def _with_pool(work: Callable[[Pool], Awaitable[T]]) -> T:
    """Run `work` on a connection to the evidence database."""

    async def connected() -> T:
        async with await create_pool(Settings().dsn(), application="cairn publisher", size=1) as pool:
            return await work(pool)

    return asyncio.run(connected())


@publisher.command("expect")
@click.argument("name")
@click.option("--every", type=click.IntRange(1, 8760), help="Hours after the last delivery within which the next one comes.")
@click.option("--weekdays", is_flag=True, help="Saturdays and Sundays do not count.")
def expect(name: str, every: int | None, weekdays: bool) -> None:
    """Expect deliveries of the publisher NAME; without --every, none any more. One that misses a delivery is told of as silent."""
    expectation = Expectation(timedelta(hours=every), weekdays) if every else None
    if not _with_pool(lambda pool: scorecards.expect(pool, name, expectation)):
        raise Rejected("unknown-publisher", "a publisher that is there (`cairn publisher list`)")
    hours = f"within {every} hours{' of weekdays' if weekdays else ''} after the last one" if every else "no more"
    click.echo(f"A delivery of {name} is expected {hours}.")


@publisher.command("scorecards")
@click.option("--silent", is_flag=True, help="Only those of whom an expected delivery has not come.")
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
def scorecards_(silent: bool, as_json: bool) -> None:
    """Show how each publisher delivers: what was accepted, refused and late, when it was last seen, who has gone silent."""
    found = [each for each in _with_pool(scorecards_of) if each.silent or not silent]
    if as_json:
        click.echo(json.dumps([each.model_dump(mode="json") for each in found]))
        return
    table = Table(
        "publisher", "received", "accepted", "duplicate", "rejected", "held", "late", "conflicts", "last seen", "expected by"
    )
    for each in found:
        counts = (each.received, each.accepted, each.duplicate, each.rejected, each.held, each.late, each.conflicts)
        seen = f"{each.last_seen:%Y-%m-%d %H:%M}" if each.last_seen else "never"
        due = f"{each.expected_by:%Y-%m-%d %H:%M}{' SILENT' if each.silent else ''}" if each.expected_by else ""
        table.add_row(each.publisher, *map(str, counts), seen, due)
    Console().print(table)


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
    lines = _listed(same_person)
    if not all(line.isdecimal() for line in lines):
        raise click.BadParameter("expected numbers of lines", param_hint="--same-person")
    accepted = Accepted(_listed(accept), frozenset(map(int, lines)))
    settings = Settings()
    configure("roster.import", settings.model_copy(update={"log_level": "WARNING"}))
    with Progress(*_COLUMNS, console=Console(stderr=True), disable=not sys.stderr.isatty()) as progress:
        summary = asyncio.run(_import(settings, path, _Bars(progress), accepted))
    click.echo(json.dumps(summary.as_json()) if as_json else summary.as_text())


async def _import(settings: Settings, path: Path, bars: _Bars, accepted: Accepted) -> Summary:
    from services.evidence.app import opened  # noqa: PLC0415 - as in `serve`

    async with opened(settings, "roster.import", size=2) as has:
        await has.ledger.compare(settings.required("kafka"))
        return await import_roster(has, path, datetime.now(UTC), bars, accepted)


_COLUMNS = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())


class _Bars:
    """A bar for each stage of an import, on standard error and only for somebody who is looking."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task: TaskID | None = None

    def stage(self, title: str, total: int | None) -> None:
        self._task = self._progress.add_task(title, total=total)

    def advance(self, done: int) -> None:
        assert self._task is not None
        self._progress.advance(self._task, done)
