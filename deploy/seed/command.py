"""Running other `cairn` commands, as a person would."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from services.chassis.errors import Unavailable


def cairn(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `cairn …` to its end; its standard output and error as text. Never raises for what the command says."""
    return subprocess.run([_executable(), *arguments], capture_output=True, text=True, check=False)


def import_roster(folder: Path) -> str:
    """`cairn roster import FOLDER`, its progress bar shown; what it says at the end. Raises `Unavailable` if it failed."""
    done = subprocess.run([_executable(), "roster", "import", str(folder)], stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise Unavailable(f"`cairn roster import {folder}` ended with code {done.returncode}; see above")
    return done.stdout


def _executable() -> str:
    return str(Path(sys.executable).with_name("cairn"))
