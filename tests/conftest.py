"""What every test run has: the report of the suites' budgets, and the fixture `stack` (`stack.py`: real Kafka and Postgres)."""

from __future__ import annotations

from tests.stack import pytest_sessionfinish, stack
from tests.suites import pytest_report_header, pytest_terminal_summary

__all__ = ["pytest_report_header", "pytest_sessionfinish", "pytest_terminal_summary", "stack"]
