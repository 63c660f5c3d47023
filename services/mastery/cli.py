"""The group `cairn mastery`: a student's levels, what one rests on, a school's counts; run and operate the service."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import click
from pydantic import BaseModel

from services.chassis import postgres, telemetry, web
from services.chassis.projection.answers import AsKnown
from services.chassis.projection.commands import as_json, projection_commands, show
from services.mastery import answers
from services.mastery.handlers import view
from services.mastery.queries import Queries
from services.mastery.settings import MasterySettings

T = TypeVar("T")


@click.group()
def mastery() -> None:
    """What students can do: levels, what they rest on, counts of schools."""


known_at_ = click.option(
    "--known-at", type=click.IntRange(min=0), help="Recompute from what was known at this position of the log (default: now)."
)


@mastery.command()
@click.argument("student")
@known_at_
@as_json
def student(student: str, known_at: int | None, json_: bool) -> None:
    """Show the levels of STUDENT (a pseudonym)."""
    found = answers.student(_ask(lambda queries: queries.student(student, known_at)))
    if json_:
        _print(found)
        return
    place = f"{found.school_label}, grade {found.grade}" if found.enrolled else "not enrolled"
    place = place if found.merged_into is None else f"merged into {found.merged_into}"
    click.echo(f"{found.student}: {place}. {_as_known(found.as_known)}")
    if found.parked:
        click.echo(f"Parked before position {found.parked.position} ({found.parked.reason}): what came since waits for a redrive.")
    columns = ("framework", "competency", "level", "value", "pieces", "policy", "label")
    show([_level(level) for level in found.levels], False, columns)


@mastery.command()
@click.argument("student")
@click.argument("framework")
@click.argument("competency")
@known_at_
@as_json
def explain(student: str, framework: str, competency: str, known_at: int | None, json_: bool) -> None:
    """Show what the level of STUDENT (a pseudonym) in a COMPETENCY rests on, step by step."""
    found = answers.competency(_ask(lambda queries: queries.competency(student, (framework, competency), known_at)))
    if json_:
        _print(found)
        return
    click.echo(f"{found.standing.label} ({framework} {competency}): {_named_level(found.standing)}. {_as_known(found.as_known)}")
    if found.policy:
        policy = found.policy
        weight = f" at {policy.weight} %" if policy.weight else ""
        click.echo(
            f"Policy {policy.policy}@{policy.version} (position {policy.position}): {policy.method}{weight}, as {policy.order}."
        )
    show([_evidence(piece) for piece in found.evidence], False, ("time", "source", "score", "scale", "kind", "step"))
    click.echo(found.reading)


@mastery.command()
@click.argument("school")
@as_json
def school(school: str, json_: bool) -> None:
    """Show how many students of SCHOOL are at each level of each competency."""
    found = answers.school(school, _ask(lambda queries: queries.school(school)))
    if json_:
        _print(found)
        return
    click.echo(f"{found.label}: {found.students} students enrolled. {_as_known(found.as_known)}")
    numbers = sorted({count.level for each in found.competencies for count in each.levels if count.level is not None})
    show([_counts(each, numbers) for each in found.competencies], False, ("competency", *map(str, numbers), "none", "label"))


@mastery.command()
def serve() -> None:
    """Serve the API."""
    from services.mastery.app import create_api  # noqa: PLC0415 - a command that serves nothing starts without FastAPI

    settings = MasterySettings()
    telemetry.configure("mastery.serve", settings)
    web.run(create_api(settings), settings)


@mastery.command()
def work() -> None:
    """Fold the view from the log and relay what moved."""
    from services.mastery.app import create_worker  # noqa: PLC0415 - as in `serve`

    settings = MasterySettings()
    telemetry.configure("mastery.work", settings)
    web.run(create_worker(settings), settings)


projection_commands(mastery, MasterySettings, lambda _: MasterySettings().dsn(), view)


def _ask(question: Callable[[Queries], Awaitable[T]]) -> T:
    async def main() -> T:
        dsn = MasterySettings().dsn()
        async with await postgres.create_pool(dsn, application="cairn mastery cli", size=1) as pool:
            return await question(Queries(pool))

    return asyncio.run(main())


def _level(level: answers.LevelAnswer) -> dict[str, Any]:
    value = "-" if level.value is None else f"{level.value:g}"
    return level.model_dump() | {
        "level": _named_level(level),
        "value": value,
        "policy": f"{level.policy}@{level.policy_version}" if level.policy else "-",
    }


def _named_level(level: answers.LevelAnswer) -> str:
    if level.level is None:
        return f"none ({level.reason})"
    return f"{level.level} {level.level_label or ''}".rstrip() + (" (carried over)" if level.carried else "")


def _evidence(piece: answers.EvidenceAnswer) -> dict[str, Any]:
    step = piece.arithmetic if piece.counted else f"does not count: {piece.reason}"
    score = f"level {piece.level}" if piece.score is None else f"{piece.score:g}"
    return piece.model_dump() | {"time": piece.time.isoformat(timespec="minutes"), "score": score, "step": step}


def _counts(counts: answers.CompetencyCounts, numbers: list[int]) -> dict[str, Any]:
    found = {count.level: count.students for count in counts.levels}
    row = {str(number): found.get(number, 0) for number in numbers}
    return row | {"competency": counts.competency, "none": found.get(None, 0), "label": counts.label}


def _as_known(as_known: AsKnown) -> str:
    time = f", {as_known.time.isoformat()}" if as_known.time else ""
    return f"As known at position {as_known.position}{time}."


def _print(answer: BaseModel) -> None:
    click.echo(answer.model_dump_json())
