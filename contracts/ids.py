"""Identifiers: their shapes, the partition of a student, and ids derived from a cause."""

from __future__ import annotations

import re
import zlib
from datetime import UTC, date, datetime
from hashlib import sha1
from typing import Annotated
from uuid import UUID

from pydantic import StringConstraints

# A code is a name in somebody's vocabulary (a competency, a scale, a school). It has no spaces, so it cannot hold free text.
Code = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/-]*$")]

# A random name for a person, given by the identity vault, never derived from anything.
Pseudonym = Annotated[str, StringConstraints(pattern=r"^[sp]-[0-9a-z]{26}$")]

# An event's id is the publisher's: any printable string, unique within its source.
EventId = Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=r"^[^\x00-\x1f\x7f]+$")]
Source = Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/-]*$")]

# A place in the log. CloudEvents integers end at 2**31, so it travels as a decimal string.
Position = Annotated[str, StringConstraints(pattern=r"^(0|[1-9][0-9]{0,18})$")]

_NAMESPACE = UUID("7c1f5d0e-6d0b-5f0a-9a63-0d3f6ee0a1c5")
_UUID7 = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-7[0-9a-fA-F]{3}-[89abAB][0-9a-fA-F]{3}-[0-9a-fA-F]{12}")


def partition_of(subject: str, partitions: int) -> int:
    """The partition of a student's events in every topic: CRC-32 of the pseudonym, modulo the count (fixed for life)."""
    return zlib.crc32(subject.encode()) % partitions


def derived_id(*parts: object) -> str:
    """An id that the same cause gives again: UUIDv5 over the parts. A retry of the same work makes the same event."""
    text = "\x1f".join([str(part) for part in parts])
    # What `str(uuid5(...))` gives (RFC 9562 §5.5), at a quarter of its cost: a fold derives one for every event that it tells.
    digest = bytearray(sha1(_NAMESPACE.bytes + text.encode(), usedforsecurity=False).digest())
    digest[6], digest[8] = digest[6] & 0x0F | 0x50, digest[8] & 0x3F | 0x80
    hex = digest[:16].hex()
    return f"{hex[:8]}-{hex[8:12]}-{hex[12:16]}-{hex[16:20]}-{hex[20:]}"


def uuid7_day(event_id: str) -> date | None:
    """The UTC day inside a UUIDv7 (RFC 9562 §5.7: 48 bits of Unix milliseconds), or None for any other id."""
    if not _UUID7.fullmatch(event_id):
        return None
    milliseconds = int(event_id[:8] + event_id[9:13], 16)
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC).date()
    except (OverflowError, ValueError):
        return None
