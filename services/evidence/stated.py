"""What roster imports stated last, with which the next one is compared. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

# Stands for a student's last statement when a roster no longer has her, so that her return is noticed.
ABSENT = b"absent"


@dataclass(frozen=True, slots=True)
class Statement:
    """A school, calendar, member of staff or class as last stated. `version` counts its statements, `data` is the last event's."""

    kind: str
    key: str
    schools: tuple[str, ...]
    version: int
    digest: bytes
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class StatedStudent:
    """A student as last stated. `school` None: enrolled nowhere. `programmes` in force: {programme: (level, since)}."""

    pseudonym: str
    school: str | None = None
    version: int = 0
    digests: tuple[bytes, ...] = ()
    programmes: Mapping[str, tuple[str | None, str]] = field(default_factory=dict)
