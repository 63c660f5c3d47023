"""The evidence service's commands: `cairn evidence`, `cairn publisher`, `cairn roster`, `cairn student`, `cairn assessor`."""

from __future__ import annotations

import asyncio
import json
import secrets
import sys
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar, get_args

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Column, Table

from contracts.events.corrections import CorrectionReason, RevocationReason
from contracts.events.identities import MergeReason, UnmergeReason
from contracts.topics import inbox_of, receipts_of
from services.chassis.errors import Rejected
from services.chassis.postgres import Pool, create_pool
from services.chassis.telemetry import configure
from services.chassis.web import run
from services.evidence import grants, office
from services.evidence.corrections import Named
from services.evidence.duplicates import Search, Searched
from services.evidence.files.importing import Summary as Imported
from services.evidence.files.importing import import_file, open_file
from services.evidence.files.rehearsal import rehearse
from services.evidence.files.undo import Undone, undo_import
from services.evidence.inbox.opening import open_inbox
from services.evidence.merging import Done, Merging
from services.evidence.mine import scorecards_of
from services.evidence.opening import Opened
from services.evidence.publishers import keyhash, new_key
from services.evidence.quotas import LEAST_QUOTA
from services.evidence.roster.command import import_roster
from services.evidence.roster.guard import Accepted
from services.evidence.scorecards import Expectation
from services.evidence.settings import Settings
from services.evidence.store import kept, scorecards
from services.evidence.store import publishers as store
from services.evidence.store.files import listed as batches
from services.evidence.store.inbox import restart as restart_inbox
from services.evidence.store.publishers import Listed
from services.evidence.vault import STAFF, STUDENT
from services.evidence.welcome import curl

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])


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


@evidence.group()
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
    rejections = _with_pool(lambda pool: kept.rejections(pool, wanted, after, limit))
    held = _with_pool(lambda pool: kept.held(pool, wanted, limit))
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
    found = _with_pool(lambda pool: kept.rejections(pool, kept.Wanted(), number - 1, 1))
    if not found or found[0].number != number:
        raise Rejected("unknown-rejection", "the number of a rejection that is kept (`cairn evidence quarantine list`)")
    for field, value in asdict(found[0]).items():
        click.echo(f"{field:<10} {value if value is not None else 'unreadable'}")
    if payload:
        sent = _with_pool(lambda pool: kept.payload(pool, number)) or b""
        click.echo(f"\n{sent.decode(errors='replace')}")


_actor = click.option("--actor", required=True, metavar="WHO", help="The member of staff who decided: pseudonym or SCHEME:VALUE.")
_as_json_flag = click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")


def _reason(reasons: object) -> Callable[[F], F]:
    return click.option("--reason", required=True, type=click.Choice(get_args(reasons)), help="Why; the log keeps no other words.")


def _decide(decision: Callable[[Opened], Awaitable[Done]], what: str, *, as_json: bool) -> None:
    """Carry out a decision of district IT and say where the log has it. One that stands already changes nothing."""
    settings = Settings()
    configure("evidence.decide", settings.model_copy(update={"log_level": "WARNING"}))
    done = asyncio.run(_with_ledger(settings, "evidence.decide", decision))
    if as_json:
        click.echo(json.dumps({"position": str(done.position), "copies": done.copies, "duplicate": done.duplicate}))
        return
    copied = f", with {done.copies:,} copies of her evidence" if done.copies else ""
    click.echo(
        f"{what} already, at position {done.position}." if done.duplicate else f"{what}, at position {done.position}{copied}."
    )


@evidence.command("retract")
@click.argument("source")
@click.argument("id", required=False)
@click.option("--sourcekey", help="The whole record under this key, instead of one event by its ID.")
@_actor
@_reason(CorrectionReason)
@_as_json_flag
def retract(source: str, id: str | None, sourcekey: str | None, actor: str, reason: CorrectionReason, as_json: bool) -> None:
    """Retract the evidence, or the correction, that SOURCE sent under ID, whoever that was. Folds then count it no more."""
    if (id is None) == (sourcekey is None):
        raise click.UsageError("expected either an ID or --sourcekey")

    async def decision(has: Opened) -> Done:
        who = await office.person(has, actor, STAFF)
        return await office.retract(has, Named(source, id, sourcekey), who, reason)

    _decide(decision, "Retracted", as_json=as_json)


@click.group()
def student() -> None:
    """Students under two pseudonyms. Name one by it, or by an identifier as SCHEME:VALUE, such as sis:104."""


@student.command("merge")
@click.argument("other")
@click.option("--into", "survivor", required=True, metavar="STUDENT", help="Who she is known as from now on.")
@_actor
@_reason(MergeReason)
@_as_json_flag
def merge(other: str, survivor: str, actor: str, reason: MergeReason, as_json: bool) -> None:
    """Say that OTHER is the same person as another student: her identifiers lead to that one, and her evidence goes over."""

    async def decision(has: Opened) -> Done:
        names = [await office.person(has, each, STUDENT) for each in (other, survivor)]
        who = await office.person(has, actor, STAFF)
        return await Merging(has.ledger, has.key).merge(names[0], names[1], who, reason)

    _decide(decision, "Merged", as_json=as_json)


