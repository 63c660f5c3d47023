"""A map teaches what is wrong with it, a row becomes what an app would have sent, a file is read whole or refused."""

from __future__ import annotations

import csv
import stat
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from pyarrow import parquet

from services.chassis.errors import Rejected
from services.evidence.admit import admit, keyed
from services.evidence.files.importing import File, in_chunks, open_file, take
from services.evidence.files.mapping import read_map
from services.evidence.files.rejects import Rejects, rejects_path
from services.evidence.files.submission import Reading
from services.evidence.files.table import Row
from services.evidence.grants import Publisher
from services.evidence.store.files import Known
from tests.integration.evidence.imports import COLUMNS, MAP, a_file, a_map, a_row

SAMENESS = keyed(b"k" * 32)
ZONE = ZoneInfo("America/New_York")


def reading(file: File) -> Reading:
    return Reading(file.map, file.table.columns, ZONE, SAMENESS)


def rows(file: File, skip: int = 0) -> list[Row]:
    return list(file.table.rows(skip))


def opened(tmp_path: Path, *told: dict[str, str], map_: str = MAP) -> File:
    return open_file(a_file(tmp_path, *told), a_map(tmp_path, map_))


def test_a_row_becomes_a_submission_that_the_door_takes(tmp_path: Path) -> None:
    file = opened(tmp_path, a_row(mark="B"))
    [taken] = take(reading(file), rows(file), {}, 1)
    admitted = admit(taken.item, Publisher("gradebook"), SAMENESS)
    data = admitted.submission.data
    assert (data.student.value, data.competency, data.score, data.scale) == ("104", "MA.1", 3000, "d4")
    assert admitted.submission.time == datetime(2019, 5, 21, 16, tzinfo=UTC)  # noon in New York
    assert (data.provenance, data.entered) == ("migrated", datetime(2019, 5, 22, 12, 30, tzinfo=UTC))
    assert len(admitted.submission.id) == 32
    assert "104" not in admitted.submission.id + str(admitted.submission.sourcekey)


@pytest.mark.parametrize(
    ("wrong", "taught"),
    [
        ("publishr = 1", "publishr: expected one of publisher, source, event"),
        ('[fields]\nscore = { colum = "x" }', "fields.score.colum: expected one of column, value"),
        ('[fields]\nscore = "mark"', 'fields.score: expected { column = "…" }'),
        ('[fields]\nmark = { column = "mark" }', "fields.mark: expected one of student, framework, competency, score"),
        ('[fields]\nstudent = { column = "student_no" }', "fields.student: expected scheme"),
        ('[fields]\nscale = { column = "a", value = "b" }', "fields.scale: expected either column or value"),
        ('[fields]\nscore = { value = "four" }', "fields.score: expected a number in value"),
        ("key = []", "key: expected at least 1 items"),
        ('zone = "Mars/Base"', "zone: expected a time zone"),
        ('at = "25:00"', "at: expected a string that matches"),
        ('encoding = "utf-9"', "encoding: expected 'utf-8', 'windows-1252' or 'iso-8859-1'"),
        ("history = false", "fields.entered: expected `history = true`"),
        ('event = "evidence.carried"', "fields.score: expected one of framework, competency, level, scale"),
        ("= 7", "expected TOML"),
    ],
)
def test_a_wrong_map_says_what_was_expected_and_where(tmp_path: Path, wrong: str, taught: str) -> None:
    name, _, _ = wrong.partition(" = ")
    if wrong.startswith("[fields]"):
        field = wrong.splitlines()[1].partition(" = ")[0]
        kept = [line for line in MAP.splitlines() if not line.startswith(f"{field} = ")]
        told = "\n".join(kept).replace("[fields]", wrong)
    else:
        told = "\n".join([wrong, *(line for line in MAP.splitlines() if not line.startswith(f"{name} = "))])
    with pytest.raises(Rejected) as refused:
        read_map(a_map(tmp_path, told))
    assert taught in str(refused.value)


def test_a_map_that_names_a_column_that_is_not_there_is_told_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(Rejected, match=r"columns of the file \(student_no.*names grade"):
        opened(tmp_path, a_row(), map_=MAP.replace('column = "mark"', 'column = "grade"'))


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ({"mark": "Z"}, "unmapped-value: expected one of the map's values in the column mark at /data/score"),
        ({"given": "2019-05-21"}, "invalid-cell: expected a date or time written %m/%d/%Y in the column given at /time"),
        ({"entered": "soon"}, "invalid-cell: expected a date or time in ISO 8601 in the column entered at /data/entered"),
        ({"student_no": "", "assignment": ""}, "no-natural-key: expected something in the columns student_no, assignment"),
    ],
)
def test_a_row_that_cannot_be_read_is_refused_by_its_column_and_never_by_its_content(
    tmp_path: Path, cells: dict[str, str], expected: str
) -> None:
    file = opened(tmp_path, a_row(**cells))
    [taken] = take(reading(file), rows(file), {}, 1)
    assert taken.item.fault is not None
    assert str(taken.item.fault).startswith(expected)
    assert "soon" not in str(taken.item.fault)


def test_a_row_with_another_number_of_cells_is_refused_and_the_next_is_read(tmp_path: Path) -> None:
    path = a_file(tmp_path, a_row(), a_row(assignment="a2"))
    path.write_text(path.read_text().replace("104,", "104,x,", 1))
    file = open_file(path, a_map(tmp_path))
    first, second = take(reading(file), rows(file), {}, 1)
    assert str(first.item.fault) == f"invalid-row: expected {len(COLUMNS)} cells, as the header has"
    assert second.item.fault is None


