"""Small OneRoster folders for tests: one school, a teacher, a class, students; every file can be replaced."""

from __future__ import annotations

import csv
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

Rows = Sequence[dict[str, str]]


@dataclass
class Roster:
    """The rows of a roster, to be changed by a test and written by `write`."""

    orgs: list[dict[str, str]] = field(
        default_factory=lambda: [
            {"sourcedId": "D", "name": "District", "type": "district"},
            {"sourcedId": "HS1", "name": "High school", "type": "school"},
        ]
    )
    sessions: list[dict[str, str]] = field(
        default_factory=lambda: [
            {"sourcedId": "Y26", "title": "2025-26", "type": "schoolYear", "startDate": "2025-09-03", "endDate": "2026-06-24"},
        ]
    )
    classes: list[dict[str, str]] = field(default_factory=lambda: [a_class("C1"), a_class("C2")])
    users: list[dict[str, str]] = field(
        default_factory=lambda: [
            {"sourcedId": "t1", "enabledUser": "true", "orgSourcedIds": "HS1", "role": "teacher"} | _name("Tova", "Ash"),
            a_student("104", "Ada", "Birch"),
            a_student("105", "Bo", "Cedar"),
        ]
    )
    enrollments: list[dict[str, str]] = field(
        default_factory=lambda: [
            {"classSourcedId": "C1", "userSourcedId": "t1", "role": "teacher", "primary": "true"},
            enrolled("104", "C1"),
            enrolled("104", "C2"),
            enrolled("105", "C1"),
        ]
    )
    demographics: list[dict[str, str]] = field(
        default_factory=lambda: [
            {"sourcedId": "104", "sex": "female", "metadata.lunch": "F", "metadata.cairn.programmes": "IEP;ENL=entering"},
        ]
    )
    roles: list[dict[str, str]] = field(default_factory=list)

    def write(self, folder: Path) -> Path:
        """As CSV files in `folder`; the folder."""
        folder.mkdir(parents=True, exist_ok=True)
        files = {"orgs": self.orgs, "academicSessions": self.sessions, "classes": self.classes, "users": self.users}
        files |= {"enrollments": self.enrollments, "demographics": self.demographics}
        if self.roles:
            files["roles"] = self.roles
        for name, rows in files.items():
            columns = dict.fromkeys(column for row in rows for column in row) or {"sourcedId": None}
            with (folder / f"{name}.csv").open("w", encoding="utf-8-sig", newline="") as file:
                writer = csv.DictWriter(file, list(columns), restval="")
                writer.writeheader()
                writer.writerows(rows)
        return folder

    def zip(self, folder: Path) -> Path:
        """The same as a ZIP file in which the files lie in a folder."""
        path = folder.with_suffix(".zip")
        with zipfile.ZipFile(path, "w") as archive:
            for file in self.write(folder).iterdir():
                archive.write(file, f"export/{file.name}")
        return path


def _name(given: str, family: str) -> dict[str, str]:
    return {"givenName": given, "familyName": family}


def a_class(code: str, *, grades: str = "09", **more: str) -> dict[str, str]:
    shared = {"sourcedId": code, "title": code, "grades": grades, "courseSourcedId": "MATH-9", "schoolSourcedId": "HS1"}
    return shared | {"termSourcedIds": "Y26", "periods": "MON-P1,TUE-P2"} | more


def a_student(code: str, given: str, family: str, **more: str) -> dict[str, str]:
    shared = {"sourcedId": code, "enabledUser": "true", "orgSourcedIds": "HS1", "role": "student", "grades": "09"}
    return shared | _name(given, family) | more


def enrolled(student: str, class_: str, begin: str = "2025-09-03", end: str = "") -> dict[str, str]:
    return {"classSourcedId": class_, "userSourcedId": student, "role": "student", "beginDate": begin, "endDate": end}
