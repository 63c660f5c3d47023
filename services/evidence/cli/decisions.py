"""What district IT decides: `cairn evidence retract`, `cairn student`, `cairn assessor`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, TypeVar, get_args

import click

from contracts.events.corrections import CorrectionReason, RevocationReason
from contracts.events.identities import MergeReason, UnmergeReason
from services.chassis.telemetry import configure
from services.evidence import office
from services.evidence.cli.asking import with_ledger
from services.evidence.corrections import Named
from services.evidence.merging import Done, Merging
from services.evidence.opening import Opened
from services.evidence.settings import Settings
from services.evidence.vault import STAFF, STUDENT

F = TypeVar("F", bound=Callable[..., Any])


_actor = click.option("--actor", required=True, metavar="WHO", help="The member of staff who decided: pseudonym or SCHEME:VALUE.")
_as_json = click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")


def _reason(reasons: object) -> Callable[[F], F]:
    return click.option("--reason", required=True, type=click.Choice(get_args(reasons)), help="Why; the log keeps no other words.")


def _decide(decision: Callable[[Opened], Awaitable[Done]], what: str, *, as_json: bool) -> None:
    """Carry out a decision of district IT and say where the log has it. One that stands already changes nothing."""
    settings = Settings()
    configure("evidence.decide", settings.model_copy(update={"log_level": "WARNING"}))
    done = asyncio.run(with_ledger(settings, "evidence.decide", decision))
    if as_json:
        click.echo(json.dumps({"position": str(done.position), "copies": done.copies, "duplicate": done.duplicate}))
        return
    copied = f", with {done.copies:,} copies of her evidence" if done.copies else ""
    click.echo(
        f"{what} already, at position {done.position}." if done.duplicate else f"{what}, at position {done.position}{copied}."
    )


@click.command("retract")
@click.argument("source")
@click.argument("id", required=False)
@click.option("--sourcekey", help="The whole record under this key, instead of one event by its ID.")
@_actor
@_reason(CorrectionReason)
@_as_json
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
@_as_json
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
@_as_json
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
@_as_json
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
@_as_json
def reinstate_assessor(who: str, actor: str, reason: RevocationReason, as_json: bool) -> None:
    """Have the evidence that WHO assessed count again."""

    async def decision(has: Opened) -> Done:
        names = [await office.person(has, each, STAFF) for each in (who, actor)]
        return await office.reinstate(has, names[0], names[1], reason)

    _decide(decision, "Reinstated", as_json=as_json)
