"""The spool's file: all or nothing, for one process, readable by nobody else."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from contracts.client import Spool, SpoolInUse
from tests.unit.client.gateways import a_piece


def test_what_waits_is_there_after_the_file_is_opened_again(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    spool.put([a_piece("e-1"), a_piece("e-2")])
    spool.close()
    again = Spool(tmp_path / "spool")
    assert [b'"e-1"' in each.body for each in again.oldest(10, 10_000)] == [True, False]
    again.close()


def test_a_call_with_one_bad_event_keeps_none_of_its_events(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    with pytest.raises(ValueError, match="JSON"):
        spool.put([a_piece("e-1"), a_piece("e-2", score=float("nan"))])
    assert spool.waiting() == 0
    spool.close()


def test_a_second_opener_is_told_so(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    with pytest.raises(SpoolInUse):
        Spool(tmp_path / "spool")
    spool.close()
    Spool(tmp_path / "spool").close()


def test_nobody_else_may_read_it(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool")
    spool.put([a_piece("e-1")])
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o600}
    spool.close()


def test_results_that_do_not_fit_settle_nothing() -> None:
    spool = Spool(None)
    spool.put([a_piece("e-1"), a_piece("e-2")])
    with pytest.raises(ValueError, match="zip"):
        spool.settle(spool.oldest(10, 10_000), [{"outcome": "rejected"}])
    assert (spool.waiting(), spool.totals(), spool.refused()) == (2, {}, [])
    spool.close()
