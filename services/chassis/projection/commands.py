"""The operator's commands for a projection, the same in every service: from `generations` and `rebuild` to `redrive`, `verify`."""

from __future__ import annotations

import asyncio
import getpass
import json
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict
from typing import Any, TypeVar

import click
import httpx
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from services.chassis import kafka, postgres
from services.chassis.errors import Rejected, Unavailable
from services.chassis.operators import bearing
from services.chassis.postgres import Pool
from services.chassis.projection import parking, serving
from services.chassis.projection.apply import scan
from services.chassis.projection.cursor import Cursor
from services.chassis.projection.digest import Digest
from services.chassis.projection.redrive import redrive
from services.chassis.projection.swap import Different, swap
from services.chassis.projection.view import View
from services.chassis.settings import ServiceSettings

T = TypeVar("T")

POLL_SECONDS = 0.2
# A generation this close to the one that serves is caught up: the rest comes in while the swap waits for its tick.
CLOSE = 1000

as_json = click.option("--json", "json_", is_flag=True, help="Print JSON, for programs.")
why = click.option("--reason", default="", help="Why: it is kept in the history of generations.")


def projection_commands(
    group: click.Group, settings: Callable[[], ServiceSettings], database: Callable[[ServiceSettings], str], view: View[Any]
) -> None:
    """Add the commands of a projection to a service's group. `database` gives the DSN out of the service's settings."""
    operator = Operator(settings, database, view)
    for make in (_generations, _rebuild, _swap, _rollback, _drop, _parked, _redrive, _verify):
        group.add_command(make(operator))


class Operator:
    """What a command works on: the service's database and view. One event loop and one pool a command."""

    def __init__(
        self, settings: Callable[[], ServiceSettings], database: Callable[[ServiceSettings], str], view: View[Any]
    ) -> None:
        self._settings = settings
        self._database = database
        self.view = view

    def run(self, work: Callable[[Pool], Awaitable[T]]) -> T:
        """Run `work` with a pool to the service's database."""

        async def main() -> T:
            dsn = self._database(self._settings())
            async with await postgres.create_pool(dsn, application=f"cairn {self.view.name} cli", size=4) as pool:
                return await work(pool)

        return asyncio.run(main())

    async def ask_tick(self) -> None:
        """Ask the evidence service for a tick."""
        settings = self._settings()
        url = settings.required("evidence_url")
        async with httpx.AsyncClient(base_url=url, timeout=10, headers=bearing(settings)) as client:
            try:
                (await client.post("/v1/ticks")).raise_for_status()
            except httpx.HTTPError as error:
                raise Unavailable(f"the evidence service gave no tick ({type(error).__name__}); is it up?") from None

    async def partitions(self) -> int:
        """The partition count of the log's topic."""
        return await kafka.partition_count(self._settings().required("kafka"), self.view.inputs[0].name)

    async def swap(self, pool: Pool, target: int, reason: str) -> str:
        """Swap, and say what was done."""
        try:
            done = await swap(pool, self.view, target, ask_tick=self.ask_tick, actor=actor(), reason=reason)
        except Different as different:
            raise click.ClickException(str(different)) from None
        return f"Generation {done.new} serves since the tick of {done.tick.isoformat()}; digest {done.digest}."


def actor() -> str:
    """Who gives the command, for the history."""
    return getpass.getuser()


def _generations(operator: Operator) -> click.Command:
    @click.command("generations")
    @as_json
    def generations(json_: bool) -> None:
        """List the generations: which serves, how far each has come, its digest."""

        async def work(pool: Pool) -> list[dict[str, Any]]:
            async with pool.acquire() as connection:
                served = await serving.peek(connection)
                return [
                    {
                        "generation": each.generation,
                        "serves": each.generation == served.generation,
                        "fold_version": each.fold_version,
                        "created": each.created.isoformat(),
                        "actor": each.actor,
                        "reason": each.reason,
                        **_progress(await serving.cursors_of(connection, operator.view.name, each.generation)),
                    }
                    for each in await serving.generations(connection)
                ]

        show(operator.run(work), json_, ("generation", "serves", "fold_version", "position", "tick", "digest", "reason"))

    return generations


def _rebuild(operator: Operator) -> click.Command:
    @click.command("rebuild")
    @click.option("--shadow", is_flag=True, help="Do not swap: leave the new generation beside the one that serves.")
    @why
    def rebuild(shadow: bool, reason: str) -> None:
        """Fold the log from zero into a new generation, compare exact digests at a tick, and swap without a gap.

        The worker folds; this command watches. Stopping the command leaves the new generation catching up (see `generations`).
        """

        async def work(pool: Pool) -> str:
            partitions = await operator.partitions()
            target = await serving.create_generation(pool, operator.view, partitions, actor=actor(), reason=reason or "rebuild")
            await _watch(pool, operator.view, target)
            if shadow:
                return (
                    f"Generation {target} is caught up and not served. `swap {target}` lets it serve, `drop {target}` removes it."
                )
            return await operator.swap(pool, target, reason or "rebuild")

        click.echo(operator.run(work))

    return rebuild


def _swap(operator: Operator) -> click.Command:
    @click.command("swap")
    @click.argument("generation", type=int)
    @why
    def swap_(generation: int, reason: str) -> None:
        """Let GENERATION serve, if its digest equals the serving one's at a common tick."""
        click.echo(operator.run(lambda pool: operator.swap(pool, generation, reason or "swap")))

    return swap_


def _rollback(operator: Operator) -> click.Command:
    @click.command("rollback")
    @why
    def rollback(reason: str) -> None:
        """Let the generation that served before serve again: the same swap, the other way."""

        async def work(pool: Pool) -> str:
            async with pool.acquire() as connection:
                target = await serving.previous(connection)
            return await operator.swap(pool, target, reason or "rollback")

        click.echo(operator.run(work))

    return rollback


