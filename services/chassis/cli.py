"""The root of the `cairn` command: it finds the groups that services and deployment register, and knows none of them."""

from __future__ import annotations

import importlib
import sys
from importlib.metadata import EntryPoint, entry_points

import click

from services.chassis.errors import Conflict, Rejected, Transient, Unavailable
from services.chassis.settings import load_local_environment

COMMANDS = "cairn.commands"


class Commands(click.Group):
    """A click group whose commands are entry points, imported only when one is asked for (so `--help` stays fast)."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({point.name for point in entry_points(group=COMMANDS)})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        for point in entry_points(group=COMMANDS):
            if point.name == cmd_name:
                return _load(point)
        return None


def _load(point: EntryPoint) -> click.Command:
    module, _, attribute = point.value.partition(":")
    command: click.Command = getattr(importlib.import_module(module), attribute)
    return command


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="cairn")
def cairn() -> None:
    """Cairn keeps evidence of learning in an immutable log and folds it into mastery, schedules and reports.

    Start with `cairn up`, then `cairn status`.
    """


def main() -> None:
    """Run the command; what the caller can mend is one line on stderr and exit code 2, never a traceback."""
    load_local_environment()
    try:
        code = cairn(standalone_mode=False)  # of a command that ends by `Exit`; any other gives what it returns
    except click.exceptions.Abort:
        click.echo("Stopped.", err=True)
        sys.exit(130)
    except click.ClickException as error:
        click.echo(f"Error: {error.format_message()}", err=True)
        sys.exit(2)
    except (Rejected, Unavailable, Transient, Conflict) as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(2)
    sys.exit(code if isinstance(code, int) else 0)
