"""`cairn publisher`: who may send, what they may, and how they fare."""

from __future__ import annotations

import json
import secrets
from datetime import UTC, datetime, timedelta

import click
from rich.console import Console
from rich.table import Table

from contracts.topics import inbox_of, receipts_of
from services.chassis.errors import Rejected
from services.evidence import grants
from services.evidence.cli.asking import listed, with_pool
from services.evidence.inbox.opening import open_inbox
from services.evidence.mine import scorecards_of
from services.evidence.publishers import keyhash, new_key
from services.evidence.quotas import LEAST_QUOTA
from services.evidence.scorecards import Expectation
from services.evidence.settings import Settings
from services.evidence.store import publishers as store
from services.evidence.store import scorecards
from services.evidence.store.inbox import restart as restart_inbox
from services.evidence.store.publishers import Listed
from services.evidence.welcome import curl


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
    if not with_pool(lambda pool: store.add(pool, made, keyhash(key))):
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
    codes = listed(schools)
    if sandbox and (granted != grants.DEFAULT_TYPES or codes):
        raise click.BadParameter("a sandbox sends evidence, about students of its own", param_hint="--sandbox")
    return grants.Publisher(name, granted, codes or None, sandbox=sandbox)


@publisher.command("revoke")
@click.argument("name")
def revoke(name: str) -> None:
    """Take the key of the publisher NAME away. What it sent stays."""
    if not with_pool(lambda pool: store.revoke(pool, name)):
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
    with_pool(lambda pool: open_inbox(pool, kafka, name, partitions, make=local))
    if restart:
        with_pool(lambda pool: restart_inbox(pool, name))
    click.echo(f"{name} may send to {inbox_of(name).name}; what becomes of it is on {receipts_of(name).name}.")


@publisher.command("quota")
@click.argument("name")
@click.argument("quota", type=click.IntRange(LEAST_QUOTA, 10_000_000), required=False)
def quota(name: str, quota: int | None) -> None:
    """Let the publisher NAME send QUOTA events a second; without QUOTA, as many as CAIRN_QUOTA says. Over all doors together."""
    if not with_pool(lambda pool: store.set_quota(pool, name, quota)):
        raise Rejected("unknown-publisher", "a publisher that is there (`cairn publisher list`)")
    click.echo(
        f"{name} may send {f'{quota} events a second' if quota else 'what CAIRN_QUOTA says'}, in five seconds at the latest."
    )


@publisher.command("list")
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
def list_(as_json: bool) -> None:
    """List the publishers and what each may send."""
    found = with_pool(store.listed)
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


@publisher.command("expect")
@click.argument("name")
@click.option("--every", type=click.IntRange(1, 8760), help="Hours after the last delivery within which the next one comes.")
@click.option("--weekdays", is_flag=True, help="Saturdays and Sundays do not count.")
def expect(name: str, every: int | None, weekdays: bool) -> None:
    """Expect deliveries of the publisher NAME; without --every, none any more. One that misses a delivery is told of as silent."""
    expectation = Expectation(timedelta(hours=every), weekdays) if every else None
    if not with_pool(lambda pool: scorecards.expect(pool, name, expectation)):
        raise Rejected("unknown-publisher", "a publisher that is there (`cairn publisher list`)")
    hours = f"within {every} hours{' of weekdays' if weekdays else ''} after the last one" if every else "no more"
    click.echo(f"A delivery of {name} is expected {hours}.")


@publisher.command("scorecards")
@click.option("--silent", is_flag=True, help="Only those of whom an expected delivery has not come.")
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
def scorecards_(silent: bool, as_json: bool) -> None:
    """Show how each publisher delivers: what was accepted, refused and late, when it was last seen, who has gone silent."""
    found = [each for each in with_pool(scorecards_of) if each.silent or not silent]
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
