"""What becomes of Project STAR's rows: nothing is lost, nothing is made up, and the scale file is what the data gives."""

from __future__ import annotations

import json
from collections import Counter
from decimal import Decimal
from typing import Any

import pytest

from contracts.submissions import validate
from deploy.seed import curriculum, star, star_scales

ROWS = star.student_years()


def exact(submission: dict[str, Any]) -> dict[str, Any]:
    """As the evidence service's door reads it."""
    parsed: dict[str, Any] = json.loads(json.dumps(submission), parse_float=Decimal)
    return parsed


def test_every_score_that_exists_is_published_and_no_other() -> None:
    published = list(star.evidence(ROWS))
    absent = sum(row.score(subject) is None for row in ROWS for subject in star.SUBJECTS)
    assert (len(ROWS), len(ROWS) * 2) == (star.STUDENT_YEARS, star.POSSIBLE) == (26_796, 53_592)
    assert (len(published), absent) == (star.PUBLISHED, star.ABSENT) == (48_875, 4_717)
    assert len({each["id"] for each in published}) == len(published)


def test_submissions_are_ones_that_the_door_takes() -> None:
    for submission in star.evidence(ROWS[::10]):
        taken = validate(exact(submission))
        assert taken.data.score == submission["data"]["score"] * 1000
    for submission in curriculum.submissions(curriculum.read("star")):
        validate(exact(submission))


def test_an_id_does_not_show_whose_score_it_is() -> None:
    for submission in star.evidence(ROWS[:500]):
        assert submission["data"]["student"]["value"].removeprefix("star-p") not in submission["id"]


def test_a_score_names_its_teacher_and_the_scale_of_its_grade() -> None:
    row = ROWS[0]
    first = next(star.evidence(ROWS))["data"]
    assert first["assessor"] == {"scheme": "sis", "value": f"star-t{row.teacher}"}
    assert (first["scale"], first["competency"]) == (f"star-read-{row.grade}", "READ")


def test_a_missing_teacher_is_left_out_and_her_pupils_share_a_class() -> None:
    row = ROWS[0]._replace(teacher=None)
    assert "assessor" not in next(star.evidence((row,)))["data"]
    assert star.class_id(row) == f"star-c{row.school}-{row.grade}"


def test_the_committed_scale_file_is_what_the_data_gives() -> None:
    assert star_scales.SCALES.read_text(encoding="utf-8") == curriculum.text(star_scales.curriculum(ROWS))


def test_a_quarter_of_the_scores_or_a_little_more_lies_at_or_below_the_first_cut() -> None:
    for scale in curriculum.read("star")["scales"][1:]:
        subject, grade = scale["scale"].split("-")[1:]
        scores = [score * 1000 for row in ROWS if row.grade == grade and (score := row.score(subject)) is not None]
        for level, share in zip(scale["levels"][1:], (0.25, 0.5, 0.75), strict=True):
            below = sum(score < level["at_thousandths"] for score in scores)
            assert below < share * len(scores) <= sum(score <= level["at_thousandths"] for score in scores)
        assert "not a published cut" in scale["label"]


@pytest.mark.parametrize(("percent", "value"), [(25, 20), (50, 30), (75, 40), (100, 50), (1, 10)])
def test_a_quantile_is_always_one_of_the_values(percent: int, value: int) -> None:
    assert star_scales.nearest_rank([10, 20, 30, 40, 50], percent) == value


def test_another_file_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(star, "SCHOOLS", 79)
    with pytest.raises(ValueError, match="80"):
        star.student_years()


def test_pupils_are_counted_once_a_year() -> None:
    assert max(Counter((row.pupil, row.grade) for row in ROWS).values()) == 1
