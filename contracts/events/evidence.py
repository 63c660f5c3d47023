"""Evidence of learning: codes and numbers only, never free text, a URL or a name."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import AwareDatetime, Field

from contracts.envelope import Data
from contracts.ids import Code, Pseudonym

# A score in thousandths of a point. Bounded so that any sum of a student's scores is exact in an IEEE double too.
Thousandths = Annotated[int, Field(ge=-1_000_000_000, le=1_000_000_000)]

EvidenceKind = Literal["assessment", "performance", "observation", "judgement", "practice"]


class EvidenceSubmitted(Data):
    """A piece of evidence. Example: the algebra app saw a student score 3.5 on `d4` for competency MA.1, unaided.

    `score_thousandths` stays on the scale it was given on. `practice` is recorded and never counts.
    `judgement` is a person's decision about a level, with its `assessor`.
    """

    TYPE: ClassVar[str] = "cairn.evidence.submitted.v1"

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
