"""The seeds' publishers: made through `cairn publisher add`, their keys kept in the stack's folder.

A key is shown once, when its publisher is made; so it is written down before anything else is done with it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from deploy.seed.command import cairn
from services.chassis.errors import Unavailable
from services.chassis.settings import cairn_home


def key_of(name: str, types: Sequence[str] = ()) -> str:
    """The key of the publisher `name`, which is made if it is not known here. `types`: what it may send, if not evidence alone."""
    path = cairn_home() / "publishers.json"
    keys = _read(path)
    if name not in keys:
        keys[name] = _add(name, types, path)
        _write(path, keys)
    return keys[name]


def _add(name: str, types: Sequence[str], path: Path) -> str:
    arguments = ("--types", ",".join(types)) if types else ()
    done = cairn("publisher", "add", name, *arguments, "--json")
    if done.returncode:
        raise Unavailable(f"the publisher {name} could not be made, and {path} has no key of it: {done.stderr.strip()}")
    answer: dict[str, Any] = json.loads(done.stdout)
    return str(answer["key"])


def _read(path: Path) -> dict[str, str]:
    keys: dict[str, str] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return keys


def _write(path: Path, keys: dict[str, str]) -> None:
    """Whole or not at all, and never readable to others, not even for a moment."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_suffix(".new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        json.dump(keys, file, indent=1)
    new.replace(path)
