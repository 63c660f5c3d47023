"""Small files of an old gradebook for tests, and the map that goes with them."""

from __future__ import annotations

import csv
from pathlib import Path

COLUMNS = ("student_no", "assignment", "standard", "mark", "given", "entered", "assessor")

MAP = """
publisher = "gradebook"
history = true
key = ["student_no", "assignment"]
time = { column = "given", format = "%m/%d/%Y" }

[fields]
student = { column = "student_no", scheme = "sis" }
framework = { value = "hs" }
competency = { column = "standard" }
score = { column = "mark", values = { A = 4, B = 3, C = 2, D = 1 } }
scale = { value = "d4" }
entered = { column = "entered" }
assessor = { column = "assessor", scheme = "sis" }
"""


def a_row(**cells: str) -> dict[str, str]:
    """A mark of student 104; `cells` replace columns."""
    row = {"student_no": "104", "assignment": "a1", "standard": "MA.1", "mark": "A", "given": "05/21/2019"}
    return row | {"entered": "2019-05-22T08:30:00-04:00", "assessor": "t1"} | cells


def a_file(folder: Path, *rows: dict[str, str], name: str = "grades.csv") -> Path:
    """The rows as CSV; the file."""
    path = folder / name
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    return path


def a_map(folder: Path, told: str = MAP) -> Path:
    """The map as a file."""
    path = folder / "grades.toml"
    path.write_text(told, encoding="utf-8")
    return path
