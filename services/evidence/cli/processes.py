"""`cairn evidence serve` and `work`: the service's two processes."""

from __future__ import annotations

import click

from services.chassis.telemetry import configure
from services.chassis.web import run
from services.evidence.settings import Settings


@click.command()
def serve() -> None:
    """Serve the HTTP API until stopped."""
    from services.evidence.app import create_api  # noqa: PLC0415 - a command that serves nothing starts without FastAPI

    settings = Settings()
    configure("evidence.serve", settings)
    run(create_api(settings), settings)


@click.command()
def work() -> None:
    """Relay the log to Kafka, let time pass in it, let in what was held, until stopped."""
    from services.evidence.app import create_worker  # noqa: PLC0415 - as in `serve`

    settings = Settings()
    configure("evidence.work", settings)
    run(create_worker(settings), settings)
