"""The group `cairn reporting`: serve the pages, fold what they are read from, operate the view."""

from __future__ import annotations

import click

from services.chassis import telemetry, web
from services.chassis.projection.commands import projection_commands
from services.reporting.handlers import Reports
from services.reporting.settings import ReportingSettings


@click.group()
def reporting() -> None:
    """Show the pages: district, schools, students, operations."""


@reporting.command()
def serve() -> None:
    """Serve the pages, on loopback."""
    from services.reporting.app import create_api  # noqa: PLC0415 - a command that serves nothing starts without FastAPI

    settings = ReportingSettings()
    telemetry.configure("reporting.serve", settings)
    web.run(create_api(settings), settings)


@reporting.command()
def work() -> None:
    """Fold the read model from the three topics."""
    from services.reporting.app import create_worker  # noqa: PLC0415 - as in `serve`

    settings = ReportingSettings()
    telemetry.configure("reporting.work", settings)
    web.run(create_worker(settings), settings)


projection_commands(reporting, ReportingSettings, lambda _: ReportingSettings().required_database(), Reports())
