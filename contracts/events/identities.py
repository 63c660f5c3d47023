"""One person under two pseudonyms: merged, and unmerged when she turns out to be two.

Each is one event, placed in the partitions of both students: `subject` is the survivor, `sharedwith` the other. Before it, in the
same append, stand copies of evidence events under the student who is to have them, each with `originalposition` (its place, see
`corrections.py`) and with `resolvedfrom`, the pseudonym that it belongs to. They were counted when they first came.

What a fold does: a copy is **inert**, kept and nothing more, until the merge or unmerge that follows it in the same story.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from contracts.envelope import Data
from contracts.ids import Pseudonym

MergeReason = Literal["duplicate-registration", "duplicate-account", "new-identifier", "other"]
UnmergeReason = Literal["different-people", "merged-in-error", "other"]
Copies = Annotated[int, Field(ge=0)]


class StudentMerged(Data):
    """Two pseudonyms are one person, known by the `subject`. Example: she had been registered twice after a move.

    In the survivor's story: the `copies` that stand right before it come to life, each at its place, as if they had always been
    hers. In the story of `other`: she is nobody from here on. No view counts or shows her; her enrolment, levels and seats
    end. Her evidence is kept as it is, and goes on being corrected, for the case that she comes back.
    """

    TYPE: ClassVar[str] = "cairn.student.merged.v1"

    other: Pseudonym
    copies: Copies
    reason: MergeReason


class StudentUnmerged(Data):
    """They are two people after all. Example: twins with the same birthday had been taken for one.

    In the survivor's story: every record whose first piece belongs to one of `returned` leaves it, all its pieces and
    corrections, as if they had never been hers. A piece belongs to its `resolvedfrom` if it has one, else to its `subject`.
    In the story of `other`: she is somebody again, with the evidence that was kept; the `copies` that stand right before this
    event come to life (what was recorded for her while she was merged). Where she is enrolled, a roster says anew.
    """

    TYPE: ClassVar[str] = "cairn.student.unmerged.v1"

    other: Pseudonym
    returned: Annotated[tuple[Pseudonym, ...], Field(min_length=1, max_length=64)]
    copies: Copies
    reason: UnmergeReason
