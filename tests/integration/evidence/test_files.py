"""Files come in by the same way as anything else: same bytes in the log, duplicates across doors, exact counts after a kill."""

from __future__ import annotations

import asyncio
import csv
import json
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from click.testing import CliRunner

from contracts.events import EvidenceCarried, EvidenceSubmitted
from services.chassis.errors import Conflict, Rejected
from services.evidence.admit import keyed
from services.evidence.cli import evidence
from services.evidence.files import importing, pace
from services.evidence.files.importing import File, Summary, import_file, open_file, the_only_import
from services.evidence.files.rehearsal import rehearse
from services.evidence.files.submission import Reading
from services.evidence.ledger import Ledger
from services.evidence.store import files as store
from services.evidence.store import vault
from services.evidence.submit import Door
from tests.integration.evidence.gateway import Gateway, a_gateway
from tests.integration.evidence.imports import MAP, a_file, a_map, a_row
from tests.stack import Stack

pytestmark = pytest.mark.stack

MARKS = [a_row(), a_row(assignment="a2", mark="B"), a_row(student_no="105", mark="C", assessor="")]
BAD = a_row(assignment="a3", mark="excellent")
KEY = "7" * 64


@pytest.fixture
async def gateway(stack: Stack) -> AsyncIterator[Gateway]:
    async with a_gateway(stack) as opened:
        await opened.publisher("gradebook")
        yield opened


async def imported(gateway: Gateway, folder: Path, *rows: dict[str, str], map_: str = MAP) -> Summary:
    return await import_file(gateway.opened, a_grades(folder, *rows, map_=map_))


def a_grades(folder: Path, *rows: dict[str, str], map_: str = MAP) -> File:
    return open_file(a_file(folder, *rows), a_map(folder, map_))


def counted(summary: Summary) -> tuple[int, ...]:
    """(rows, accepted, duplicate, held, rejected)."""
    return (summary.rows, *(summary.outcomes[word] for word in ("accepted", "duplicate", "held", "rejected")))


async def records(gateway: Gateway) -> list[bytes]:
    """The records of the publisher's events, in log order."""
    rows = await gateway.app.state.pool.fetch("SELECT record FROM public.ledger ORDER BY position")
    return [row[0] for row in rows if b'"source":"gradebook"' in row[0]]


async def test_a_file_is_imported_and_refused_rows_are_written_down_with_the_reason(gateway: Gateway, tmp_path: Path) -> None:
    summary = await imported(gateway, tmp_path, *MARKS, BAD, a_row(student_no="unheard-of"))
    assert counted(summary) == (5, 3, 0, 1, 1)
    assert await gateway.counts("gradebook") == (5, 3, 0, 1, 1)
    assert summary.rejects == tmp_path / "grades.csv.rejects.csv"
    with summary.rejects.open(newline="") as file:
        [refused] = csv.DictReader(file)
    assert {name: refused[name] for name in BAD} == BAD
    assert refused["cairn.reason"] == "unmapped-value: expected one of the map's values in the column mark at /data/score"
    record = json.loads((await records(gateway))[0])
    assert record["data"]["provenance"] == "migrated"
    assert record["data"]["entered"] == "2019-05-22T12:30:00Z"
    text = b"".join(await records(gateway)).decode()
    assert not any(identifier in text for identifier in ('"104"', '"105"', '"t1"'))


async def test_unchanged_rows_are_duplicates_and_changed_rows_are_the_next_content_of_their_record(
    gateway: Gateway, tmp_path: Path
) -> None:
    await imported(gateway, tmp_path, *MARKS)
    assert counted(await imported(gateway, tmp_path, *MARKS)) == (3, 0, 3, 0, 0)
    better = a_row(mark="D")
    assert counted(await imported(gateway, tmp_path, better, *MARKS[1:])) == (3, 1, 2, 0, 0)
    assert counted(await imported(gateway, tmp_path, *MARKS, a_row(assignment="a9"))) == (4, 2, 2, 0, 0)  # as it was at first
    told = [json.loads(record) for record in await records(gateway)]
    of_first = [each for each in told if each["sourcekey"] == told[0]["sourcekey"]]
    assert [each["data"]["score_thousandths"] for each in of_first] == [4000, 1000, 4000]
    assert len({each["id"] for each in of_first}) == 3


