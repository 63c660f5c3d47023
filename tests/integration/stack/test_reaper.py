"""A test run that is killed leaves no server and no folder."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from deploy.local.process import orphans
from deploy.local.waiting import until
from tests.stack import REPOSITORY

pytestmark = pytest.mark.stack

RUN = "import sys; from tests.stack import current; current().postgres(); print(current().home, flush=True); sys.stdin.read()"


def test_a_killed_test_run_leaves_nothing() -> None:
    argv = [sys.executable, "-c", RUN]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY) as run:
        assert run.stdout
        home = Path(run.stdout.readline().strip())
        assert orphans(home)  # the control: there is a server to be ended
        run.kill()
    until(lambda: not orphans(home) and not home.exists(), 60, "something is left")
