"""Where STAR's cut scores come from: the quartiles of the data itself, a scale a subject and grade.

`star.json` is what this gives, committed, so that a level of today is explained by a file and not by a computation;
`python -m deploy.seed.star_scales` writes it again. Published cuts exist for the test, but not in this data.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from deploy.seed.curriculum import text
from deploy.seed.star import GRADES, SUBJECTS, StudentYear, scale_of, student_years

SCALES = Path(__file__).with_name("star.json")

_NAMES = {"read": "reading", "math": "mathematics"}
_QUARTERS = ("lowest quarter", "second quarter", "third quarter", "highest quarter")
# An average of levels is read as the nearest level, halves up. Level 1 begins at 1, as no average of levels is lower.
_NEAREST = (1000, 1500, 2500, 3500)


def curriculum(rows: tuple[StudentYear, ...]) -> dict[str, Any]:
    """Framework, scales and policy of STAR, each as the data of the event that publishes it."""
    cuts = [_cut_scale(rows, subject, grade) for subject in SUBJECTS for grade in GRADES]
    return {"version": 1, "framework": _framework(), "scales": [_levels(), *cuts], "policies": [_policy()]}


def _cut_scale(rows: tuple[StudentYear, ...], subject: str, grade: str) -> dict[str, Any]:
    scores = sorted(score for row in rows if row.grade == grade and (score := row.score(subject)) is not None)
    cuts = (0, *(nearest_rank(scores, percent) for percent in (25, 50, 75)))
    levels = [
        {"level": level, "label": label, "at_thousandths": cut * 1000, "worth_thousandths": level * 1000}
        for level, (label, cut) in enumerate(zip(_QUARTERS, cuts, strict=True), start=1)
    ]
    label = f"STAR {_NAMES[subject]}, grade {grade}: cuts chosen from the data's quantiles (25, 50, 75 %), not a published cut"
    return {"scale": scale_of(subject, grade), "version": 1, "label": label, "levels": levels, "converts_to": "star-4"}


def nearest_rank(ascending: list[int], percent: int) -> int:
    """The smallest value with at least `percent` % of the values at or below it; always one of the values."""
    return ascending[-(-len(ascending) * percent // 100) - 1]


def _levels() -> dict[str, Any]:
    levels = [{"level": level, "label": f"level {level}", "at_thousandths": at} for level, at in enumerate(_NEAREST, start=1)]
    return {"scale": "star-4", "version": 1, "label": "STAR levels 1-4: the nearest level, halves up", "levels": levels}


def _framework() -> dict[str, Any]:
    competencies = [
        {"competency": code, "label": _NAMES[subject].capitalize(), "axis": "content", "subject": _NAMES[subject]}
        for subject, code in SUBJECTS.items()
    ]
    return {"framework": "star", "version": 1, "label": "Project STAR", "count": len(competencies), "competencies": competencies}


def _policy() -> dict[str, Any]:
    method = {"name": "decaying", "weight": 65}
    return {
        "policy": "star",
        "version": 1,
        "framework": "star",
        "method": method,
        "order": "occurred",
        "scale": "star-4",
        "decimals": 2,
    }


if __name__ == "__main__":
    SCALES.write_text(text(curriculum(student_years())), encoding="utf-8")
