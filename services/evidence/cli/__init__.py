"""The evidence service's commands: `cairn evidence`, `cairn publisher`, `cairn roster`, `cairn student`, `cairn assessor`."""

from __future__ import annotations

import click

from services.evidence.cli.decisions import assessor, retract, student
from services.evidence.cli.files import deduplicate, import_evidence, imports
from services.evidence.cli.processes import serve, work
from services.evidence.cli.publishers import publisher
from services.evidence.cli.quarantine import quarantine
from services.evidence.cli.rosters import roster

__all__ = ["assessor", "evidence", "publisher", "roster", "student"]


@click.group()
def evidence() -> None:
    """The evidence service: what enters Cairn enters here."""


for _command in (serve, work, quarantine, retract, import_evidence, imports, deduplicate):
    evidence.add_command(_command)