def test_the_same_content_has_the_same_id_and_a_content_that_returns_is_new(tmp_path: Path) -> None:
    file = opened(tmp_path, a_row(mark="A"), a_row(mark="B"))
    good, better = rows(file)
    first = take(reading(file), [good], {}, 1)[0]
    assert first.record is not None
    ids = [first.item.value["id"]]
    known = {first.record.key: Known(first.record.content, 0, 1)}
    for number, row in enumerate((good, better, good, good), 2):
        ids.append(take(reading(file), [row], known, number)[0].item.value["id"])
    assert ids[1] == ids[0]
    assert ids[4] == ids[3]
    assert len(set(ids)) == 3


def test_two_rows_of_one_file_under_one_key_are_refused_unless_they_say_the_same(tmp_path: Path) -> None:
    file = opened(tmp_path, a_row(), a_row(), a_row(mark="D"))
    faults = [taken.item.fault for taken in take(reading(file), rows(file), {}, 1)]
    assert [str(fault)[:16] if fault else None for fault in faults] == [None, None, "same-natural-key"]


def test_the_batch_is_named_by_publisher_content_and_map(tmp_path: Path) -> None:
    names = [
        opened(tmp_path, a_row()).batch,
        opened(tmp_path, a_row()).batch,
        opened(tmp_path, a_row(mark="D")).batch,
        opened(tmp_path, a_row(), map_=MAP.replace('"d4"', '"d5"')).batch,
    ]
    assert names[0] == names[1]
    assert len(set(names)) == 3


def test_parquet_gives_the_submissions_that_csv_gives(tmp_path: Path) -> None:
    told = [a_row(), a_row(assignment="a2", mark="D", assessor="")]
    table = pa.table(
        {
            "student_no": pa.array([104, 104]),
            "assignment": pa.array([row["assignment"] for row in told]),
            "standard": pa.array([row["standard"] for row in told]),
            "mark": pa.array([row["mark"] for row in told]).dictionary_encode(),
            "given": pa.array([row["given"] for row in told]),
            "entered": pa.array([datetime.fromisoformat(row["entered"]) for row in told]),
            "assessor": pa.array([row["assessor"] or None for row in told]),
        }
    )
    parquet.write_table(table, tmp_path / "grades.parquet")
    files = [opened(tmp_path, *told), open_file(tmp_path / "grades.parquet", a_map(tmp_path))]
    bodies = [[taken.item.text for taken in take(reading(file), rows(file), {}, 1)] for file in files]
    assert bodies[0] == bodies[1]
    assert files[1].table.about == 2
    assert [row.line for row in rows(files[1], skip=1)] == [2]


def test_numbers_of_parquet_are_told_without_an_exponent(tmp_path: Path) -> None:
    numbers = {"a": [1.0], "b": [0.125], "c": [Decimal("3.50")], "d": [1e-7], "e": [True]}
    parquet.write_table(pa.table(numbers), tmp_path / "n.parquet")
    map_ = a_map(tmp_path, 'publisher = "p"\nkey = ["a"]\ntime = { column = "a" }\n[fields]\n' + FIELDS)
    [row] = open_file(tmp_path / "n.parquet", map_).table.rows(0)
    assert row.cells == ["1", "0.125", "3.50", "0.0000001", "true"]


FIELDS = """
student = { column = "a", scheme = "sis" }
framework = { value = "hs" }
competency = { column = "b" }
score = { column = "c" }
scale = { value = "d4" }
"""


@pytest.mark.parametrize("content", [b"", b"a,a\n1,2\n", b"PAR1 and nothing else", b'a,b\n"open\n', b"a,b\n\xff\xfe,1\n"])
def test_a_file_that_is_no_table_is_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "f").write_bytes(content)
    map_ = a_map(tmp_path, 'publisher = "p"\nkey = ["a"]\ntime = { column = "a" }\n[fields]\n' + FIELDS.replace('"c"', '"b"'))
    with pytest.raises(Rejected, match="unreadable-file"):
        rows(open_file(tmp_path / "f", map_))


def test_refused_rows_keep_their_columns_and_only_their_owner_may_read_them(tmp_path: Path) -> None:
    path = rejects_path(tmp_path / "grades.csv")
    with Rejects(path, ["a", "b"]) as rejects:
        rejects.add(Row(2, ["1", "x, y"]), Rejected("invalid-cell", "a number", pointer="/data/score"))
        kept = rejects.settle()
        rejects.add(Row(3, ["2", "z"]), Rejected("invalid-cell", "a number"))
    with Rejects(path, ["a", "b"], keep=kept) as rejects:
        rejects.add(Row(4, ["3", ""]), Rejected("invalid-cell", "a number"))
    assert path.name == "grades.csv.rejects.csv"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with path.open(newline="") as file:
        told = list(csv.DictReader(file))
    assert [(row["a"], row["b"], row["cairn.line"]) for row in told] == [("1", "x, y", "2"), ("3", "", "4")]
    assert told[0]["cairn.reason"] == "invalid-cell: expected a number at /data/score"


def test_chunks_are_whole_and_the_last_is_the_rest() -> None:
    chunks = list(in_chunks(iter([Row(line, []) for line in range(5)]), 2))
    assert [[row.line for row in chunk] for chunk in chunks] == [[0, 1], [2, 3], [4]]
