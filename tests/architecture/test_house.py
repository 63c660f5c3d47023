"""The house itself: what runs the checks is whole, and says the same everywhere."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib

import yaml

from deploy.images import EXTRAS, dependencies, lock
from tests.architecture.sources import ROOT
from tests.suites import BUDGETS, suite_of

MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_help_lists_every_target() -> None:
    listed = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    phony = re.search(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)
    assert phony
    assert set(phony[1].split()) == {line.split()[0].removeprefix("\x1b[1m") for line in listed.splitlines()}


def test_ci_runs_what_people_run() -> None:
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert script.read_text(encoding="utf-8").rstrip().endswith("exec make test")


def test_the_hooks_call_the_same_targets() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"][0]["hooks"]
    called = {target for hook in hooks for target in re.findall(r"make ([\w-]+)", hook["entry"])}
    assert called == {"lint", "contracts", "test-unit"}
    assert all(f"\n{target}: " in MAKEFILE for target in called)


def test_the_budgets_of_the_suites_fit_into_that_of_all_tests() -> None:
    budget = re.search(r"^BUDGET \?= (\d+)$", MAKEFILE, re.MULTILINE)
    assert budget
    assert sum(BUDGETS.values()) / 2 <= int(budget[1]) / 60 < 35  # two workers on two cores


def test_every_test_belongs_to_a_suite_with_a_budget() -> None:
    files = [path.relative_to(ROOT).as_posix() for path in (ROOT / "tests").rglob("test_*.py")]
    assert [file for file in files if suite_of(file) not in BUDGETS] == []


def test_everything_that_the_project_asks_for_is_locked() -> None:
    wanted = [*PROJECT["dependencies"], *(name for extra in PROJECT["optional-dependencies"].values() for name in extra)]
    assert [name for name in wanted if not lock([name]).strip()] == []


def test_every_extra_of_an_image_is_one_of_the_project() -> None:
    assert {extra for extra in EXTRAS.values() if extra} <= set(PROJECT["optional-dependencies"])
    assert all(dependencies(service) for service in EXTRAS)
