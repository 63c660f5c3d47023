"""What an image holds: `contracts`, `services/chassis` and one service, and the locked packages that these need.

Run by the Dockerfile with nothing but Python:
    python deploy/images.py select SERVICE FOLDER    a source tree with that service alone, from which its wheel is built
    python deploy/images.py lock SERVICE             the part of requirements.lock that it needs, hashes included
    python deploy/images.py lock setuptools          the same for building wheels
"""

from __future__ import annotations

import re
import shutil
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
# The service and the extra of pyproject.toml that it needs, if any.
EXTRAS = {"evidence": "files", "mastery": "", "scheduling": "scheduling", "reporting": ""}


def select(service: str, folder: Path) -> None:
    """Copy what the image of `service` is built from into `folder`, its commands being the chassis's and the service's."""
    for part in ("contracts", "services/chassis", f"services/{service}"):
        shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("services/__init__.py", "LICENSE", "README.md"):
        shutil.copy(ROOT / file, folder / file)
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    (folder / "pyproject.toml").write_text(_own_commands(project, folder), encoding="utf-8")


def _own_commands(project: str, folder: Path) -> str:
    """The project file without the entry points whose module is not in `folder`."""

    def is_there(line: str) -> bool:
        named = re.fullmatch(r'[\w-]+ = "([\w.]+):\w+"', line)
        module = folder / named[1].replace(".", "/") if named else folder
        return module.is_dir() or module.with_suffix(".py").exists()  # a package, or a module

    return "\n".join(line for line in project.splitlines() if is_there(line)) + "\n"


def lock(roots: Iterable[str]) -> str:
    """The part of requirements.lock that these packages need: themselves and whatever is there on their account."""
    blocks = _blocks((ROOT / "requirements.lock").read_text(encoding="utf-8"))
    needed = {_normal(root) for root in roots}
    while more := {name for name, block in blocks if name not in needed and _wanted_by(block) & needed}:
        needed |= more
    return "".join(block for name, block in blocks if name in needed)


def _blocks(text: str) -> list[tuple[str, str]]:
    """Each package of the lock with its lines."""
    return [(_normal(block), block) for block in re.split(r"^(?=[a-zA-Z0-9])", text, flags=re.MULTILINE)[1:]]


def _wanted_by(block: str) -> set[str]:
    """On whose account the package is there: what the resolver wrote behind `via`."""
    _, _, reasons = block.partition("# via")
    return {_normal(line.strip("# \n")) for line in reasons.splitlines() if line.strip("# \n")}


def _normal(requirement: str) -> str:
    """The package's normalised name in a requirement such as `Foo_bar[x]>=1`."""
    named = re.match(r"[a-zA-Z0-9][a-zA-Z0-9._-]*", requirement)
    return re.sub(r"[-_.]+", "-", named[0]).lower() if named else ""


def dependencies(service: str) -> list[str]:
    """What pyproject.toml says that the service needs."""
    project: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return [*project["dependencies"], *project["optional-dependencies"].get(EXTRAS[service], ())]


def main(task: str, name: str, *folder: str) -> None:
    if task == "select":
        select(name, Path(folder[0]))
    else:
        sys.stdout.write(lock(dependencies(name) if name in EXTRAS else [name]))


if __name__ == "__main__":
    main(*sys.argv[1:])
