"""Ends what a test run started, also when the run itself is killed.

Waits until its standard input closes, which happens however the run ends; then ends every process of the folder that it
was given, and deletes the folder.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from deploy.local.remains import sweep


def main(home: Path) -> None:
    sys.stdin.buffer.read()
    sweep(home)
    shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
