"""One platform for all journeys of a test run: bringing one up takes a minute."""

from __future__ import annotations

from tests.e2e.platform import platform

__all__ = ["platform"]