@student.command("unmerge")
@click.argument("other")
@_actor
@_reason(UnmergeReason)
@_as_json_flag
def unmerge(other: str, actor: str, reason: UnmergeReason, as_json: bool) -> None:
    """Say that OTHER, who is merged, is somebody else after all: her identifiers and all her evidence come back to her."""

    async def decision(has: Opened) -> Done:
        name, who = await office.person(has, other, STUDENT), await office.person(has, actor, STAFF)
        return await Merging(has.ledger, has.key).unmerge(name, who, reason)

    _decide(decision, "Unmerged", as_json=as_json)


@click.group()
def assessor() -> None:
    """Who may assess. Name somebody by pseudonym, or by an identifier as SCHEME:VALUE."""


@assessor.command("revoke")
@click.argument("who")
@click.option("--since", type=click.DateTime(["%Y-%m-%dT%H:%M:%S%z"]), help="Only what she assessed from this time on.")
@_actor
@_reason(RevocationReason)
@_as_json_flag
def revoke_assessor(who: str, since: datetime | None, actor: str, reason: RevocationReason, as_json: bool) -> None:
    """Have the evidence that WHO assessed count no more, all of it or what happened --since a time."""

    async def decision(has: Opened) -> Done:
        names = [await office.person(has, each, STAFF) for each in (who, actor)]
        return await office.revoke(has, names[0], since, names[1], reason)

    _decide(decision, "Revoked", as_json=as_json)


@assessor.command("reinstate")
@click.argument("who")
@_actor
@_reason(RevocationReason)
@_as_json_flag
def reinstate_assessor(who: str, actor: str, reason: RevocationReason, as_json: bool) -> None:
    """Have the evidence that WHO assessed count again."""

    async def decision(has: Opened) -> Done:
        names = [await office.person(has, each, STAFF) for each in (who, actor)]
        return await office.reinstate(has, names[0], names[1], reason)

    _decide(decision, "Reinstated", as_json=as_json)


@evidence.command("import")
@click.argument("path", metavar="FILE", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--map", "map_", required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path), help="The map, in TOML."
)
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
    with _progress() as progress:
        work = _importing(path, map_, undo, _Bars(progress), dry_run=dry_run)
        told = asyncio.run(_with_ledger(settings, "evidence.import", work))
    click.echo(json.dumps(told.as_json()) if as_json else told.as_text())


def _importing(
    path: Path | None, map_: Path | None, undo: str | None, bars: _Bars, *, dry_run: bool
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


async def _with_ledger(settings: Settings, process: str, work: Callable[[Opened], Awaitable[T]]) -> T:
    """Run `work` on a ledger that accepts."""
    from services.evidence.app import opened  # noqa: PLC0415 - as in `serve`

    async with opened(settings, process, size=4) as has:
        await has.ledger.compare(settings.required("kafka"))
        return await work(has)


@evidence.command("imports")
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
def imports(as_json: bool) -> None:
    """List the batches of imported files, the latest first."""
    found = _with_pool(batches)
    if as_json:
        click.echo(json.dumps([each.as_json() for each in found]))
        return
    batch, publisher = Column("batch", no_wrap=True), Column("publisher", overflow="fold")
    table = Table(batch, publisher, "began", "rows", "accepted, duplicate, held, rejected", "state")
    for each in found:
        counts = ", ".join(f"{count:,}" for count in (each.accepted, each.duplicate, each.held, each.rejected))
        table.add_row(each.batch, each.publisher, f"{each.began:%Y-%m-%d}", f"{each.rows:,}", counts, each.state)
    Console().print(table)


@evidence.command("deduplicate")
@click.option("--all", "everything", is_flag=True, help="Search the whole log, not what came since the last time.")
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
def deduplicate(everything: bool, as_json: bool) -> None:
    """Retract evidence whose id had come before under another day. The worker does it after each midnight."""
    settings = Settings()
    configure("evidence.deduplicate", settings.model_copy(update={"log_level": "WARNING"}))

    async def search(has: Opened) -> Searched:
        return await Search(has.ledger, has.pool, has.key).run(everything=everything)

    found = asyncio.run(_with_ledger(settings, "evidence.deduplicate", search))
    click.echo(json.dumps(found.as_json()) if as_json else found.as_text())


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
    with _progress() as progress:
        bars, now = _Bars(progress), datetime.now(UTC)
        importing = _with_ledger(settings, "roster.import", lambda has: import_roster(has, path, now, bars, accepted))
        summary = asyncio.run(importing)
    click.echo(json.dumps(summary.as_json()) if as_json else summary.as_text())


def _progress() -> Progress:
    return Progress(*_COLUMNS, console=Console(stderr=True), disable=not sys.stderr.isatty())


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
