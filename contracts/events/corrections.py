"""Corrections of evidence. An event is never edited: a later one says what is wrong with it, and folds obey.

What a fold does with them, and with copies (`identities.py`), in these words:

- A student's **story** is the events that she holds (`Event.holders`), in log order. The ledger has resolved and checked all
  that they name: targets are earlier, of the same person, and correctable.
- A **piece** is an `evidence.submitted`, `evidence.superseded` or `evidence.carried`. The **place** of an event is its
  `originalposition` if it has one (it is a copy), else its `position`. A `target` is a place. What would stand at a place that
  the story has already is the same event: it changes nothing.
- A **record** is the pieces that are linked: a superseding piece to the piece at its `target`, and pieces of the same source
  with the same `sourcekey` to each other. Most records are one piece.
- A retraction is **in force** unless one in force names it. Later ones decide over earlier ones, so this is settled from the
  last place to the first. A piece that a retraction in force names, or whose assessor is revoked, is **dead**: as if it had never
  been published. The others are **live**.
- Of a record's live pieces **one counts**: go through them by place; each takes over from the one before, unless it has a
  `sourcesequence` below the highest one so far. It counts with its own content, `time` and `due`.
- Wherever order is asked for, a record stands where its first live piece does: in a tie by that piece's source, sequence and id;
  in the order `recorded` by that piece's place.
- Nothing is forgotten: a dead piece is kept with the position of the event that retracted it, and comes back when that is
  retracted. `known_at` before that position, it counts.

An event that names a place which the story does not have (it can't come from this ledger) changes nothing.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import AwareDatetime

from contracts.envelope import Data
from contracts.events.evidence import Evidence
from contracts.ids import Position, Pseudonym

# Closed, so that no reason can hold free text. Adding one is a next version of the events.
CorrectionReason = Literal[
    "entered-in-error",
    "wrong-student",
    "wrong-competency",
    "wrong-score",
    "wrong-scale",
    "wrong-date",
    "duplicate",
    "regraded",
    "appeal-upheld",
    "not-own-work",
    "changed-at-source",
    "deleted-at-source",
    "correction-was-wrong",
    "other",
]
RevocationReason = Literal["not-certified", "not-authorised", "account-compromised", "misconduct", "revoked-in-error", "other"]


class EvidenceRetracted(Data):
    """A piece or a correction is withdrawn. Example: the app entered a score under the wrong student.

    `scope` `event`: the event at `target` alone. If that is a piece, it is dead; if it is a retraction, it is in force no more,
    so what it had retracted returns; if it is a superseding piece, what it superseded counts again.
    `scope` `record`: `target` is the record's first piece, and every piece of the record that was sent before this is dead: one
    with a lower `sourcesequence` where both have one, else one at a lower place. What comes under the key later counts again.
    """

    TYPE: ClassVar[str] = "cairn.evidence.retracted.v1"

    target: Position
    scope: Literal["event", "record"] = "event"
    reason: CorrectionReason


class EvidenceSuperseded(Evidence):
    """A piece is replaced by another content, whole. Example: the score was 2.5, not 3.5.

    It is itself a piece, of the same record as the piece at `target` (the record's first one where the publisher named a key).
    It may correct anything, the competency and the date included; what was counted elsewhere then counts there no more.
    """

    TYPE: ClassVar[str] = "cairn.evidence.superseded.v1"

    target: Position
    reason: CorrectionReason


class AssessorRevoked(Data):
    """An assessor's evidence counts no more. Example: what she assessed since 1 September, before she was certified.

    A reference event that moves many students: from its position on, each piece of hers whose `time` is at or after `since`
    (None: every piece, whenever it comes) is dead, everywhere. A version of the assessor: a later one takes its place, so her
    last one at a position says what holds there.
    """

    TYPE: ClassVar[str] = "cairn.assessor.revoked.v1"
    REFERENCE: ClassVar[bool] = True

    assessor: Pseudonym
    since: AwareDatetime | None = None
    reason: RevocationReason


class AssessorReinstated(Data):
    """An assessor's evidence counts again, all of it. Example: the wrong person had been revoked.

    The next version of what `assessor.revoked` said of her.
    """

    TYPE: ClassVar[str] = "cairn.assessor.reinstated.v1"
    REFERENCE: ClassVar[bool] = True

    assessor: Pseudonym
    reason: RevocationReason
