"""The pages hold students' records: they are shown on loopback, and outside local mode only with an issuer."""

from __future__ import annotations

import subprocess
import sys

import pytest

from services.chassis.errors import Unavailable
from services.reporting.settings import ReportingSettings


def settings(**fields: str) -> ReportingSettings:
    return ReportingSettings.model_validate({"mode": "production"} | fields)


def test_without_an_issuer_nothing_is_shown_outside_local_mode() -> None:
    with pytest.raises(Unavailable, match="CAIRN_ISSUER"):
        settings().refuse_strangers()
    settings(issuer="https://id.example").refuse_strangers()
    settings(mode="local").refuse_strangers()


@pytest.mark.parametrize("host", ["0.0.0.0", "10.0.0.7", "::", "reporting.example"])
def test_nothing_is_shown_beyond_loopback(host: str) -> None:
    for mode in ("local", "production"):
        with pytest.raises(Unavailable, match="loopback"):
            settings(mode=mode, issuer="https://id.example", host=host).refuse_strangers()


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "127.8.8.8"])
def test_loopback_is_loopback(host: str) -> None:
    settings(mode="local", host=host).refuse_strangers()


def test_the_command_refuses_in_one_line_with_exit_code_2() -> None:
    environment = {"PATH": "/usr/bin:/bin", "CAIRN_HOME": "/nonexistent", "CAIRN_REPORTING_DATABASE": "postgresql://nobody@/none"}
    done = subprocess.run(
        [sys.executable, "-c", "from services.chassis.cli import main; main()", "reporting", "serve"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.strip().startswith("Error: CAIRN_ISSUER is not set")
    assert len(done.stderr.strip().splitlines()) == 1
