"""What scheduling knows of students and schools, and what it decides: a plan, and what is said when one replaces another. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from contracts.envelope import Data
from contracts.events import (
    CalendarPublished,
    ClassRegistered,
    FrameworkPublished,
    MasteryChanged,
    PlanPublished,
    ScalePublished,
    SeatAssigned,
    SeatReleased,
    StudentEnrolled,
    StudentMerged,
    StudentTransferred,
    StudentUnmerged,
    StudentWithdrawn,
)
from contracts.ids import derived_id
from services.scheduling.needs import Adopted, Key, Need, needs_of, targets_of
from services.scheduling.seating import Candidate, Plan, Problem, Seat, problem_of
from services.scheduling.week import Block, blocks_of, busy_of

REPLANNED = "replanned"


@dataclass(frozen=True, slots=True)
class Level:
    """A student's level in a competency. None: evidence, but no level. `cause` is the position of the event that moved it."""

    level: int | None
    cause: int


@dataclass(frozen=True, slots=True)
class Student:
    """A student as scheduling sees her. `school` None: not enrolled. A competency without evidence or a carried level is not
    in `levels`. `merged`: she was merged into another and is nobody, until she is parted again and enrolled anew.

    Enrolment comes from one topic and levels from another, so the two never touch the same field: in whatever order the
    topics are read, the same student comes out.
    """

    school: str | None = None
    grade: str | None = None
    classes: tuple[str, ...] = ()
    levels: Mapping[Key, Level] = field(default_factory=dict)
    merged: bool = False


initial = Student()


def concerns(data: Data) -> bool:
    """Whether an event can move a student as scheduling sees her. Evidence cannot: mastery says what it came to."""
    return isinstance(
        data, StudentEnrolled | StudentTransferred | StudentWithdrawn | MasteryChanged | StudentMerged | StudentUnmerged
    )


def effective_on(data: Data) -> dt.date | None:
    """The date on which an event takes effect. A student is at her school on the day she is withdrawn, and gone on the next."""
    match data:
        case StudentEnrolled() | StudentTransferred():
            return data.effective
        case StudentWithdrawn():
            return min(data.effective, dt.date.max - dt.timedelta(days=1)) + dt.timedelta(days=1)
    return None


def evolve(state: Student, data: Data, who: str = "") -> Student:
    """The student `who` after an event; the same object after one that does not concern her."""
    match data:
        case StudentEnrolled() | StudentTransferred() if not state.merged:
            return replace(state, school=data.school, grade=data.grade, classes=data.classes)
        case StudentWithdrawn(school=school) if school == state.school:
            return replace(state, school=None, grade=None, classes=())
        case MasteryChanged():
            return replace(state, levels=_moved(state.levels, data))
        case StudentMerged(other=other) if other == who:
            return Student(levels=state.levels, merged=True)  # mastery takes her levels back
        case StudentUnmerged(other=other) if other == who:
            return replace(state, merged=False)
    return state


def _moved(levels: Mapping[Key, Level], changed: MasteryChanged) -> Mapping[Key, Level]:
    after = dict(levels)
    for move in changed.moves:
        key = move.framework, move.competency
        if move.pieces or move.level is not None:
            after[key] = Level(move.level, int(changed.cause))
        else:
            after.pop(key, None)
    return after


@dataclass(frozen=True, slots=True)
class School:
    """All that a school's plans can depend on, as known at one position, `date` being the local date there.

    `classes` includes those that its students have elsewhere.
    """

    school: str
    date: dt.date
    calendar: CalendarPublished
    classes: tuple[ClassRegistered, ...]
    frameworks: tuple[FrameworkPublished, ...]
    policies: tuple[Adopted, ...]
    scales: Mapping[str, ScalePublished]
    students: Mapping[str, Student]


def needs_at(school: School) -> dict[str, tuple[Need, ...]]:
    """Each student's needs, strongest first. A school uses the frameworks in which one of its students has evidence."""
    used = {framework for student in school.students.values() for framework, _ in student.levels}
    frameworks = [each for each in school.frameworks if each.framework in used]
    targets = targets_of(school.school, school.date, frameworks, school.policies, school.scales)
    return {
        student: needs_of({key: level.level for key, level in state.levels.items()}, targets)
        for student, state in sorted(school.students.items())
    }


