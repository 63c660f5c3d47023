"""A student's enrolments in time: from the rows of a roster to the statements of the log. Pure.

A roster has a row a class; the log has a statement a change: enrolled (whole, with all classes), transferred, withdrawn.
A row without an end holds until the student's next statement; one with an end is left after it, unless another row begins on
or before the next day.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise

from contracts.envelope import Data
from contracts.events import StudentEnrolled, StudentTransferred, StudentWithdrawn

FOREVER = date.max
ONE_DAY = timedelta(days=1)
LEFT = "enrollment-ended"
MOST_CLASSES = 40


@dataclass(frozen=True, slots=True)
class Enrolment:
    """A row of enrollments.csv: a student in a class. `end` None: none is given. `over`: the last day of the class's term."""

    school: str
    class_: str
    begin: date
    end: date | None
    over: date


# The grade that a student has in a set of classes.
GradeOf = Callable[[Sequence[str]], str]


def history(rows: Iterable[Enrolment], grade_of: GradeOf, cohort: str | None) -> list[Data]:
    """The statements of one student, oldest first. The same rows in any order give the same statements."""
    rows = sorted(rows, key=lambda row: (row.begin, row.school, row.class_))
    begins = sorted({row.begin for row in rows})
    next_begin = dict(pairwise([*begins, FOREVER]))
    covered = [(begin, _covered_to(rows, begin, next_begin[begin])) for begin in begins]
    statements: list[Data] = []
    here: StudentEnrolled | None = None
    until = date.min
    for begin, end in covered:
        if here is not None and until < FOREVER and begin > until + ONE_DAY:
            statements.append(_withdrawn(here.school, until))
            here = None
        stated = _enrolment(rows, begin, grade_of, cohort)
        if here is None or _differs(here, stated):
            statements.append(stated if here is None or here.school == stated.school else _transferred(here.school, stated))
        here, until = stated, max(until, end)
    if here is not None and until != FOREVER:
        statements.append(_withdrawn(here.school, until))
    return statements


def _covered_to(rows: Sequence[Enrolment], begin: date, next_begin: date) -> date:
    """The last day that the rows beginning at `begin` cover."""
    open_end = FOREVER if next_begin == FOREVER else next_begin - ONE_DAY
    return max(row.end if row.end is not None else open_end for row in rows if row.begin == begin)


def _enrolment(rows: Sequence[Enrolment], begin: date, grade_of: GradeOf, cohort: str | None) -> StudentEnrolled:
    """What holds from `begin` on: the school of what begins there, and all her classes at it that are not over."""
    school = Counter(row.school for row in rows if row.begin == begin).most_common(1)[0][0]
    there = [row.class_ for row in rows if row.school == school and _holds_on(row, begin)]
    classes = list(dict.fromkeys(there))[:MOST_CLASSES]
    return StudentEnrolled(school=school, grade=grade_of(classes), cohort=cohort, classes=tuple(classes), effective=begin)


def _holds_on(row: Enrolment, day: date) -> bool:
    return row.begin == day or row.begin < day <= (row.end or row.over)


def _differs(before: StudentEnrolled, after: StudentEnrolled) -> bool:
    return before.model_copy(update={"effective": after.effective}) != after


def _transferred(from_school: str, stated: StudentEnrolled) -> StudentTransferred:
    return StudentTransferred(
        from_school=from_school,
        school=stated.school,
        grade=stated.grade,
        cohort=stated.cohort,
        classes=stated.classes,
        effective=stated.effective,
    )


def _withdrawn(school: str, last_day: date) -> StudentWithdrawn:
    return StudentWithdrawn(school=school, reason=LEFT, effective=last_day)
