"""What a roster says of one student, as the statements of her history."""

from __future__ import annotations

from collections.abc import Sequence

from contracts.envelope import Data
from services.evidence.roster.district import District
from services.evidence.roster.history import history
from services.evidence.roster.rows import User
from services.evidence.roster.statements import school_of


def statements_of(district: District, user: User) -> list[Data]:
    """Her enrolments in time, oldest first."""

    def grade_of(classes: Sequence[str]) -> str:
        grades = {district.class_grades[each] for each in classes if each in district.class_grades}
        return grades.pop() if len(grades) == 1 else user.grade or min(grades, default="ungraded")

    return history(district.enrolments.get(user.sourced_id, []), grade_of, user.cohort)


def school_after(district: District, user: User) -> str | None:
    """The school at which all her rows leave her; None: nowhere."""
    return school_of(statements_of(district, user))
