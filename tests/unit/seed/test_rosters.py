"""OneRoster folders: every reference resolves, and they say who is where when."""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from contracts.events import CalendarPublished
from deploy.seed import star
from deploy.seed.district import district, one_school
from deploy.seed.oneroster import COLUMNS, Folder

Rows = dict[str, list[dict[str, str]]]

REFERENCES = {
    ("orgs", "parentSourcedId"): "orgs",
    ("academicSessions", "parentSourcedId"): "academicSessions",
    ("courses", "schoolYearSourcedId"): "academicSessions",
    ("courses", "orgSourcedId"): "orgs",
    ("classes", "courseSourcedId"): "courses",
    ("classes", "schoolSourcedId"): "orgs",
    ("classes", "termSourcedIds"): "academicSessions",
    ("users", "orgSourcedIds"): "orgs",
    ("enrollments", "classSourcedId"): "classes",
    ("enrollments", "schoolSourcedId"): "orgs",
    ("enrollments", "userSourcedId"): "users",
    ("demographics", "sourcedId"): "users",
}


def read(folder: Path) -> Rows:
    return {name: list(csv.DictReader((folder / f"{name}.csv").open(encoding="utf-8", newline=""))) for name in COLUMNS}


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Rows:
    folder = tmp_path_factory.mktemp("star")
    star.write_roster(star.student_years(), folder)
    return read(folder)


@pytest.fixture(scope="module")
def schools(tmp_path_factory: pytest.TempPathFactory) -> Rows:
    folder = tmp_path_factory.mktemp("district")
    district(1200, 1, seed=3).write_roster(folder)
    return read(folder)


@pytest.fixture(params=["study", "schools"])
def folder(request: pytest.FixtureRequest) -> Iterator[Rows]:
    rows: Rows = request.getfixturevalue(request.param)
    yield rows


def test_every_reference_resolves(folder: Rows) -> None:
    known = {name: {row["sourcedId"] for row in rows} for name, rows in folder.items()}
    for (name, column), target in REFERENCES.items():
        named = {each for row in folder[name] for each in row[column].split(",") if each}
        assert not named - known[target], f"{name}.{column} names {target} that are not there"


def test_every_id_is_there_once(folder: Rows) -> None:
    for name, rows in folder.items():
        assert len({row["sourcedId"] for row in rows}) == len(rows), name


def test_an_enrolment_is_at_the_school_of_its_class(folder: Rows) -> None:
    school = {row["sourcedId"]: row["schoolSourcedId"] for row in folder["classes"]}
    assert all(school[row["classSourcedId"]] == row["schoolSourcedId"] for row in folder["enrollments"])


def test_the_study_has_eighty_schools_and_an_enrolment_a_student_year(study: Rows) -> None:
    students = [row for row in study["enrollments"] if row["role"] == "student"]
    assert sum(row["type"] == "school" for row in study["orgs"]) == star.SCHOOLS
    assert len(students) == star.STUDENT_YEARS
    assert sum(row["role"] == "student" for row in study["users"]) == star.PUPILS == len(study["demographics"])
    assert {row["metadata.lunch"] for row in study["demographics"]} == {"F", "N", ""}


def test_a_gap_year_is_a_withdrawal_and_a_year_after_year_is_none(study: Rows) -> None:
    ends: dict[str, dict[str, str]] = defaultdict(dict)
    for row in study["enrollments"]:
        if row["role"] == "student":
            ends[row["userSourcedId"]][row["sourcedId"][-1]] = row["endDate"]
    patterns = {tuple(sorted(theirs)): theirs for theirs in ends.values()}
    assert patterns["1", "2", "3", "K"] == {"K": "", "1": "", "2": "", "3": ""}
    assert patterns["2", "3", "K"] == {"K": "1986-05-30", "2": "", "3": ""}
    assert patterns["1", "K"] == {"K": "", "1": "1987-05-29"}


def test_the_bells_are_a_calendar_that_the_contract_takes(tmp_path: Path) -> None:
    one_school(students=30).write_roster(tmp_path)
    calendars = json.loads((tmp_path / "cairn_calendars.json").read_text(encoding="utf-8"))
    term = {"term": "autumn", "starts": "2025-09-04", "ends": "2026-01-30"}
    calendar = CalendarPublished.model_validate_json(json.dumps({"school": "hs1", "terms": [term], **calendars["hs1"]}))
    assert [period.period for period in calendar.periods if period.flex] == ["FLEX"]
    times = [(period.starts, period.ends) for period in calendar.periods]
    assert all(starts < ends for starts, ends in times)
    assert all(before[1] <= after[0] for before, after in pairwise(times))


def test_the_same_seed_writes_the_same_bytes_and_another_does_not(tmp_path: Path) -> None:
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        district(600, 1, seed=seed).write_roster(tmp_path / name)
    written = {name: [file.read_bytes() for file in sorted((tmp_path / name).iterdir())] for name in "abc"}
    assert written["a"] == written["b"] != written["c"]


def test_a_column_that_onerosters_file_does_not_have_is_an_error(tmp_path: Path) -> None:
    with Folder(tmp_path) as folder, pytest.raises(ValueError, match="shoeSize"):
        folder.row("users", {"sourcedId": "x", "shoeSize": "38"})
