"""A publisher in twenty lines: scores from a CSV file, each in the log once, however often this is killed and run again.

    CAIRN_EVIDENCE_URL=http://127.0.0.1:7401 CAIRN_KEY=cairn_… python -m contracts.client.example SOURCE scores.csv

The file's columns: row,student,framework,competency,score,scale,time. Each row's id is derived from it, so that a row that is
read again after a crash is a duplicate, and one that was spooled before the crash is sent even if the file has gone.
"""

from __future__ import annotations

import csv
import os
import sys
from datetime import datetime
from pathlib import Path

from contracts.client import Client, evidence


def main(source: str, path: Path) -> None:
    """Publish the file; tell what became of it."""
    with (
        path.open(newline="", encoding="utf-8") as file,
        Client(os.environ["CAIRN_EVIDENCE_URL"], os.environ["CAIRN_KEY"], spool=path.with_suffix(".spool")) as cairn,
    ):
        for row in csv.DictReader(file):
            cairn.submit(
                evidence(
                    source=source,
                    id=f"{path.stem}-{row['row']}",
                    student=("sis", row["student"]),
                    framework=row["framework"],
                    competency=row["competency"],
                    score=float(row["score"]),
                    scale=row["scale"],
                    time=datetime.fromisoformat(row["time"]),
                )
            )
        sent = cairn.flush()
        told = [f"{refused.event['id']}: {refused.code} at {refused.pointer}\n" for refused in cairn.refused()]
    sys.stdout.write(f"{sent.accepted} accepted, {sent.duplicate} duplicate, {sent.held} held, {sent.rejected} rejected\n")
    sys.stdout.writelines(told)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
