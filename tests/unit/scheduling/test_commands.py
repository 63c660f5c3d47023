"""The commands refuse what is badly asked before they open anything."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from services.chassis.errors import Rejected, Unavailable
from services.scheduling.cli import scheduling


@pytest.mark.parametrize("command", [("plan", "HS1"), ("show", "HS1"), ("seats", "s-1")])
def test_a_week_that_is_none_is_refused_without_a_database(command: tuple[str, ...]) -> None:
    result = CliRunner(env={"CAIRN_SCHEDULING_DATABASE": None}).invoke(scheduling, [*command, "--week", "soon"])
    assert isinstance(result.exception, Rejected)
    assert result.exception.code == "no-week"


def test_a_missing_setting_is_named() -> None:
    result = CliRunner(env={"CAIRN_SCHEDULING_DATABASE": None}).invoke(scheduling, ["needs", "HS1"])
    assert isinstance(result.exception, Unavailable)
    assert "CAIRN_SCHEDULING_DATABASE" in str(result.exception)
