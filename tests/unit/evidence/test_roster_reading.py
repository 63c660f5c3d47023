"""A broken roster is refused in one line, or row by row with file, line and reason; never with a traceback."""

from __future__ import annotations

import json
import zipfile
from datetime import date
from pathlib import Path

import pytest

from services.chassis.errors import Rejected
from services.evidence.roster.district import CALENDARS, District, read_district
from services.evidence.roster.folder import RosterFolder
from services.evidence.roster.history import FOREVER, Enrolment, history
from tests.integration.evidence.rosters import Roster, a_class, a_student


def read(path: Path) -> District:
    return read_district(RosterFolder(path))


def bad(path: Path) -> list[tuple[str, int]]:
    return [(each.file, each.line) for each in read(path).bad]


def test_a_file_that_is_no_zip_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "roster.zip").write_text("sourcedId")
    with pytest.raises(Rejected, match="unreadable-roster"):
        read(tmp_path / "roster.zip")


def test_a_corrupt_member_is_refused(tmp_path: Path) -> None:
    path = Roster().zip(tmp_path / "roster")
    with zipfile.ZipFile(path) as archive:
        at = archive.getinfo("export/users.csv").header_offset
    content = bytearray(path.read_bytes())
    content[at + 80 : at + 84] = b"    "
    path.write_bytes(content)
    with pytest.raises(Rejected, match="unreadable-roster"):
        read(path)


def test_an_encrypted_member_is_refused(tmp_path: Path) -> None:
    path = Roster().zip(tmp_path / "roster")
    content = bytearray(path.read_bytes())
    at = 0
    while (at := content.find(b"PK\x01\x02", at)) >= 0:  # the flag of encryption, in each entry of the directory
        content[at + 8] |= 1
        at += 4
    path.write_bytes(content)
    with pytest.raises(Rejected, match="unreadable-roster"):
        read(path)


@pytest.mark.parametrize("sign", ["\x00", "\x07"])
def test_a_name_or_a_demographic_with_control_characters_is_a_bad_row(tmp_path: Path, sign: str) -> None:
    roster = Roster()
    roster.users.append(a_student("106", f"D{sign}i", "Elm"))
    for column in ("sex", "metadata.lunch"):
        roster.demographics.append({"sourcedId": "105", column: f"x{sign}"})
    district = read(roster.write(tmp_path))
    assert [(each.file, each.line) for each in district.bad] == [
        ("users.csv", 5),
        ("demographics.csv", 3),
        ("demographics.csv", 4),
    ]
    assert "106" not in district.users
    assert not district.users["105"].demographics


def test_a_capacity_in_other_signs_than_digits_is_a_bad_row(tmp_path: Path) -> None:
    roster = Roster()
    roster.classes.append(a_class("C3", **{"metadata.cairn.capacity": "²"}))
    assert bad(roster.write(tmp_path)) == [("classes.csv", 4)]


@pytest.mark.parametrize("parts", [{"closed": 7}, {"closed": [7]}, {"closed": "2026-01-01"}, {"periods": 7}, {"periods": ["P1"]}])
def test_a_calendar_of_another_form_is_a_bad_row(tmp_path: Path, parts: object) -> None:
    path = Roster().write(tmp_path)
    (path / CALENDARS).write_text(json.dumps({"HS1": parts}))
    assert bad(path) == [(CALENDARS, 0)]


@pytest.mark.parametrize("text", ["[]", '{"HS1": []}', "{", "[" * 200_000])
def test_calendars_that_are_no_object_by_school_are_refused(tmp_path: Path, text: str) -> None:
    path = Roster().write(tmp_path)
    (path / CALENDARS).write_text(text)
    with pytest.raises(Rejected, match="unreadable-roster"):
        read(path)


def test_a_row_that_ends_on_the_last_day_there_is_may_be_followed_by_another() -> None:
    rows = [Enrolment("28", f"c-{day}", date(2026, 1, day), FOREVER, FOREVER) for day in (1, 2)]
    assert len(history(rows, lambda _: "9", None)) == 2
