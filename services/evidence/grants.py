"""Publishers and what each may send. Pure: a companion of `domain.py`.

Owns: the grant (event types, schools) and whose `source` is whose. Must not: read the clock, make keys, or touch Postgres.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from contracts.events import EvidenceRetracted, EvidenceSubmitted, EvidenceSuperseded
from contracts.submissions import SUBMISSIONS
from services.evidence.domain import LOG_SOURCE

# Sources of events that the platform makes itself. A publisher of that name could pass for it.
RESERVED = frozenset({LOG_SOURCE, "district", "evidence", "mastery", "scheduling", "reporting", "roster"})
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")

DEFAULT_TYPES = frozenset({EvidenceSubmitted.TYPE})
# Who may send evidence may correct what it sent.
IMPLIED = {EvidenceSubmitted.TYPE: frozenset({EvidenceRetracted.TYPE, EvidenceSuperseded.TYPE})}


@dataclass(frozen=True, slots=True)
class Publisher:
    """Who sends. `types` are full event types, `schools` the school codes it may speak about (None: all of the district's).

    `corrects_all`: it may correct what others sent, as district IT may. `quota`: events a second that it may send (None: what
    the service's setting says). `sandbox`: what it sends goes the whole way and counts nowhere (`sandbox.submitted`).
    """

    name: str
    types: frozenset[str] = DEFAULT_TYPES
    schools: frozenset[str] | None = None
    corrects_all: bool = False
    quota: int | None = None
    sandbox: bool = False

    def may_send(self, type: str) -> bool:
        """Whether its grant names this type, or one that implies it."""
        return type in self.types or (not self.sandbox and any(type in IMPLIED.get(each, ()) for each in self.types))

    def may_correct(self, source: str) -> bool:
        """Whether it may correct what this source sent."""
        return self.corrects_all or self.owns(source)

    def owns(self, source: str) -> bool:
        """Its own sources: its name, and whatever is below it."""
        return source == self.name or source.startswith(f"{self.name}/")

    def may_speak_about(self, schools: frozenset[str]) -> bool:
        """Whether all of these schools are granted. A publisher for some schools may not speak about the district as a whole."""
        return self.schools is None or (bool(schools) and schools <= self.schools)

    def may_speak_about_student_at(self, schools: frozenset[str]) -> bool:
        """Whether a student who is at these schools is at one that is granted."""
        return self.schools is None or not schools.isdisjoint(self.schools)


# District IT, by command: whoever it is, the event names as its `actor`. It has no key.
DISTRICT = Publisher("district", frozenset(SUBMISSIONS), corrects_all=True)


def is_name(name: str) -> bool:
    """Whether a publisher may bear this name: lower-case letters, digits and hyphens, and none of the platform's own."""
    return _NAME.fullmatch(name) is not None and name not in RESERVED


def short(type: str) -> str:
    """An event type as people type it: `evidence.submitted` for `cairn.evidence.submitted.v1`."""
    return type.removeprefix("cairn.").rpartition(".")[0]


def types_named(names: str) -> frozenset[str]:
    """The types in a comma-separated list of short or full names. Raises ValueError naming what can be granted."""
    known = {short(type): type for type in SUBMISSIONS} | {type: type for type in SUBMISSIONS}
    wanted = {name.strip() for name in names.split(",") if name.strip()}
    if not wanted or not wanted <= known.keys():
        raise ValueError(f"event types among {', '.join(sorted(map(short, SUBMISSIONS)))}")
    return frozenset(known[name] for name in wanted)
