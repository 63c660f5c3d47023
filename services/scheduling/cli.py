"""The group `cairn scheduling`: plan a week, read plans, seats and needs, run and operate the service."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import TypeVar

import click
from pydantic import BaseModel

from services.chassis import postgres, telemetry, web
from services.chassis.postgres import Pool
from services.chassis.projection.commands import as_json, projection_commands, show
from services.scheduling import answers, planning, queries
from services.scheduling.handlers import view
from services.scheduling.settings import SchedulingSettings
from services.scheduling.week import monday_of

T = TypeVar("T")


def _a_week(_: click.Context, __: click.Parameter, text: str | None) -> str | None:
    if text is not None:
        monday_of(text)  # refuses before anything is opened
    return text


week_option = click.option("--week", required=True, callback=_a_week, help="An ISO week such as 2026-W41, or a date in it.")


@click.group()
def scheduling() -> None:
    """Fill a school's flex blocks: who needs which competency, who has which seat, and why."""


@scheduling.command()
@click.argument("school")
@week_option
@click.option("--dry-run", is_flag=True, help="Solve and show; publish nothing.")
@as_json
def plan(school: str, week: str, dry_run: bool, json_: bool) -> None:
    """Plan a week of flex blocks for SCHOOL and publish what that changes.

    The same input gives the same plan, and publishes nothing new.
    """
    if dry_run:
        _show_plan(answers.plan_tried(*_run(lambda pool: planning.draft(pool, school, week))), json_, "not published")
        return
    made, standing = _run(lambda pool: planning.plan(pool, school, week))
    note = "published" if made.new else "in force already: the input is the same"
    _show_plan(answers.plan_in_force(made.header, made.plan, standing), json_, note)


@scheduling.command("show")
@click.argument("school")
@week_option
@as_json
def show_(school: str, week: str, json_: bool) -> None:
    """Show the plan in force for SCHOOL's week."""
    _show_plan(answers.plan_in_force(*_run(lambda pool: queries.in_force(pool, school, week))), json_, "in force")


@scheduling.command()
@click.argument("student")
@click.option("--week", callback=_a_week, help="An ISO week or a date in it; otherwise all plans in force.")
@as_json
def seats(student: str, week: str | None, json_: bool) -> None:
    """List the seats of STUDENT (a pseudonym), and the blocks without one."""
    plan, standing = _run(lambda pool: queries.seats(pool, student, week))
    found = answers.student_seats(student, plan, standing)
    if json_:
        _print(found)
        return
    rows = [{**each.model_dump(by_alias=True), "why": each.reason} for each in found.seats]
    rows += [{**each.model_dump(), "class": "-", "competency": "-", "why": each.reason} for each in found.unseated]
    show(sorted(rows, key=lambda row: (row["date"], row["period"])), False, ("date", "period", "class", "competency", "why"))


@scheduling.command()
@click.argument("school")
@click.option("--limit", type=click.IntRange(1, 2000), default=3, help="Needs a student, with --json.")
@as_json
def needs(school: str, limit: int, json_: bool) -> None:
    """List what SCHOOL's students need, the greatest weight first."""
    wanted, standing = _run(lambda pool: queries.needs(pool, school))
    found = answers.needs(school, wanted, limit, standing)
    if json_:
        _print(found)
        return
    columns = ("framework", "competency", "students", "no_level", "no_evidence", "weight")
    show([each.model_dump() for each in found.competencies], False, columns)


@scheduling.command()
def serve() -> None:
    """Serve the API."""
    from services.scheduling.app import create_api  # noqa: PLC0415 - a command that serves nothing starts without FastAPI

    settings = SchedulingSettings()
    telemetry.configure("scheduling.serve", settings)
    web.run(create_api(settings), settings)


@scheduling.command()
def work() -> None:
    """Fold the view from the log and relay what plans say."""
    from services.scheduling.app import create_worker  # noqa: PLC0415 - as in `serve`

    settings = SchedulingSettings()
    telemetry.configure("scheduling.work", settings)
    web.run(create_worker(settings), settings)


projection_commands(scheduling, SchedulingSettings, lambda _: SchedulingSettings().dsn(), view)


def _run(work: Callable[[Pool], Awaitable[T]]) -> T:
    async def main() -> T:
        dsn = SchedulingSettings().dsn()
        async with await postgres.create_pool(dsn, application="cairn scheduling cli", size=2) as pool:
            return await work(pool)

    return asyncio.run(main())


def _show_plan(plan: answers.PlanAnswer, json_: bool, note: str) -> None:
    if json_:
        _print(plan)
        return
    click.echo(f"{plan.school} {plan.week}: {note}. {len(plan.seats)} seats, {len(plan.unseated)} blocks of students without one.")
    filled = Counter((seat.date, seat.period, seat.class_) for seat in plan.seats)
    rows = [
        {"date": date, "period": period, "class": class_, "seats": seats}
        for (date, period, class_), seats in sorted(filled.items())
    ]
    show(rows, False, ("date", "period", "class", "seats"))
    for reason, count in sorted(Counter(each.reason for each in plan.unseated).items()):
        click.echo(f"without a seat, {reason}: {count}")


def _print(answer: BaseModel) -> None:
    click.echo(answer.model_dump_json(by_alias=True))
