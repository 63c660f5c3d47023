"""Evidence of learning: codes and numbers only, never free text, a URL or a name. How it is corrected: `corrections.py`."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import AwareDatetime, Field

from contracts.envelope import Data
from contracts.ids import Code, Pseudonym

# A score in thousandths of a point. Bounded so that any sum of a student's scores is exact in an IEEE double too.
Thousandths = Annotated[int, Field(ge=-1_000_000_000, le=1_000_000_000)]

EvidenceKind = Literal["assessment", "performance", "observation", "judgement", "practice"]
# Where a piece comes from, when that is not the app that saw it happen: `migrated` is history brought over from an old system.
Provenance = Literal["migrated"]


class Evidence(Data):
    """The content of a piece of evidence, whichever event brings it.

    `score_thousandths` stays on the scale it was given on. `practice` is recorded and never counts.
    `judgement` is a person's decision about a level, with its `assessor`.
    `entered` is when it was entered into the system that it was migrated from. It is shown; it orders nothing.
    """

    framework: Code
    competency: Code
    score_thousandths: Thousandths
    scale: Code
    kind: EvidenceKind = "assessment"
    assessor: Pseudonym | None = None
    context: Code | None = None
    attempt: Annotated[int, Field(ge=1, le=1000)] | None = None
    due: AwareDatetime | None = None
    language: Code | None = None
    language_demand: Annotated[int, Field(ge=1, le=5)] | None = None
    accommodations: Annotated[tuple[Code, ...], Field(max_length=16)] = ()
    provenance: Provenance | None = None
    entered: AwareDatetime | None = None


class EvidenceSubmitted(Evidence):
    """A piece of evidence. Example: the algebra app saw a student score 3.5 on `d4` for competency MA.1, unaided.

    With a `sourcekey` that its source has used before, it is a further piece of that record (see `corrections.py`).
    """

    TYPE: ClassVar[str] = "cairn.evidence.submitted.v1"


class EvidenceCarried(Data):
    """A level with nothing under it, from an old system. Example: MA.1 was at level 3 on `d4` when the old gradebook closed.

    A fold: it is a piece like any other (it may have a `sourcekey`, be retracted, superseded, copied by a merge), but it holds
    no score and enters no tally. While no other piece of the competency counts, the level is this one, shown as carried; the
    latest by (`time`, source, publisher's sequence with none first, id) if there are several. As soon as one counts, the policy
    decides over those alone. A level on another scale than the policy's is read through the scale's `converts_to`, and is no
    level where that says nothing.
    """

    TYPE: ClassVar[str] = "cairn.evidence.carried.v1"

    framework: Code
    competency: Code
    level: Annotated[int, Field(ge=0, le=100)]
    scale: Code
    assessor: Pseudonym | None = None
    provenance: Provenance = "migrated"
    entered: AwareDatetime | None = None
