"""The command's exit codes: 0 done, 1 a finding, 2 something that the caller can mend, in one line; never a traceback."""

from __future__ import annotations

from collections.abc import Callable

import click
import pytest

from services.chassis import cli
from services.chassis.errors import Unavailable


def fails_with(error: Exception | None) -> Callable[[], None]:
    def run() -> None:
        if error is not None:
            raise error

    return run


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (None, 0, ""),
        (click.exceptions.Exit(1), 1, ""),
        (click.ClickException("nothing was swapped"), 2, "Error: nothing was swapped"),
        (click.BadParameter("expected a code"), 2, "Error: Invalid value: expected a code"),
        (Unavailable("Kafka is not there"), 2, "Error: Kafka is not there"),
    ],
)
def test_how_a_command_ends(
    error: Exception | None, code: int, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli, "cairn", click.Group("cairn", commands={"run": click.Command("run", callback=fails_with(error))}))
    monkeypatch.setattr("sys.argv", ["cairn", "run"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == code
    assert capsys.readouterr().err.strip() == said
