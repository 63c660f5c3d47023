"""The commands of the local stack: `cairn up`, `status`, `logs`, `down`, `reset`."""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import IO

import click
from rich.console import Console

from deploy.local import control
from deploy.local.resolver import DOCKER, LOCAL
from deploy.local.show import Progress, position, table
from deploy.local.state import Home, StackState
from deploy.local.waiting import POLL_SECONDS
from services.chassis.settings import cairn_home


def _backends(_: click.Context, __: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    chosen: dict[str, str] = {}
    for value in values:
        scheme, _separator, rest = value.partition("://")
        if value in (LOCAL, DOCKER):
            chosen = {"kafka": value, "postgres": value, **chosen}
        elif scheme == "kafka" and rest:
            chosen["kafka"] = rest
        elif scheme in ("postgresql", "postgres") and rest:
            chosen["postgres"] = value
        else:
            raise click.BadParameter("expected local, docker, kafka://HOST:PORT or postgresql://…")
    return chosen


@click.command()
@click.option("--brokers", type=click.Choice(["1", "3"]), help="Brokers of a new stack's Kafka; 1 unless told otherwise.")
@click.option(
    "--partitions", type=click.IntRange(1, 512), help="Partitions of a new stack's log, for life; 8 unless told otherwise."
)
@click.option(
    "--backend",
    "backends",
    multiple=True,
    callback=_backends,
    help="local, docker, kafka://HOST:PORT or postgresql://…; may be given twice. Otherwise: CAIRN_KAFKA and "
    "CAIRN_POSTGRES, then packages, then Docker.",
)
@click.option("--any-ports", is_flag=True, help="For a new stack beside another: free ports, rather than the usual ones.")
@click.option("--wait/--detach", default=True, help="Return when everything is ready (the default), or at once.")
def up(brokers: str | None, partitions: int | None, backends: dict[str, str], any_ports: bool, wait: bool) -> None:
    """Start Kafka, Postgres and the services, and keep them running. Does nothing to what runs already."""
    home = Home(cairn_home())
    number = int(brokers) if brokers else None
    plan = control.choose(home, brokers=number, partitions=partitions, backends=backends, any_ports=any_ports)
    control.start(home, plan)
    if not wait:
        click.echo("Starting; `cairn status` shows how far it is.")
        return
    with Progress(Console(stderr=True), lambda line: click.echo(line, err=True)) as progress:
        for state in control.follow(home):
            progress.show(state)
    for note in state.notes:
        click.echo(note)
    pages = home.settings().get("CAIRN_REPORTING_URL", "")
    click.echo(f"Cairn is up: {pages}" if pages else "Cairn is up")


@click.command()
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def status(as_json: bool) -> None:
    """Show every process: its pid, address, state and log position."""
    state = Home(cairn_home()).state()
    positions = {part.name: found for part in state.parts if (found := position(part)) is not None}
    if as_json:
        parts = [{**asdict(part), "position": positions.get(part.name)} for part in state.parts]
        click.echo(json.dumps({**asdict(state), "parts": parts}, indent=2))
        return
    _print_table(state, positions)


def _print_table(state: StackState, positions: dict[str, int]) -> None:
    Console(width=None).print(table(state, positions))
    if state.error:
        click.echo(f"Error: {state.error}")


@click.command()
@click.argument("service", required=False, default="")
@click.option("-f", "--follow", is_flag=True, help="Go on until interrupted.")
@click.option("-n", "--lines", default=40, show_default=True, type=click.IntRange(0), help="Last lines of each log to begin with.")
def logs(service: str, follow: bool, lines: int) -> None:
    """Show the logs of SERVICE (e.g. mastery, mastery-work, kafka, postgres, supervisor), or of all."""
    files = control.log_files(Home(cairn_home()), service)
    with ExitStack() as stack:
        opened = [(file, stack.enter_context(file.open(encoding="utf-8", errors="replace"))) for file in files]
        for file, text in opened:
            for line in deque(text, maxlen=lines):
                _print_line(file, line, named=len(files) > 1)
        while follow:
            _print_new(opened)
            time.sleep(POLL_SECONDS)


def _print_new(opened: Sequence[tuple[Path, IO[str]]]) -> None:
    for file, text in opened:
        for line in text:
            _print_line(file, line, named=len(opened) > 1)


def _print_line(file: Path, line: str, *, named: bool) -> None:
    click.echo(f"{file.stem}: {line.rstrip()}" if named else line.rstrip())


@click.command()
def down() -> None:
    """Stop everything that `cairn up` started. Data stays."""
    stopped = control.stop(Home(cairn_home()))
    click.echo("Cairn is down; its data stays." if stopped else "Nothing was running.")


@click.command()
@click.option("--yes", is_flag=True, help="Do not ask.")
def reset(yes: bool) -> None:
    """Stop everything, and delete the stack's data: log, databases, logs."""
    home = Home(cairn_home())
    if home.plan() is None:
        click.echo("There is no stack to reset.")
        return
    if not yes:
        click.confirm(f"Delete all data of the stack in {home.folder}?", abort=True)
    control.stop(home)
    control.erase(home, click.echo)
    click.echo("Deleted. `cairn up` starts afresh.")
