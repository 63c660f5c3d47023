"""The suites and how long each may take, so that all of them together stay within 35 minutes on two cores.

A budget is a report, never a test: after a run, a suite that took longer is marked. Mend it, or move its long part to
`make soak`. `make test` starts no further test once its own budget is spent.
"""

from __future__ import annotations

import os
from collections import defaultdict

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

# Suite (a folder of tests, the longest match counts) -> minutes of one worker, on two busy cores. Their sum, over the
# two workers of a two-core machine, must stay below the 32 minutes that setting up and linting leave.
BUDGETS = {
    "tests/unit": 3,
    "tests/contracts": 1,
    "tests/architecture": 1,
    "tests/k8s": 1,
    "tests/oracle": 3,
    "tests/integration/stack": 4,
    "tests/integration/log": 5,
    "tests/integration/evidence": 5,
    "tests/integration/mastery": 6,
    "tests/integration/projection": 3,
    "tests/integration/scheduling": 3,
    "tests/integration/reporting": 4,
    "tests/integration/corrections": 1,
    "tests/integration/fuzz": 3,
    "tests/integration": 2,
    "tests/e2e": 15,
}


# Journeys through whole platforms: eleven processes each. One at a time is what two cores carry, and the longest way to go, so
# one worker takes them all, first, while the others share the rest file by file.
WHOLE_PLATFORMS = ("tests/e2e/", "tests/oracle/")


class Scheduling(LoadFileScheduling):  # type: ignore[misc] # it has no types
    """A file's tests go to one worker, and so do all journeys through whole platforms."""

    def _split_scope(self, nodeid: str) -> str:
        return "whole platforms" if nodeid.startswith(WHOLE_PLATFORMS) else str(super()._split_scope(nodeid))


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Scheduling:
    return Scheduling(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Journeys first; otherwise in the order of files."""
    items.sort(key=lambda item: not item.nodeid.startswith(WHOLE_PLATFORMS))


def suite_of(path: str) -> str:
    """The suite that a test file belongs to."""
    matches = [suite for suite in BUDGETS if path.startswith(f"{suite}/")]
    return max(matches, key=len, default="elsewhere")


def pytest_report_header(config: pytest.Config) -> str:
    workers = getattr(config.option, "numprocesses", None) or 1
    return f"suites: {config.option.markexpr or 'all'}; {workers} worker(s) on {os.cpu_count()} cores; budgets in tests/suites.py"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The minutes that each suite took beside its budget, over all workers."""
    seconds: dict[str, float] = defaultdict(float)
    for reports in terminalreporter.stats.values():
        for report in reports:
            if isinstance(report, pytest.TestReport):
                seconds[suite_of(report.nodeid)] += report.duration
    terminalreporter.section("minutes by suite")
    for suite, took in sorted(seconds.items(), key=lambda item: -item[1]):
        terminalreporter.write_line(_line(suite, took / 60))


def _line(suite: str, minutes: float) -> str:
    budget = BUDGETS.get(suite, 0)
    return f"{minutes:6.1f} of {budget:2d}  {suite}{'  OVER ITS BUDGET' if minutes > budget else ''}"
