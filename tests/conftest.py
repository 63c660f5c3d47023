"""What every test run has: the report of the suites' budgets, and the fixture `stack` (`stack.py`)."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

from tests.stack import pytest_sessionfinish, stack
from tests.suites import (
    pytest_collection_modifyitems,
    pytest_report_header,
    pytest_terminal_summary,
    pytest_xdist_make_scheduler,
)

__all__ = [
    "pytest_collection_modifyitems",
    "pytest_report_header",
    "pytest_sessionfinish",
    "pytest_terminal_summary",
    "pytest_xdist_make_scheduler",
    "stack",
]

# A property says nothing about time: on a busy machine an example may take a second, and be none the worse for it.
settings.register_profile("cairn", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("cairn")
