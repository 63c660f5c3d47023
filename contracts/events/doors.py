"""What happens at the doors and is told, without being part of any student's story: rehearsals and refusals."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import StringConstraints

from contracts.envelope import Data
from contracts.events.evidence import Evidence
from contracts.ids import Code, EventId, Position, Source

# A JSON pointer whose parts are names of fields and numbers of items, never content.
Pointer = Annotated[str, StringConstraints(max_length=512, pattern=r"^(/[A-Za-z0-9_.-]+)*$")]


class SandboxSubmitted(Data):
    """A piece of evidence that a sandbox publisher sent. Example: a new app tries out its first score.

    It went the whole way of an `evidence.submitted`, and counts nowhere: it is another event, so that no fold, of ours or of an
    auditor's, can take it for evidence. Its `subject` is a student of that sandbox, made up by the vault, and nobody else.
    """

    TYPE: ClassVar[str] = "cairn.sandbox.submitted.v1"

    evidence: Evidence


class SubmissionRejected(Data):
    """A submission was refused at a door. Example: the algebra app's `e-17` has no score.

    A reference event in one partition only, that of its publisher's name. It says which submission (what could be read of it),
    why (`code`) and where (`pointer`), and never what was sent: the publisher and district IT see that in the quarantine, under
    `rejection`, for 30 days.
    """

    TYPE: ClassVar[str] = "cairn.submission.rejected.v1"
    REFERENCE: ClassVar[bool] = True

    publisher: Code
    rejection: Position
    submissionsource: Source | None = None
    submissionid: EventId | None = None
    code: Code
    pointer: Pointer = ""
