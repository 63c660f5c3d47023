"""The same answers from a few plain lines: every STAR pupil's level and every school's counts.

Imports nothing of ours and reads two files: the data and the scale file. Decimals throughout, so that a person can check it.
`python tests/oracle/star.py` prints a summary.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections import Counter, defaultdict
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any, NamedTuple

SEED = Path(__file__).parents[2] / "deploy" / "seed"
GRADES = ("K", "1", "2", "3")
COLUMNS = {"READ": "read", "MATH": "math"}


class Standing(NamedTuple):
    """Where a pupil stands: `level` of 1-4, the rounded average `value` it is read from, how many scores it rests on."""

    level: int
    value: Decimal
    pieces: int


class Answer(NamedTuple):
    """`pupils[pupil][competency]`, `schools[school][competency][level]` in pupils, and how many scores there are and aren't."""

    pupils: dict[str, dict[str, Standing]]
    schools: dict[str, dict[str, Counter[int]]]
    present: int
    absent: int


def read_rows(path: Path = SEED / "star.csv.gz") -> list[dict[str, str]]:
    with gzip.open(path, "rb") as packed:
        return list(csv.DictReader(io.TextIOWrapper(packed, encoding="utf-8")))


def read_curriculum(path: Path = SEED / "star.json") -> dict[str, Any]:
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return document


def decaying(scores: list[Decimal], weight: Decimal) -> Decimal:
    """The first score, then each next one at `weight` against what was there.

    [1, 2, 3, 4, 5] → 1 → 1.65 → 2.5275 → 3.484625 → 4.46961875.
    """
    value = scores[0]
    for score in scores[1:]:
        value = (1 - weight) * value + weight * score
    return value


def rounded(value: Decimal, decimals: int) -> Decimal:
    """Once, at the end, halves up: 4.125 → 4.13."""
    return value.quantize(Decimal(1).scaleb(-decimals), rounding=ROUND_HALF_UP)


def reached(score: Decimal, levels: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The highest level whose threshold is at or below the score; None below the first."""
    below = [level for level in levels if Decimal(level["at_thousandths"]) / 1000 <= score]
    return max(below, key=lambda level: int(level["at_thousandths"])) if below else None


def answer(rows: list[dict[str, str]], curriculum: dict[str, Any]) -> Answer:
    """The whole answer for these rows under this curriculum (framework, scales, one policy)."""
    scales = {scale["scale"]: scale["levels"] for scale in curriculum["scales"]}
    policy = curriculum["policies"][0]
    years: dict[str, dict[str, dict[str, str]]] = defaultdict(dict)
    for row in rows:
        years[row["id"]][row["gr"]] = row
    pupils = {pupil: _standings(theirs, scales, policy) for pupil, theirs in years.items()}
    present = sum(row[column] != "NA" for row in rows for column in COLUMNS.values())
    return Answer(pupils, _school_counts(years, pupils), present, len(rows) * len(COLUMNS) - present)


def _standings(
    years: dict[str, dict[str, str]], scales: dict[str, list[dict[str, Any]]], policy: dict[str, Any]
) -> dict[str, Standing]:
    """A pupil's standing in each competency with at least one score; the grades are the order in which the tests were taken."""
    standings = {}
    for competency, column in COLUMNS.items():
        scores = [(grade, Decimal(years[grade][column])) for grade in GRADES if grade in years and years[grade][column] != "NA"]
        worth = [
            level["worth_thousandths"] for grade, score in scores if (level := reached(score, scales[f"star-{column}-{grade}"]))
        ]
        if worth:
            weight = Decimal(policy["method"]["weight"]) / 100
            value = rounded(decaying([Decimal(each) / 1000 for each in worth], weight), policy["decimals"])
            standing = reached(value, scales[policy["scale"]])
            assert standing is not None, "no average of levels is below the first level"
            standings[competency] = Standing(standing["level"], value, len(worth))
    return standings


def _school_counts(
    years: dict[str, dict[str, dict[str, str]]], pupils: dict[str, dict[str, Standing]]
) -> dict[str, dict[str, Counter[int]]]:
    """Pupils by level where they are enrolled. Who is not there in the next year has left; after grade 3 nobody leaves."""
    counts: dict[str, dict[str, Counter[int]]] = {}
    for school in sorted({row["sch"] for theirs in years.values() for row in theirs.values()}, key=int):
        counts[school] = {competency: Counter() for competency in COLUMNS}
    for pupil, theirs in years.items():
        if "3" in theirs:
            for competency, standing in pupils[pupil].items():
                counts[theirs["3"]["sch"]][competency][standing.level] += 1
    return counts


def summary(found: Answer) -> str:
    lines = [f"{len(found.pupils):,} pupils, {len(found.schools)} schools"]
    lines.append(f"{found.present:,} scores + {found.absent:,} absent = {found.present + found.absent:,}")
    for competency in COLUMNS:
        levels = Counter(standing[competency].level for standing in found.pupils.values() if competency in standing)
        enrolled = sum((counts[competency] for counts in found.schools.values()), Counter[int]())
        lines.append(f"{competency}: pupils by level {sorted(levels.items())}, of whom enrolled {sorted(enrolled.items())}")
    return "\n".join(lines)


if __name__ == "__main__":
    print(summary(answer(read_rows(), read_curriculum())))  # noqa: T201 - a script for people
