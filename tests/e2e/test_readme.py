"""The README's commands run, in its order, on a stack that was brought up and seeded as `make run` does it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", README, re.MULTILINE | re.DOTALL)

# What a README may show without a test running it: how to get here, and what runs this very test.
RUN_ELSEWHERE = {"git clone", "cd", "make run", "make test"}
RECIPE_OF_MAKE_RUN = (["cairn", "up"], ["cairn", "seed", "demo"])
# Bounds a command that hangs: the longest, seeding, takes a minute or two on two busy cores.
SECONDS = 600


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment of a user in front of a stack of their own, up and seeded."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("CAIRN_")}
    own |= {"CAIRN_HOME": str(tmp_path_factory.mktemp("readme")), "PATH": f"{Path(sys.executable).parent}{os.pathsep}{own['PATH']}"}
    try:
        for command in RECIPE_OF_MAKE_RUN:
            run(command, own)
        yield own
    finally:
        run(["cairn", "reset", "--yes"], own)


def run(command: list[str], environment: dict[str, str]) -> None:
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"


@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    "block", [text for language, text in BLOCKS if language == "sh"], ids=lambda text: text.split("\n")[0].split("#")[0].strip()
)
def test_the_commands_of_the_readme_run(block: str, environment: dict[str, str]) -> None:
    run(["bash", "-euo", "pipefail", "-c", block], environment)


def test_the_afternoon_ends_with_an_accepted_event_and_a_seen_refusal(environment: dict[str, str]) -> None:
    block = next(text for _, text in BLOCKS if "--sandbox" in text).replace("my-app", "my-other-app")
    command = ["bash", "-euo", "pipefail", "-c", block]
    told = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=SECONDS, check=True).stdout
    assert len(block.strip().splitlines()) == 10
    assert '"outcome":"accepted","position":' in told
    assert told.count('"code":"invalid-field"') >= 2  # in the answer, and in the list of what was refused
    assert "<h1><code>invalid-field</code></h1>" in told
    card = json.loads(next(line for line in told.splitlines() if '"silent"' in line))
    assert [card[name] for name in ("sandbox", "received", "accepted", "rejected")] == [True, 2, 1, 1]


def test_every_other_command_of_the_readme_is_run_elsewhere() -> None:
    shown = [line for language, text in BLOCKS if language == "console" for line in text.splitlines()]
    assert {"make run", "make test"} <= set(shown)
    assert all(any(line.startswith(known) for known in RUN_ELSEWHERE) for line in shown)


def test_make_run_does_what_is_tested_here() -> None:
    recipe = subprocess.run(["make", "-n", "run"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert [line.split("/")[-1].split() for line in recipe.splitlines() if "bin/cairn" in line] == list(RECIPE_OF_MAKE_RUN)


def test_every_file_that_the_readme_names_is_there() -> None:
    named = set(re.findall(r"`((?:contracts|services|deploy|k8s|tests)/[\w./-]*|[A-Z]+\.md)`", README))
    assert len(named) > 10
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []


def test_every_target_that_the_readme_names_is_in_the_makefile() -> None:
    listed = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert all(target in listed for target in re.findall(r"`?make ([a-z-]+)", README))
