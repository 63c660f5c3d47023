"""Two examples of every event: one with only what must be there, and one with everything that may be.

They become golden bytes once (see `golden.py`); changing one later changes nothing but the example.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from contracts import events as e
from contracts.envelope import Data
from contracts.events.evidence import Evidence
from contracts.events.frameworks import Competency, Level, Method
from contracts.events.mastery import Move
from contracts.events.schools import Meeting, Period, Term

STUDENT = "s-0123456789abcdefghijklmnop"
OTHER = "s-ponmlkjihgfedcba9876543210"
THIRD = "s-zzzzzzzzzzzzzzzzzzzzzzzzzz"
TEACHER = "p-abcdefghijklmnopqrstuvwxyz"
NOON = datetime(2026, 10, 5, 12, 0, tzinfo=UTC)
MONDAY = date(2026, 10, 5)


def in_class(code: str) -> dict[str, Any]:
    """The field `class`, whose name Python keeps for itself."""
    return {"class": code}


MINIMAL: tuple[Data, ...] = (
    e.LogOpened(log="evidence.log", partitions=1, timezone="UTC"),
    e.LogTicked(time=NOON, date=MONDAY),
    e.EvidenceSubmitted(framework="hs", competency="MA.1", score_thousandths=0, scale="d4"),
    e.EvidenceRetracted(target="0", reason="entered-in-error"),
    e.EvidenceSuperseded(framework="hs", competency="MA.1", score_thousandths=2_500, scale="d4", target="0", reason="wrong-score"),
    e.EvidenceCarried(framework="hs", competency="MA.1", level=3, scale="d4"),
    e.AssessorRevoked(assessor=TEACHER, reason="not-certified"),
    e.AssessorReinstated(assessor=TEACHER, reason="revoked-in-error"),
    e.StudentMerged(other=OTHER, copies=0, reason="duplicate-registration"),
    e.StudentUnmerged(other=OTHER, returned=(OTHER,), copies=0, reason="different-people"),
    e.StudentEnrolled(school="28", grade="K", effective=MONDAY),
    e.StudentTransferred(from_school="28", school="41", grade="2", effective=MONDAY),
    e.StudentWithdrawn(school="28", reason="moved", effective=MONDAY),
    e.ProgrammeChanged(programme="IEP", effective=MONDAY),
    e.SchoolRegistered(school="28", label="School 28"),
    e.StaffRegistered(staff=TEACHER, role="teacher", schools=()),
    e.ClassRegistered(**in_class("c1"), school="28", course="math", term="2026-1"),
    e.CalendarPublished(school="28", terms=(Term(term="2026-1", starts=MONDAY, ends=date(2027, 1, 29)),)),
    e.FrameworkPublished(
        framework="hs",
        version=1,
        label="One competency",
        count=1,
        competencies=(Competency(competency="MA.1", label="Reason about proportions", axis="content"),),
    ),
    e.ScalePublished(scale="d4", version=1, label="Levels", levels=(Level(level=1, label="Beginning", at_thousandths=0),)),
    e.PolicyPublished(policy="latest", version=1, framework="hs", method=Method(name="latest"), order="occurred", scale="d4"),
    e.MasteryChanged(cause="0", moves=(Move(framework="hs", competency="MA.1", pieces=0),)),
    e.PlanPublished(plan="p1", school="28", week=MONDAY, input="0", digest="0" * 64, seats=0, unseated=0),
    e.SeatAssigned(
        **in_class("flex-7"),
        plan="p1",
        school="28",
        date=MONDAY,
        period="FLEX",
        framework="hs",
        competency="MA.1",
        reason="lowest-level",
    ),
    e.SeatReleased(**in_class("flex-7"), plan="p1", school="28", date=MONDAY, period="FLEX", reason="replanned"),
    e.SandboxSubmitted(evidence=Evidence(framework="hs", competency="MA.1", score_thousandths=0, scale="d4")),
    e.SubmissionRejected(publisher="algebra", rejection="1", code="invalid-json"),
)

FULL: tuple[Data, ...] = (
    e.LogOpened(log="evidence.log", partitions=64, timezone="America/New_York"),
    e.LogTicked(time=datetime(2026, 10, 6, 4, 0, tzinfo=UTC), date=date(2026, 10, 6)),
    e.EvidenceSubmitted(
        framework="hs",
        competency="MA.1",
        score_thousandths=-3_500,
        scale="points-100",
        kind="performance",
        assessor=TEACHER,
        context="science-fair",
        attempt=2,
        due=datetime(2026, 10, 4, 23, 59, tzinfo=UTC),
        language="es",
        language_demand=3,
        accommodations=("extra-time", "read-aloud"),
        provenance="migrated",
        entered=datetime(2025, 6, 20, 15, 30, tzinfo=UTC),
    ),
    e.EvidenceRetracted(target="9223372036854775806", scope="record", reason="deleted-at-source"),
    e.EvidenceSuperseded(
        framework="hs",
        competency="MA.1",
        score_thousandths=-3_500,
        scale="points-100",
        kind="performance",
        assessor=TEACHER,
        context="science-fair",
        attempt=2,
        due=datetime(2026, 10, 4, 23, 59, tzinfo=UTC),
        language="es",
        language_demand=3,
        accommodations=("extra-time", "read-aloud"),
        provenance="migrated",
        entered=datetime(2025, 6, 20, 15, 30, tzinfo=UTC),
        target="81234",
        reason="appeal-upheld",
    ),
    e.EvidenceCarried(
        framework="hs",
        competency="MA.1",
        level=4,
        scale="d4",
        assessor=TEACHER,
        provenance="migrated",
        entered=datetime(2025, 6, 20, 15, 30, tzinfo=UTC),
    ),
    e.AssessorRevoked(assessor=TEACHER, since=datetime(2026, 9, 1, tzinfo=UTC), reason="misconduct"),
    e.AssessorReinstated(assessor=TEACHER, reason="other"),
    e.StudentMerged(other=OTHER, copies=196, reason="new-identifier"),
    e.StudentUnmerged(other=OTHER, returned=(OTHER, THIRD), copies=12, reason="merged-in-error"),
    e.StudentEnrolled(school="28", grade="9", cohort="2030", classes=("c1", "c2"), effective=MONDAY),
    e.StudentTransferred(from_school="28", school="41", grade="9", cohort="2030", classes=("c9",), effective=MONDAY),
    e.StudentWithdrawn(school="41", reason="graduated", effective=date(2030, 6, 20)),
    e.ProgrammeChanged(programme="ENL", level="entering", effective=MONDAY, until=date(2027, 6, 20)),
    e.SchoolRegistered(school="28", label="École № 28", kind="high", grades=("9", "10", "11", "12"), active=False),
    e.StaffRegistered(staff=TEACHER, role="teacher", schools=("28", "41"), active=False),
    e.ClassRegistered(
        **in_class("flex-7"),
        school="28",
        course="flex",
        term="2026-1",
        duty="flex",
        teachers=(TEACHER,),
        meetings=(Meeting(day="TUE", period="FLEX"), Meeting(day="THU", period="FLEX")),
        capacity=24,
        competencies=("MA.1", "MA.2"),
        active=False,
    ),
    e.CalendarPublished(
        school="28",
        terms=(
            Term(term="2026-1", starts=MONDAY, ends=date(2027, 1, 29)),
            Term(term="2026-2", starts=date(2027, 2, 1), ends=date(2027, 6, 25)),
        ),
        periods=(
            Period(period="1", starts="08:00", ends="08:45"),
            Period(period="FLEX", starts="08:50", ends="09:50", flex=True),
        ),
        closed=(date(2026, 11, 26), date(2026, 11, 27)),
    ),
    e.FrameworkPublished(
        framework="hs",
        version=2,
        label="Two axes",
        count=2,
        competencies=(
            Competency(competency="MA.1", label="Reason about proportions", axis="content", subject="mathematics"),
            Competency(competency="LA.1", label="Argue from evidence", axis="language", subject="english"),
        ),
    ),
    e.ScalePublished(
        scale="star-read-K",
        version=3,
        label="Cut at quartiles",
        levels=(
            Level(level=1, label="Beginning", at_thousandths=300_000, worth_thousandths=1_000),
            Level(level=2, label="Developing", at_thousandths=433_000, worth_thousandths=2_000),
        ),
        converts_to="star-4",
    ),
    e.PolicyPublished(
        policy="rolling",
        version=4,
        framework="hs",
        competencies=("MA.1",),
        school="28",
        method=Method(name="n_mastery", weight=75, results=5, mastery_thousandths=3_000),
        order="recorded",
        scale="d4",
        decimals=0,
        effective=date(2026, 10, 1),
    ),
    e.MasteryChanged(
        cause="9223372036854775807",
        school="28",
        moves=(
            Move(
                framework="hs",
                competency="MA.1",
                level=3,
                value_thousandths=3_125,
                previous_level=2,
                pieces=4,
                policy="rolling",
                policy_version=4,
            ),
            Move(framework="hs", competency="MA.2", previous_level=1, pieces=2, policy="n5", policy_version=1, reason="too-few"),
        ),
    ),
    e.PlanPublished(plan="p2", school="28", week=MONDAY, input="81234", digest="f" * 64, seats=1950, unseated=50),
    e.SeatAssigned(
        **in_class("flex-8"),
        plan="p2",
        school="28",
        date=date(2026, 10, 6),
        period="FLEX",
        framework="hs",
        competency="LA.1",
        reason="oldest-need",
    ),
    e.SeatReleased(**in_class("flex-7"), plan="p2", school="28", date=date(2026, 10, 6), period="FLEX", reason="section-closed"),
    e.SandboxSubmitted(
        evidence=Evidence(
            framework="hs",
            competency="MA.1",
            score_thousandths=1_000,
            scale="d4",
            kind="performance",
            assessor=TEACHER,
            context="science-fair",
            attempt=2,
            due=NOON,
            language="es",
            language_demand=3,
            accommodations=("extra-time",),
            provenance="migrated",
            entered=NOON,
        )
    ),
    e.SubmissionRejected(
        publisher="algebra",
        rejection="81234",
        submissionsource="algebra/quiz",
        submissionid="e-17",
        code="invalid-field",
        pointer="/data/accommodations/0",
    ),
)

# The envelope's optional fields, all at once. Reference events have the same but for the subject.
EXTENSIONS: dict[str, str | int] = {
    "correlationid": "import-2026-10-05",
    "causationid": "0198c3f0-6d5a-7000-8000-000000000001",
    "submissionhash": "ab" * 32,
    "actor": TEACHER,
    "sourcesequence": 2**31 - 1,
    "sourcekey": "gradebook row 17",
    "resolvedfrom": STUDENT,
    "originalposition": "80000",
    "correctionreason": "wrong-competency",
    "originalhash": "cd" * 32,
    "sharedwith": f"{OTHER} {THIRD}",
}
