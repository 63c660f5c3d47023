"""Curriculum files: a framework, its scales and its policies, each as the data of the event that publishes it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from contracts.events import FrameworkPublished, PolicyPublished, ScalePublished

PUBLISHER = "curriculum"
TYPES = (FrameworkPublished.TYPE, ScalePublished.TYPE, PolicyPublished.TYPE)
# When the curriculum office decided. In the past and fixed, so that publishing a file again is publishing the same events.
_DECIDED = "2025-07-01T12:00:00Z"


def read(name: str) -> dict[str, Any]:
    """The curriculum file `name` beside this module: `star` or `highschool`."""
    document: dict[str, Any] = json.loads(Path(__file__).with_name(f"{name}.json").read_text(encoding="utf-8"))
    return document


def submissions(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The file as submissions, in an order in which each rests only on what came before: framework, scales, policies."""
    yield _submission(FrameworkPublished.TYPE, document["framework"], "framework")
    yield from (_submission(ScalePublished.TYPE, scale, "scale") for scale in document["scales"])
    yield from (_submission(PolicyPublished.TYPE, policy, "policy") for policy in document["policies"])


def _submission(type_: str, data: dict[str, Any], kind: str) -> dict[str, Any]:
    id_ = f"{kind}-{data[kind]}-v{data['version']}"
    return {"specversion": "1.0", "id": id_, "source": PUBLISHER, "type": type_, "time": _DECIDED, "data": data}


def text(document: dict[str, Any]) -> str:
    """The committed form of a file: a competency, a level, a policy a line, so that a diff shows what moved."""
    framework, scales = document["framework"], [_indented(scale, "levels") for scale in document["scales"]]
    parts = [f'"version": {document["version"]}', f'"framework": {_indented(framework, "competencies")}']
    parts += [f'"scales": {_list(scales)}', f'"policies": {_list([json.dumps(policy) for policy in document["policies"]])}']
    return "{" + ",\n".join(parts) + "}\n"


def _indented(thing: dict[str, Any], rows: str) -> str:
    head = json.dumps({key: value for key, value in thing.items() if key != rows})
    return f'{head[:-1]}, "{rows}": {_list([json.dumps(row) for row in thing[rows]], indent="  ")}}}'


def _list(items: list[str], indent: str = " ") -> str:
    return "[\n" + ",\n".join(indent + item for item in items) + "\n]"
