"""What one level of a student rests on: her standing here, and mastery's own explanation, asked for when the page is rendered."""

from __future__ import annotations

import datetime as dt

from pydantic import BaseModel, ConfigDict

from services.reporting.figures import AsKnown
from services.reporting.pages.answers import read_answer
from services.reporting.peers import Peers
from services.reporting.profile import Student, StudentLevel


class Part(BaseModel):
    """A part of mastery's answer: what this page shows of it, in points; the rest is ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class Piece(Part):
    """A piece of evidence and what it did. `counted` false: nothing, for a `reason`. `worth`: on the policy's scale.

    One that was carried over from an old system has a `level` and no score.
    """

    position: int
    time: dt.datetime
    score: float | None
    level: int | None = None
    scale: str
    kind: str
    assessor: str | None
    context: str | None
    attempt: int | None
    counted: bool
    reason: str | None
    worth: float | None
    arithmetic: str | None
    value: float | None


class Policy(Part):
    """The policy in force."""

    policy: str
    version: int
    position: int
    method: str
    weight: int | None
    results: int | None
    mastery: float | None
    order: str
    decimals: int
    scale: str


class Explanation(Part):
    """Mastery's explanation: the policy, every piece in the policy's order, how the level was read from the value."""

    policy: Policy | None
    evidence: tuple[Piece, ...]
    reading: str
    as_known: AsKnown


class LevelPage(BaseModel):
    """A student in one competency. `explanation` None: mastery does not answer, or has no evidence of it yet."""

    model_config = ConfigDict(frozen=True)

    as_known: AsKnown
    student: str
    school: str | None
    school_label: str | None
    standing: StudentLevel
    explanation: Explanation | None

    @property
    def assessors(self) -> tuple[str, ...]:
        """The pseudonyms of those who gave the scores."""
        pieces = self.explanation.evidence if self.explanation else ()
        return tuple(sorted({piece.assessor for piece in pieces if piece.assessor}))


async def explain(peers: Peers, student: Student, standing: StudentLevel) -> LevelPage:
    """The page of a level, with the explanation if mastery gives one."""
    answer = await peers.explanation(student.student, standing.framework, standing.competency)
    return LevelPage(
        as_known=student.as_known,
        student=student.student,
        school=student.school,
        school_label=student.school_label,
        standing=standing,
        explanation=read_answer(Explanation, answer),
    )
