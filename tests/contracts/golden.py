"""Golden bytes: records of every version of every type, as the log holds them, never rewritten.

`python -m tests.contracts.golden` writes the file of a version that has none yet and freezes it by its hash; it never
touches one that is there. So a log written by any release can be decoded by every later one.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from contracts.codec import finish, prepare, timestamp
from contracts.envelope import Data
from tests.contracts.examples import EXTENSIONS, FULL, MINIMAL, NOON, STUDENT

FOLDER = Path(__file__).parent / "golden"
FROZEN = FOLDER / "frozen.json"


def golden_files() -> list[Path]:
    return sorted(FOLDER.glob("*.jsonl"))


def golden_records() -> list[tuple[str, bytes]]:
    """Every record with its type's short name and line, e.g. `evidence.submitted.v1:2`."""
    lines = ((path.stem, number, line) for path in golden_files() for number, line in enumerate(path.read_bytes().splitlines(), 1))
    return [(f"{name}:{number}", line) for name, number, line in lines]


def frozen() -> dict[str, str]:
    hashes: dict[str, str] = json.loads(FROZEN.read_bytes()) if FROZEN.exists() else {}
    return hashes


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def minimal(data: Data) -> bytes:
    subject = None if data.REFERENCE else STUDENT
    return finish(prepare(data, id="1", source="app", time=NOON, subject=subject), 0, timestamp(NOON))


def full(data: Data) -> bytes:
    id, source = "0198c3f0-6d5a-7000-8000-00000000002a", "gradebook/algebra-1"
    subject = None if data.REFERENCE else STUDENT
    prepared = prepare(data, id=id, source=source, time=NOON, subject=subject, **EXTENSIONS)
    return finish(prepared, 9_223_372_036_854_775_807, timestamp(NOON.replace(microsecond=123_456)))


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    hashes = frozen()
    for small, large in zip(MINIMAL, FULL, strict=True):
        path = FOLDER / f"{small.TYPE.removeprefix('cairn.')}.jsonl"
        if not path.exists():
            path.write_bytes(minimal(small) + b"\n" + full(large) + b"\n")
            hashes[path.stem] = sha256(path)
            print(f"golden: {path.stem} written")  # noqa: T201
    FROZEN.write_text(json.dumps(hashes, indent=2, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
