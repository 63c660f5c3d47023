"""Publishing: batches of one publisher, steady pace, patience with a busy gateway, keys that nobody else can read."""

from __future__ import annotations

import asyncio
import stat
import subprocess
from collections import Counter
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import httpx
import orjson
import pytest

from deploy.seed import publish as publish_module
from deploy.seed import publishers
from deploy.seed.district import one_school
from deploy.seed.load import Loaded, for_seconds, highschool_items, star_items
from deploy.seed.publish import Item, Report, batches, publish
from services.chassis.errors import Unavailable

KEYS = {"a": "key-a", "b": "key-b"}


def an_item(number: int, publisher: str = "a") -> Item:
    return Item(publisher, {"id": str(number)})


class Gateway:
    """A gateway that first answers with `troubles`, then takes everything; it remembers what it took."""

    def __init__(self, *troubles: int | type[httpx.TransportError]) -> None:
        self.troubles = list(troubles)
        self.taken: list[tuple[str, list[str]]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if self.troubles:
            trouble = self.troubles.pop(0)
            if isinstance(trouble, int):
                return httpx.Response(trouble, json={"code": "trouble", "expected": "patience"})
            raise trouble("away")
        ids = [orjson.loads(line)["id"] for line in request.content.splitlines()]
        self.taken.append((request.headers["authorization"], ids))
        return httpx.Response(200, json={"results": [{"outcome": "accepted"} for _ in ids]})


def sent(items: list[Item], gateway: Callable[[httpx.Request], httpx.Response], size: int = 2) -> Report:
    report, transport = Report(), httpx.MockTransport(gateway)
    asyncio.run(publish(batches(items, size), url="http://gateway", keys=KEYS, report=report, transport=transport))
    return report


def test_a_batch_holds_one_publishers_events_in_their_order() -> None:
    items = [an_item(n, "ab"[n % 2]) for n in range(5)]
    made = [(batch.publisher, [orjson.loads(event)["id"] for event in batch.events]) for batch in batches(items, 2)]
    assert made == [("a", ["0", "2"]), ("b", ["1", "3"]), ("a", ["4"])]


def test_batches_are_due_at_the_rate_asked_for() -> None:
    assert [batch.due for batch in batches([an_item(n) for n in range(6)], 2, rate=10.0)] == pytest.approx([0.2, 0.4, 0.6])


def test_everything_is_sent_with_its_publishers_key_and_counted() -> None:
    gateway = Gateway()
    report = sent([an_item(n, "ab"[n % 2]) for n in range(9)], gateway)
    assert report.outcomes == Counter(accepted=9)
    assert sorted(id_ for _, ids in gateway.taken for id_ in ids) == [str(n) for n in range(9)]
    assert {key for key, ids in gateway.taken if "1" in ids} == {"Bearer key-b"}
    assert len(report.latencies) == len(gateway.taken) == 5


@pytest.mark.parametrize("trouble", [429, 503, httpx.ConnectError, httpx.ReadTimeout])
def test_a_busy_gateway_is_asked_again_until_it_takes_the_batch(
    trouble: int | type[httpx.TransportError], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publish_module, "_FIRST_WAIT", 0.001)
    gateway = Gateway(trouble, trouble)
    report = sent([an_item(n) for n in range(4)], gateway)
    assert (report.outcomes, report.retries) == (Counter(accepted=4), 2)


def test_a_gateway_that_stays_away_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publish_module, "_PATIENCE", 0.0)
    with pytest.raises(Unavailable, match=r"status 503.*cairn status"):
        sent([an_item(1)], Gateway(503))


def test_a_request_that_is_refused_whole_is_not_sent_again() -> None:
    gateway = Gateway(401)
    with pytest.raises(Unavailable, match="trouble, expected patience"):
        sent([an_item(1)], gateway)
    assert gateway.taken == []


def test_latencies_are_by_nearest_rank() -> None:
    report = Report(latencies=[0.5, 0.1, 0.4, 0.2, 0.3])
    assert [report.latency(p) for p in (1, 50, 80, 100)] == [0.1, 0.3, 0.4, 0.5]
    assert Report().latency(50) == 0.0


def test_a_load_of_the_high_school_never_ends_and_is_new_evidence_each_run() -> None:
    def ids(run: str) -> list[str]:
        return [item.submission["id"] for item in islice(highschool_items(run, school), 500)]

    school = one_school(students=40, days=3)
    assert len(set(ids("x"))) == 500, "it goes on past the end of the term, with new ids"
    assert not set(ids("x")) & set(ids("y"))


def test_a_load_ends_when_its_time_is_up_or_the_study_is_sent() -> None:
    assert sum(1 for _ in for_seconds(star_items(), 100.0, 2.5)) == 250
    assert sum(1 for _ in for_seconds(star_items(), 100.0, None)) == 48_875


def test_a_load_says_what_was_asked_and_what_was_reached() -> None:
    report = Report(Counter(accepted=90, held=10), [0.001, 0.002], seconds=2.0)
    text = Loaded("highschool", 60.0, report).as_text()
    assert "50.0/s of 60/s asked for" in text
    assert "cairn seed highschool" in text


@pytest.fixture
def added(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """The `cairn` commands that were run in place of the real one; each gives a next key."""
    commands: list[tuple[str, ...]] = []

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        commands.append(arguments)
        return subprocess.CompletedProcess(arguments, 0, stdout=f'{{"key": "key-{len(commands)}"}}', stderr="")

    monkeypatch.setenv("CAIRN_HOME", str(tmp_path))
    monkeypatch.setattr(publishers, "cairn", run)
    return commands


def test_a_publisher_is_made_once_and_its_key_kept_from_others(added: list[tuple[str, ...]], tmp_path: Path) -> None:
    assert [publishers.key_of("star"), publishers.key_of("other"), publishers.key_of("star")] == ["key-1", "key-2", "key-1"]
    assert len(added) == 2
    assert stat.S_IMODE((tmp_path / "publishers.json").stat().st_mode) == 0o600


def test_a_publisher_that_cannot_be_made_is_explained(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    refused = subprocess.CompletedProcess((), 2, stdout="", stderr="Error: star exists\n")
    monkeypatch.setenv("CAIRN_HOME", str(tmp_path))
    monkeypatch.setattr(publishers, "cairn", lambda *_: refused)
    with pytest.raises(Unavailable, match="star exists"):
        publishers.key_of("star")
