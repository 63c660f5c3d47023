"""What the commands of the evidence service ask for before they look at anything."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from services.evidence.cli import evidence


@pytest.mark.parametrize("arguments", [[], ["FILE"], ["FILE", "--map", "MAP", "--undo", "b-1"], ["--undo", "b-1", "--dry-run"]])
def test_an_import_wants_a_file_with_its_map_or_a_batch_to_undo_and_not_both(arguments: list[str], tmp_path: Path) -> None:
    paths = {name: tmp_path / name for name in ("FILE", "MAP")}
    for path in paths.values():
        path.touch()
    told = [str(paths.get(each, each)) for each in arguments]
    result = CliRunner().invoke(evidence, ["import", *told])
    assert (result.exit_code, "expected FILE with --map MAP.toml, or --undo BATCH alone" in result.output) == (2, True)
