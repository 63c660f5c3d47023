"""Writes what is committed beside this file: `schemas/*.json`, each frozen by its SHA-256, and `asyncapi.json`.

`make contracts` runs it after a judgement of what changed (`tests/contracts/compatibility.py`, with libraries that these
contracts must not need). On its own it writes new versions, and refuses to touch one that is frozen. A version that no log
holds yet is thawed by deleting its line in `schemas/frozen.json`, where a reviewer sees it.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Set
from pathlib import Path
from typing import Any

from contracts.asyncapi import asyncapi
from contracts.schema import writers_schemas

FOLDER = Path(__file__).parent
SCHEMAS = "schemas"
FROZEN = "frozen.json"


class Frozen(Exception):  # noqa: N818 - what the schema is
    """A frozen schema would change or vanish; the message says what to do instead."""


def rendered(document: Any) -> bytes:
    """The document's bytes as they are committed: stable, and one line a value, so that a diff shows what changed."""
    return (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode()


def frozen(folder: Path = FOLDER) -> dict[str, str]:
    """SHA-256 of each frozen schema's file, by name."""
    path = folder / SCHEMAS / FROZEN
    hashes: dict[str, str] = json.loads(path.read_bytes()) if path.exists() else {}
    return hashes


def generated() -> dict[str, bytes]:
    """Every schema's bytes as the models give them now, by name."""
    return {name: rendered(schema) for name, schema in writers_schemas().items()}


def write(folder: Path = FOLDER, allowed: Set[str] = frozenset()) -> list[str]:
    """Write all files; gives the names of new and changed schemas. `allowed` are the names judged to be compatible."""
    files, old = generated(), frozen(folder)
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    touched = sorted(name for name in old if hashes.get(name) != old[name] and name not in allowed)
    if touched:
        raise Frozen(f"frozen: {', '.join(touched)}. Leave it as it is, and add a next version with an upcaster")
    for name, content in files.items():
        _put(folder / SCHEMAS / f"{name}.json", content)
    _put(folder / SCHEMAS / FROZEN, rendered(hashes))
    _put(folder / "asyncapi.json", rendered(asyncapi()))
    return [name for name in hashes if hashes[name] != old.get(name)]


def _put(path: Path, content: bytes) -> None:
    path.parent.mkdir(exist_ok=True)
    if not path.exists() or path.read_bytes() != content:
        path.write_bytes(content)


def main() -> None:
    try:
        changed = write()
    except Frozen as refusal:
        sys.exit(f"contracts: {refusal}")
    sys.stdout.write(f"contracts: {len(frozen())} schemas, {len(changed)} new\n")


if __name__ == "__main__":
    main()
