"""What a stack leaves running when its supervisor, or a test run, is killed; and ending it."""

from __future__ import annotations

from pathlib import Path

from deploy.local.containers import remove_containers
from deploy.local.process import end_all, orphans


def sweep(home: Path) -> bool:
    """End every process and container that carries the mark of the stack in `home`. Whether there was a process."""
    left = orphans(home)
    end_all(left)
    remove_containers(home)
    return bool(left)
