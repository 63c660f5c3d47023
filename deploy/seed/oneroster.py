"""Writing a OneRoster 1.1 CSV bulk folder, row by row, so that a district of a million fits in no memory at all.

The columns are OneRoster's, in its order; what it has no column for goes in `metadata.*` columns and
one JSON file (see README.md here).
"""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

_SHARED = ("sourcedId", "status", "dateLastModified")

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "orgs": (*_SHARED, "name", "type", "identifier", "parentSourcedId", "metadata.cairn.kind"),
    "academicSessions": (*_SHARED, "title", "type", "startDate", "endDate", "parentSourcedId", "schoolYear"),
    "courses": (*_SHARED, "schoolYearSourcedId", "title", "courseCode", "grades", "orgSourcedId", "subjects", "subjectCodes"),
    "classes": (
        *_SHARED,
        *("title", "grades", "courseSourcedId", "classCode", "classType", "location", "schoolSourcedId", "termSourcedIds"),
        *("subjects", "subjectCodes", "periods", "metadata.cairn.duty", "metadata.cairn.capacity", "metadata.cairn.competencies"),
    ),
    "users": (
        *_SHARED,
        *("enabledUser", "orgSourcedIds", "role", "username", "userIds", "givenName", "familyName", "middleName", "identifier"),
        *("email", "sms", "phone", "agentSourcedIds", "grades", "password", "metadata.cairn.cohort"),
    ),
    "enrollments": (*_SHARED, "classSourcedId", "schoolSourcedId", "userSourcedId", "role", "primary", "beginDate", "endDate"),
    "demographics": (
        *_SHARED,
        *("birthDate", "sex", "americanIndianOrAlaskaNative", "asian", "blackOrAfricanAmerican"),
        *("nativeHawaiianOrOtherPacificIslander", "white", "demographicRaceTwoOrMoreRaces", "hispanicOrLatinoEthnicity"),
        *("countryOfBirthCode", "stateOfBirthAbbreviation", "cityOfBirth", "publicSchoolResidenceStatus"),
        *("metadata.lunch", "metadata.cairn.programmes"),
    ),
}

# Files of the specification that are not sent.
_ABSENT = ("categories", "classResources", "courseResources", "lineItems", "resources", "results")


class Folder:
    """A OneRoster folder being written. `folder.row("users", sourcedId=…, …)`; columns left out are empty."""

    def __init__(self, path: Path) -> None:
        path.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._files: list[TextIO] = []
        self._writers = {name: self._open(name) for name in COLUMNS}
        self._calendars: dict[str, Any] = {}

    def _open(self, name: str) -> csv.DictWriter[str]:
        file = (self.path / f"{name}.csv").open("w", encoding="utf-8", newline="")
        self._files.append(file)
        writer = csv.DictWriter(file, COLUMNS[name], restval="", lineterminator="\r\n")
        writer.writeheader()
        return writer

    def row(self, file: str, cells: Mapping[str, object]) -> None:
        """One row. Raises ValueError for a column that the file does not have."""
        self._writers[file].writerow(cells)

    def calendar(self, school: str, periods: list[dict[str, object]], closed: list[str]) -> None:
        """The bells of a school and its days without school (ISO dates)."""
        self._calendars[school] = {"periods": periods, "closed": closed}

    def __enter__(self) -> Folder:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for file in self._files:
            file.close()
        if kind is None:
            _write_manifest(self.path / "manifest.csv")
            (self.path / "cairn_calendars.json").write_text(json.dumps(self._calendars, indent=1) + "\n", encoding="utf-8")


def _write_manifest(path: Path) -> None:
    rows = [("manifest.version", "1.0"), ("oneroster.version", "1.1"), ("source.systemName", "cairn seed")]
    rows += [(f"file.{name}", "bulk") for name in COLUMNS] + [(f"file.{name}", "absent") for name in _ABSENT]
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\r\n").writerows([("propertyName", "value"), *rows])
