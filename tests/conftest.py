"""What every test run has: the report of the suites' budgets. Fixtures live in modules that say what they give (`stack.py`)."""

from __future__ import annotations

from tests.suites import pytest_report_header, pytest_terminal_summary

__all__ = ["pytest_report_header", "pytest_terminal_summary"]
