"""The judge of `make contracts`: may this schema take the place of the frozen one under the same version?

A change is compatible when what old writers wrote (closed schema) is read by new readers (open schema), and what new writers
write is read by readers not yet deployed. `jsoncompat` decides that, except for what it does not compare: patterns, formats,
defaults and constants; and a field that goes away, which readers would ignore, and so lose.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterator
from typing import Any, Literal

import jsoncompat

from contracts.generate import FOLDER, SCHEMAS, Frozen, frozen, generated, write
from contracts.schema import Schema, opened

NOT_COMPARED_BY_JSONCOMPAT = ("pattern", "format", "default", "const")


def breaks(old: Schema, new: Schema) -> list[str]:
    """Why `new` may not replace `old`, in words; empty: it may."""
    reasons = []
    if not _accepts(old, opened(new), "deserializer"):
        reasons.append("records in the log could not be read any more")
    if not _accepts(opened(old), new, "serializer"):
        reasons.append("readers not yet deployed could not read new records")
    before, after = dict(_facts(old)), dict(_facts(new))
    reasons += [f"{path} was changed or taken away" for path, fact in before.items() if after.get(path) != fact]
    return reasons


def _accepts(old: Schema, new: Schema, role: Literal["serializer", "deserializer"]) -> bool:
    """jsoncompat's verdict. It follows references within a schema only, and takes an `$id` for something to look up."""
    old_text, new_text = (json.dumps({key: part for key, part in schema.items() if key != "$id"}) for schema in (old, new))
    return jsoncompat.check_compat(old_text, new_text, role)


def _facts(schema: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """What must stay: each property's being there, and the keywords that `jsoncompat` does not compare."""
    if not isinstance(schema, dict):
        return
    for key, part in schema.items():
        if key in NOT_COMPARED_BY_JSONCOMPAT:
            yield f"{path}/{key}", json.dumps(part)
        elif key in ("properties", "$defs"):
            for name, definition in part.items():
                yield f"{path}/{name}", ""
                yield from _facts(definition, f"{path}/{name}")
        else:
            yield from _facts(part, f"{path}/{key}")


def committed(name: str) -> Schema:
    """The schema as it was frozen; a file edited by hand is refused, or it would judge itself."""
    content = (FOLDER / SCHEMAS / f"{name}.json").read_bytes()
    if hashlib.sha256(content).hexdigest() != frozen()[name]:
        raise Frozen(f"{name} was edited by hand: restore it from history")
    schema: Schema = json.loads(content)
    return schema


def changed() -> dict[str, list[str]]:
    """Frozen versions whose models now give another schema, each with what breaks."""
    now = {name: json.loads(content) for name, content in generated().items()}
    known = {name: committed(name) for name in frozen()}
    return {name: breaks(old, now[name]) for name, old in known.items() if name in now and now[name] != old}


def main() -> None:
    try:
        verdicts = changed()
        for name, reasons in verdicts.items():
            print(f"contracts: {name} changed: {'; '.join(reasons) or 'compatible, so say it in CHANGELOG.md'}")  # noqa: T201
        written = write(allowed={name for name, reasons in verdicts.items() if not reasons})
    except Frozen as refusal:
        sys.exit(f"contracts: {refusal}")
    print(f"contracts: {len(frozen())} schemas; written: {', '.join(written) or 'none, nothing changed'}")  # noqa: T201


if __name__ == "__main__":
    main()