def week_of(school: School, monday: dt.date) -> Problem:
    """The problem of a school's week."""
    own = [each for each in school.classes if each.school == school.school]
    blocks = blocks_of(monday, school.calendar, own)
    busy = {each.class_: busy_of(each, blocks, school.calendar) for each in school.classes}
    candidates = [
        Candidate(student, needs, _busy(school.students[student].classes, busy)) for student, needs in needs_at(school).items()
    ]
    return problem_of(school.school, monday, blocks, candidates)


def _busy(classes: Iterable[str], busy: Mapping[str, frozenset[Block]]) -> frozenset[Block]:
    return frozenset().union(*(busy[each] for each in classes if each in busy))


@dataclass(frozen=True, slots=True)
class Header:
    """A published plan without its seats. `revision` counts a week's plans from 1; `time` is the tick up to which was read.

    `entries` counts what was read of all inputs and partitions: of two snapshots of a view, the one with more is the later.
    """

    plan: str
    school: str
    week: dt.date
    revision: int
    input: int
    entries: int
    digest: str
    seats: int
    unseated: int
    time: dt.datetime

    @property
    def event(self) -> str:
        """The id of the event that publishes it, and the cause of all that is said of its seats."""
        return derived_id(self.plan)


@dataclass(frozen=True, slots=True)
class Draft:
    """A plan that is not published, with what its header will say of where it came from (see `Header`)."""

    school: str
    week: dt.date
    digest: str
    plan: Plan
    input: int
    entries: int
    time: dt.datetime


def next_header(draft: Draft, before: Header | None) -> Header:
    """The header under which a draft takes the place of `before`. Its id is derived, so a retry names the same plan."""
    revision = before.revision + 1 if before else 1
    return Header(
        plan=derived_id("plan", draft.school, draft.week, revision),
        school=draft.school,
        week=draft.week,
        revision=revision,
        input=draft.input,
        entries=draft.entries,
        digest=draft.digest,
        seats=len(draft.plan.seats),
        unseated=len(draft.plan.unseated),
        time=draft.time,
    )


@dataclass(frozen=True, slots=True)
class Announcement:
    """An event of a plan. `subject` None: for every partition."""

    id: str
    subject: str | None
    data: Data


def announce(header: Header, before: Iterable[Seat], after: Iterable[Seat]) -> Sequence[Announcement]:
    """What is said when a plan takes the place of one with the seats `before`: itself, then what is released, then what is given.

    A seat that stays as it was is not repeated. One that stays in its section for another competency or reason is given anew.
    """
    old, new = set(before), set(after)
    kept = {_place(seat) for seat in new}
    released = sorted(seat for seat in old - new if _place(seat) not in kept)
    return [
        Announcement(header.event, None, _published(header)),
        *(Announcement(_id(header, "released", seat), seat.student, _released(header, seat)) for seat in released),
        *(Announcement(_id(header, "assigned", seat), seat.student, _assigned(header, seat)) for seat in sorted(new - old)),
    ]


def _place(seat: Seat) -> tuple[str, dt.date, str, str]:
    return seat.student, seat.date, seat.period, seat.class_


def _id(header: Header, what: str, seat: Seat) -> str:
    return derived_id(header.plan, what, *_place(seat))


def _published(header: Header) -> PlanPublished:
    return PlanPublished(
        plan=header.plan,
        school=header.school,
        week=header.week,
        input=str(header.input),
        digest=header.digest,
        seats=header.seats,
        unseated=header.unseated,
    )


def _assigned(header: Header, seat: Seat) -> SeatAssigned:
    about = {"framework": seat.framework, "competency": seat.competency, "reason": seat.reason}
    return SeatAssigned.model_validate(_where(header, seat) | about)


def _released(header: Header, seat: Seat) -> SeatReleased:
    return SeatReleased.model_validate(_where(header, seat) | {"reason": REPLANNED})


def _where(header: Header, seat: Seat) -> dict[str, object]:
    return {"plan": header.plan, "school": header.school, "date": seat.date, "period": seat.period, "class": seat.class_}
