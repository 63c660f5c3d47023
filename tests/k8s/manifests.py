"""Rendering and checking manifests with what comes as packages: kubectl's kustomize and the schemas of every kind that we use."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import kubernetes_validate
import yaml
from jsonschema import Draft202012Validator

ROOT = Path(__file__).parents[2]
CRD = ROOT / "tests" / "crd"
KUBERNETES = "1.37"
OVERLAYS = ("base", "overlays/production")

Object = dict[str, Any]


@cache
def rendered(overlay: str) -> tuple[Object, ...]:
    """What `kubectl kustomize` makes of an overlay. It asks nobody: no cluster, no network."""
    kubectl = Path(sys.executable).with_name("kubectl")
    argv = [str(kubectl), "kustomize", str(ROOT / "k8s" / overlay)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, env={"HOME": "/nonexistent"})
    assert done.returncode == 0, done.stderr
    return tuple(yaml.safe_load_all(done.stdout))


def of_kind(overlay: str, kind: str) -> dict[str, Object]:
    """The objects of one kind, by name."""
    return {each["metadata"]["name"]: each for each in rendered(overlay) if each["kind"] == kind}


def wrong(manifest: Object) -> list[str]:
    """What is wrong with an object by its kind's schema, which is closed: a misspelt field is wrong."""
    group, _, version = manifest["apiVersion"].rpartition("/")
    custom = CRD / f"{manifest['kind'].lower()}-{group.split('.')[0]}-{version}.json"
    if custom.exists():
        return [error.message for error in Draft202012Validator(json.loads(custom.read_text())).iter_errors(manifest)]
    try:
        kubernetes_validate.validate(manifest, KUBERNETES, strict=True)
    except (kubernetes_validate.ValidationError, kubernetes_validate.SchemaNotFoundError) as error:
        return [str(error)]
    return []


def containers(deployment: Object) -> Iterator[Object]:
    """Every container of a deployment's pod, those that run first included."""
    pod = deployment["spec"]["template"]["spec"]
    yield from (*pod["initContainers"], *pod["containers"])


def environment(overlay: str, container: Object) -> dict[str, str]:
    """The variables that a container sees. A secret's are 64 zeros, which every key and password of ours may be."""
    maps = of_kind(overlay, "ConfigMap")
    found: dict[str, str] = {}
    for source in container.get("envFrom", []):
        found |= maps[source["configMapRef"]["name"]]["data"]
    return found | {entry["name"]: entry.get("value", "0" * 64) for entry in container.get("env", [])}
