"""Every event of the platform, by its type. A type is storage format: never renamed, only joined by a next version."""

from __future__ import annotations

from contracts.envelope import Data
from contracts.events.corrections import AssessorReinstated, AssessorRevoked, EvidenceRetracted, EvidenceSuperseded
from contracts.events.doors import SandboxSubmitted, SubmissionRejected
from contracts.events.evidence import Evidence, EvidenceCarried, EvidenceSubmitted
from contracts.events.frameworks import FrameworkPublished, PolicyPublished, ScalePublished
from contracts.events.identities import StudentMerged, StudentUnmerged
from contracts.events.log import LogOpened, LogTicked
from contracts.events.mastery import MasteryChanged
from contracts.events.schedule import PlanPublished, SeatAssigned, SeatReleased
from contracts.events.schools import CalendarPublished, ClassRegistered, SchoolRegistered, StaffRegistered
from contracts.events.students import ProgrammeChanged, StudentEnrolled, StudentTransferred, StudentWithdrawn

EVENTS: dict[str, type[Data]] = {
    event.TYPE: event
    for event in (
        LogOpened,
        LogTicked,
        EvidenceSubmitted,
        EvidenceRetracted,
        EvidenceSuperseded,
        EvidenceCarried,
        AssessorRevoked,
        AssessorReinstated,
        StudentMerged,
        StudentUnmerged,
        StudentEnrolled,
        StudentTransferred,
        StudentWithdrawn,
        ProgrammeChanged,
        SchoolRegistered,
        StaffRegistered,
        ClassRegistered,
        CalendarPublished,
        FrameworkPublished,
        ScalePublished,
        PolicyPublished,
        MasteryChanged,
        PlanPublished,
        SeatAssigned,
        SeatReleased,
        SandboxSubmitted,
        SubmissionRejected,
    )
}

__all__ = [
    "EVENTS",
    "AssessorReinstated",
    "AssessorRevoked",
    "CalendarPublished",
    "ClassRegistered",
    "Evidence",
    "EvidenceCarried",
    "EvidenceRetracted",
    "EvidenceSubmitted",
    "EvidenceSuperseded",
    "FrameworkPublished",
    "LogOpened",
    "LogTicked",
    "MasteryChanged",
    "PlanPublished",
    "PolicyPublished",
    "ProgrammeChanged",
    "SandboxSubmitted",
    "ScalePublished",
    "SchoolRegistered",
    "SeatAssigned",
    "SeatReleased",
    "StaffRegistered",
    "StudentEnrolled",
    "StudentMerged",
    "StudentTransferred",
    "StudentUnmerged",
    "StudentWithdrawn",
    "SubmissionRejected",
]