async def test_a_level_with_nothing_under_it_comes_as_carried(gateway: Gateway, tmp_path: Path) -> None:
    carried = MAP.replace("history = true", 'event = "evidence.carried"').replace("score = {", "level = {")
    assert counted(await imported(gateway, tmp_path, a_row(), map_=carried)) == (1, 0, 0, 0, 1)  # the grant says evidence only
    await gateway.publisher("archive", [EvidenceSubmitted.TYPE, EvidenceCarried.TYPE])
    assert counted(await imported(gateway, tmp_path, a_row(), map_=carried.replace("gradebook", "archive"))) == (1, 1, 0, 0, 0)
    record = await gateway.app.state.pool.fetchval("SELECT record FROM public.ledger WHERE type = $1", EvidenceCarried.TYPE)
    data = json.loads(record)["data"]
    assert (data["level"], data["provenance"], data["scale"]) == (4, "migrated", "d4")


class Killed(BaseException):
    """What a kill -9 is to the code that it stops."""


@pytest.mark.parametrize("moment", ["before the append", "after the append", "after the rejects"])
async def test_an_import_killed_at_any_moment_goes_on_without_a_row_lost_or_brought_twice(
    gateway: Gateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    monkeypatch.setattr(importing, "AT_ONCE", 2)
    rows = [*MARKS[:2], BAD, a_row(assignment="a4"), a_row(assignment="a5", student_no="unheard-of"), a_row(assignment="a6")]
    file = a_grades(tmp_path, *rows)
    with monkeypatch.context() as patch:
        _kill(patch, moment, chunk=2)
        with pytest.raises(Killed):
            await import_file(gateway.opened, file)
    summary = await import_file(gateway.opened, file)
    resent = 1 if moment != "before the append" else 0
    assert counted(summary) == (6, 4 - resent, resent, 1, 1)
    assert len(await records(gateway)) == 4
    assert (tmp_path / "grades.csv.rejects.csv").read_text().count("unmapped-value") == 1
    brought = await gateway.app.state.pool.fetch("SELECT id FROM public.file_import_events WHERE batch = $1", file.batch)
    assert {row[0] for row in brought} >= {json.loads(record)["id"] for record in await records(gateway)}
    assert len(brought) == 5  # four in the log, one that waits
    received, *others = await gateway.counts("gradebook")
    assert received == sum(others)


def _kill(patch: pytest.MonkeyPatch, moment: str, chunk: int) -> None:
    """Stop the import at a moment of its so manieth chunk."""
    submit, chunks = Door.submit, 0

    async def submitting(*arguments: Any) -> Any:
        nonlocal chunks
        chunks += 1
        if moment == "before the append" and chunks == chunk:
            raise Killed
        answers = await submit(*arguments)
        if moment == "after the append" and chunks == chunk:
            raise Killed
        return answers

    async def going_on(*arguments: Any, **named: Any) -> int:
        if moment == "after the rejects" and chunks == chunk:
            raise Killed
        return await go_on(*arguments, **named)

    go_on = store.go_on
    patch.setattr(Door, "submit", submitting)
    patch.setattr(store, "go_on", going_on)


async def test_a_dry_run_says_what_would_be_and_changes_nothing(gateway: Gateway, tmp_path: Path) -> None:
    await imported(gateway, tmp_path, MARKS[0])
    before = await gateway.counts("gradebook"), await records(gateway)
    file = a_grades(tmp_path, *MARKS, BAD, a_row(mark="D"), a_row(student_no="unheard-of"))
    summary = await rehearse(gateway.opened, file)
    assert counted(summary) == (6, 2, 1, 1, 2)
    assert summary.rejects is not None
    assert "same-natural-key" in summary.rejects.read_text()
    assert (await gateway.counts("gradebook"), await records(gateway)) == before
    assert [each.batch for each in await store.listed(gateway.app.state.pool)] != [file.batch]
    assert counted(await import_file(gateway.opened, file)) == (6, 2, 1, 1, 2)


async def test_two_imports_of_one_publisher_take_turns(gateway: Gateway, tmp_path: Path) -> None:
    async with the_only_import(gateway.opened, "gradebook"):
        with pytest.raises(Conflict, match="another import"):
            await imported(gateway, tmp_path, *MARKS)
    assert counted(await imported(gateway, tmp_path, *MARKS)) == (3, 3, 0, 0, 0)


async def test_a_publisher_that_may_send_nothing_imports_nothing(gateway: Gateway, tmp_path: Path) -> None:
    with pytest.raises(Rejected, match="unknown-publisher"):
        await imported(gateway, tmp_path, *MARKS, map_=MAP.replace("gradebook", "nobody"))
    await gateway.app.state.pool.execute("UPDATE public.publishers SET revoked = now() WHERE name = 'gradebook'")
    with pytest.raises(Rejected, match="unknown-publisher"):
        await imported(gateway, tmp_path, *MARKS)


# One path behind all doors


def as_an_app_sends(file: File, gateway: Gateway) -> list[dict[str, Any]]:
    """The file's rows as submissions over HTTP."""
    reading = Reading(file.map, file.table.columns, ZoneInfo("America/New_York"), keyed(gateway.opened.key))
    taken = importing.take(reading, list(file.table.rows(0)), {}, 1)
    return [json.loads(each.item.text) for each in taken]


@pytest.mark.parametrize("first", ["file", "http"])
async def test_a_resend_through_another_door_is_a_duplicate(gateway: Gateway, tmp_path: Path, first: str) -> None:
    file = a_grades(tmp_path, *MARKS)
    doors = [lambda: import_file(gateway.opened, file), lambda: gateway.send(as_an_app_sends(file, gateway), publisher="gradebook")]
    for door in doors if first == "file" else reversed(doors):
        await door()
    assert await gateway.counts("gradebook") == (6, 3, 3, 0, 0)
    assert len(await records(gateway)) == 3


async def test_file_and_http_give_the_same_bytes_in_the_log_but_for_place_and_time(stack: Stack, tmp_path: Path) -> None:
    found: list[Sequence[bytes]] = []
    for door in ("file", "http"):
        async with a_gateway(stack, people=False, vault_key=KEY) as gateway:
            await gateway.publisher("gradebook")
            people = {("sis", "104"): "s-" + "4" * 26, ("sis", "105"): "s-" + "5" * 26, ("sis", "t1"): "p-" + "1" * 26}
            await vault.issue(gateway.vault.pool, people)
            file = a_grades(tmp_path, *MARKS)
            if door == "file":
                await import_file(gateway.opened, file)
            else:
                await gateway.send(as_an_app_sends(file, gateway), publisher="gradebook")
            found.append([record.partition(b',"position":')[0] for record in await records(gateway)])
    assert found[0] == found[1]
    assert len(found[0]) == 3


# Yielding


async def test_an_import_waits_while_the_ledger_is_in_use_and_goes_on_when_it_is_not(
    gateway: Gateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pace, "LONGEST_WAIT", 600.0)  # so that only a free head lets it go on
    pool = gateway.app.state.pool
    waited = pace.yielded._value.get()
    async with pool.acquire() as live, live.transaction():
        await live.execute("SELECT FROM public.head FOR UPDATE")
        importing_ = asyncio.create_task(imported(gateway, tmp_path, *MARKS))
        async with asyncio.timeout(20):
            while pace.yielded._value.get() < waited + 3:  # noqa: ASYNC110 - another task's word
                await asyncio.sleep(0.01)
        assert not importing_.done()
        assert await records(gateway) == []
    assert counted(await importing_) == (3, 3, 0, 0, 0)


async def test_an_import_is_never_starved(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "LONGEST_WAIT", 0.05)
    async with gateway.app.state.pool.acquire() as live, live.transaction():
        await live.execute("SELECT FROM public.head FOR UPDATE")
        async with asyncio.timeout(20):
            await pace.wait_for_a_gap(gateway.app.state.pool)


# The command


def test_the_command_imports_and_lists_what_it_imported(stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def prepared() -> dict[str, str]:
        async with a_gateway(stack) as gateway:
            await gateway.publisher("gradebook")
            return {"CAIRN_EVIDENCE_DATABASE": gateway.settings.dsn(), "CAIRN_KAFKA": stack.kafka(), "CAIRN_MODE": "local"}

    async def compared(ledger: Ledger, *_: object) -> None:
        ledger._compared = True  # with a topic of the tests, by the gateway above; the command knows `evidence.log` alone

    monkeypatch.setattr(Ledger, "compare", compared)
    for name, value in asyncio.run(prepared()).items():
        monkeypatch.setenv(name, value)
    path, map_ = a_file(tmp_path, *MARKS, BAD), a_map(tmp_path)
    runner = CliRunner()
    rehearsed = runner.invoke(evidence, ["import", str(path), "--map", str(map_), "--dry-run"])
    assert (rehearsed.exit_code, "Nothing was sent." in rehearsed.output) == (0, True)
    answered = json.loads(runner.invoke(evidence, ["import", str(path), "--map", str(map_), "--json"]).output)
    assert (answered["accepted"], answered["rejected"]) == (3, 1)
    [batch] = json.loads(runner.invoke(evidence, ["imports", "--json"]).output)
    assert (batch["batch"], batch["state"], batch["rows"]) == (answered["batch"], "finished", 4)
    assert "gradebook" in runner.invoke(evidence, ["imports"]).output