def _drop(operator: Operator) -> click.Command:
    @click.command("drop")
    @click.argument("generation", type=int)
    @why
    def drop(generation: int, reason: str) -> None:
        """Drop GENERATION, which must neither serve nor be about to."""
        operator.run(
            lambda pool: serving.drop_generation(pool, operator.view.name, generation, actor=actor(), reason=reason or "drop")
        )
        click.echo(f"Generation {generation} is dropped.")

    return drop


def _parked(operator: Operator) -> click.Command:
    @click.command("parked")
    @as_json
    def parked(json_: bool) -> None:
        """List the parked students of the serving generation: pseudonym, position, reason."""

        async def work(pool: Pool) -> list[dict[str, Any]]:
            async with serving.reading(pool, operator.view.name) as (connection, _):
                return [asdict(each) for each in await parking.every(connection)]

        show(operator.run(work), json_, ("subject", "partition", "position", "reason"))

    return parked


def _redrive(operator: Operator) -> click.Command:
    @click.command("redrive")
    @click.argument("student", required=False)
    @click.option("--all", "all_", is_flag=True, help="Every parked student.")
    @as_json
    def redrive_(student: str | None, all_: bool, json_: bool) -> None:
        """Fold the queue of a parked STUDENT (a pseudonym) on from where she stands, in every generation.

        Do it once the cause is mended. A student whose queue fails again stays parked, further on.
        """
        if (student is None) == (not all_):
            raise click.UsageError("name one student, or say --all")
        show(
            operator.run(lambda pool: _redrive_each(pool, operator.view, student)),
            json_,
            ("generation", "subject", "folded", "stands_before", "reason"),
        )

    return redrive_


async def _redrive_each(pool: Pool, view: View[Any], student: str | None) -> list[dict[str, Any]]:
    done: list[dict[str, Any]] = []
    async with pool.acquire() as connection:
        generations = await serving.generations(connection)
    for each in generations:
        async with pool.acquire() as connection, connection.transaction():
            await serving.set_path(connection, serving.schema_of(view.name, each.generation))
            subjects = [parked.subject for parked in await parking.every(connection)]
        asked = subjects if student is None else [subject for subject in subjects if subject == student]
        done += [
            {"generation": each.generation, **asdict(await redrive(pool, view, each.generation, subject))} for subject in asked
        ]
    if student is not None and not done:
        raise Rejected("not-parked", "a student who is parked (see `parked`)", status=404)
    return done


def _verify(operator: Operator) -> click.Command:
    @click.command("verify")
    @as_json
    def verify(json_: bool) -> None:
        """Compute the serving generation's digests from all its rows. Exit code 1: they differ from those kept."""
        rows = operator.run(lambda pool: _scan_all(pool, operator.view))
        show(rows, json_, ("partition", "kept", "scanned", "equal"))
        if not all(row["equal"] for row in rows):
            raise click.exceptions.Exit(1)

    return verify


async def _scan_all(pool: Pool, view: View[Any]) -> list[dict[str, Any]]:
    async with serving.reading(pool, view.name) as (connection, standing):
        rows = []
        for cursor in standing.cursors:
            scanned = await scan(connection, view, cursor.partition)
            rows.append(
                {
                    "partition": cursor.partition,
                    "kept": str(cursor.digest),
                    "scanned": str(scanned),
                    "equal": scanned == cursor.digest,
                }
            )
        return rows


# A generation that does not move for so long is not being folded.
STILL_SECONDS = 60.0


async def _watch(pool: Pool, view: View[Any], target: int) -> None:
    """Show a bar until the generation is close to the one that serves."""
    bar = Progress(
        TextColumn("generation {task.fields[generation]}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("entries"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        disable=not sys.stderr.isatty(),
    )
    with bar:
        task = bar.add_task("rebuild", generation=target)
        loop, last = asyncio.get_running_loop(), -1
        moved = loop.time()
        while True:
            async with pool.acquire() as connection:
                served = await serving.peek(connection)
                ahead = _entries(await serving.cursors_of(connection, view.name, served.generation))
                come = _entries(await serving.cursors_of(connection, view.name, target))
            bar.update(task, completed=come, total=ahead)
            if come >= ahead - CLOSE:
                return
            if come != last:
                last, moved = come, loop.time()
            if loop.time() - moved > STILL_SECONDS:
                raise Unavailable(
                    f"generation {target} has stood still at {come:,} of {ahead:,} entries for {STILL_SECONDS:g} s: is the worker "
                    "running, and what does its /readyz say? Once it goes on, `swap` ends what was begun"
                )
            await asyncio.sleep(POLL_SECONDS)


def _entries(cursors: Sequence[Cursor]) -> int:
    return sum(sum(cursor.next) for cursor in cursors)


def _progress(cursors: list[Cursor]) -> dict[str, Any]:
    standing = serving.standing_of(0, cursors)
    return {
        "position": standing.position,
        "tick": standing.time.isoformat() if standing.time else None,
        "digest": str(sum((cursor.digest for cursor in cursors), Digest())),
    }


def show(rows: Sequence[dict[str, Any]], json_: bool, columns: Sequence[str]) -> None:
    """Rows as JSON, or as aligned columns."""
    if json_:
        click.echo(json.dumps(list(rows), default=str))
        return
    table: list[Sequence[str]] = [columns, *([str(row[column]) for column in columns] for row in rows)]
    widths = [max(len(line[index]) for line in table) for index in range(len(columns))]
    for line in table:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
