"""The map of the system: which events flow where, keyed by what, from whom, to whom."""

from __future__ import annotations

from dataclasses import dataclass, field

from contracts import events as e
from contracts.envelope import Data

# Nothing is ever deleted or compacted: a topic is the log. Replication is set by whoever creates it (1 locally, 3 in a cluster).
_KEEP_EVERYTHING = {"cleanup.policy": "delete", "retention.ms": "-1", "retention.bytes": "-1"}


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic. `key` is the record key; reference events have none and are placed in every partition.

    An event that several students hold (`Event.holders`) is placed once in the partition of each, under the subject's key.
    """

    name: str
    key: str
    events: tuple[type[Data], ...]
    producer: str
    consumers: tuple[str, ...]
    configs: dict[str, str] = field(default_factory=lambda: dict(_KEEP_EVERYTHING))


EVIDENCE_LOG = Topic(
    name="evidence.log",
    key="student pseudonym",
    events=(
        e.LogOpened,
        e.LogTicked,
        e.EvidenceSubmitted,
        e.EvidenceRetracted,
        e.EvidenceSuperseded,
        e.EvidenceCarried,
        e.SandboxSubmitted,
        e.AssessorRevoked,
        e.AssessorReinstated,
        e.StudentMerged,
        e.StudentUnmerged,
        e.StudentEnrolled,
        e.StudentTransferred,
        e.StudentWithdrawn,
        e.ProgrammeChanged,
        e.SchoolRegistered,
        e.StaffRegistered,
        e.ClassRegistered,
        e.CalendarPublished,
        e.FrameworkPublished,
        e.ScalePublished,
        e.PolicyPublished,
    ),
    producer="evidence",
    consumers=("mastery", "scheduling", "reporting"),
)
MASTERY_CHANGES = Topic(
    name="mastery.changes",
    key="student pseudonym",
    events=(e.MasteryChanged, e.LogTicked),
    producer="mastery",
    consumers=("scheduling", "reporting"),
)
SCHEDULE_CHANGES = Topic(
    name="schedule.changes",
    key="student pseudonym",
    events=(e.PlanPublished, e.SeatAssigned, e.SeatReleased, e.LogTicked),
    producer="scheduling",
    consumers=("reporting",),
)
# For publishers and district IT to watch, not for folds: what was refused at the doors, and why.
EVIDENCE_REJECTED = Topic(
    name="evidence.rejected",
    key="publisher's name (records have no key)",
    events=(e.SubmissionRejected,),
    producer="evidence",
    consumers=(),
)

# A publisher's own two topics. That only it may write to the one is what makes it the sender of what is there, so the broker's
# access list is its key. What is in them is on its way: the log is `evidence.log`.
_INBOX, _RECEIPTS = "evidence.inbox.", "evidence.receipts."
_DAY_MS = 24 * 60 * 60 * 1000


def inbox_of(publisher: str) -> Topic:
    """Where a publisher puts its submissions: a record's value is what a request's body is over HTTP. Keys are not read.

    Kept for 30 days: so long may the door be closed.
    """
    configs = {"cleanup.policy": "delete", "retention.ms": str(30 * _DAY_MS), "retention.bytes": "-1"}
    return Topic(_INBOX + publisher, "the publisher's choice", (), publisher, ("evidence",), configs)


def receipts_of(publisher: str) -> Topic:
    """What became of them, a record each. The key names the submission's place, and tells a repeat: a receipt may come twice."""
    configs = {"cleanup.policy": "delete", "retention.ms": str(7 * _DAY_MS), "retention.bytes": "-1"}
    return Topic(_RECEIPTS + publisher, "topic id/partition/offset in the inbox", (), "evidence", (publisher,), configs)


TOPICS: tuple[Topic, ...] = (EVIDENCE_LOG, MASTERY_CHANGES, SCHEDULE_CHANGES, EVIDENCE_REJECTED)
