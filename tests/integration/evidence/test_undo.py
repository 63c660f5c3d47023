"""Undoing a batch retracts what it brought and nothing else; the same rows come in again afterwards."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from contracts.events import EvidenceRetracted
from services.chassis.errors import Rejected
from services.evidence.files import undo
from services.evidence.files.undo import undo_import
from services.evidence.store import files as store
from services.evidence.submit import Door
from tests.integration.evidence.gateway import Gateway, a_gateway
from tests.integration.evidence.imports import a_row
from tests.integration.evidence.test_files import MARKS, counted, imported, records
from tests.stack import Stack

pytestmark = pytest.mark.stack


@pytest.fixture
async def gateway(stack: Stack) -> AsyncIterator[Gateway]:
    async with a_gateway(stack) as opened:
        await opened.publisher("gradebook")
        yield opened


async def retracted(gateway: Gateway) -> list[str]:
    """The ids of the events that retractions name, as often as they do."""
    told = [json.loads(record) for record in await records(gateway)]
    ids = {each["position"]: each["id"] for each in told}
    return [ids[each["data"]["target"]] for each in told if each["type"] == EvidenceRetracted.TYPE]


async def test_what_a_batch_brought_is_retracted_and_what_was_there_before_stays(gateway: Gateway, tmp_path: Path) -> None:
    first = await imported(gateway, tmp_path, *MARKS)
    second = await imported(gateway, tmp_path, a_row(mark="D"), *MARKS[1:], a_row(assignment="a7"))
    brought = [json.loads(record)["id"] for record in (await records(gateway))[3:]]
    done = await undo_import(gateway.opened, second.batch)
    assert (done.outcomes["accepted"], done.gone) == (2, 0)
    assert sorted(await retracted(gateway)) == sorted(brought)
    assert (await undo_import(gateway.opened, second.batch)).outcomes.total() == 0
    states = {each.batch: each.state for each in await store.listed(gateway.app.state.pool)}
    assert states == {first.batch: "finished", second.batch: "undone"}


async def test_rows_that_were_undone_come_in_again_and_unchanged_ones_are_duplicates(gateway: Gateway, tmp_path: Path) -> None:
    await imported(gateway, tmp_path, *MARKS)
    rows = [*MARKS, a_row(assignment="a7")]
    batch = (await imported(gateway, tmp_path, *rows)).batch
    await undo_import(gateway.opened, batch)
    again = await imported(gateway, tmp_path, *rows)
    assert (again.batch, counted(again)) == (batch, (4, 1, 3, 0, 0))
    assert len(await retracted(gateway)) == 1


class Killed(BaseException):
    """What a kill -9 is to the code that it stops."""


async def test_an_undoing_that_was_killed_goes_on_and_retracts_nothing_twice(
    gateway: Gateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = (await imported(gateway, tmp_path, *MARKS)).batch
    submit = Door.submit

    async def killed(*arguments: object) -> None:
        await submit(*arguments)  # type: ignore[arg-type]
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(undo, "AT_ONCE", 2)
        patch.setattr(Door, "submit", killed)
        with pytest.raises(Killed):
            await undo_import(gateway.opened, batch)
    await undo_import(gateway.opened, batch)
    assert len(await retracted(gateway)) == len(set(await retracted(gateway))) == 3


async def test_what_still_waits_is_retracted_when_it_comes_in(gateway: Gateway, tmp_path: Path) -> None:
    batch = (await imported(gateway, tmp_path, a_row(student_no="later"))).batch
    done = await undo_import(gateway.opened, batch)
    assert (done.outcomes["held"], await records(gateway)) == (1, [])
    await gateway.students("later")
    while await gateway.look_at_held():
        pass
    assert len(await retracted(gateway)) == 1
    assert len(await records(gateway)) == 2


async def test_an_unknown_batch_is_refused(gateway: Gateway) -> None:
    with pytest.raises(Rejected, match="unknown-batch"):
        await undo_import(gateway.opened, "b-nothing")
