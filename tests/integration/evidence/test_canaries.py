"""A hundred canaries through the HTTP door: none of them sings in a log, a metric, an answer, a command or an announcement.

An identifier, a name, free text, a value or the name of a field: each is planted where a publisher may put it, in every form in
which a body may come, good and bad. The control leaks one on purpose, which must be found.
"""

from __future__ import annotations

import asyncio
import gzip
import io
import json
import logging
from collections.abc import AsyncIterator, Iterator
from itertools import count
from typing import Any

import pytest
from click.testing import CliRunner
from prometheus_client import generate_latest

from services.chassis.telemetry import JsonLines
from services.evidence.cli import evidence, publisher
from tests.integration.evidence.gateway import Gateway, a_gateway, an_event
from tests.stack import Stack

pytestmark = pytest.mark.stack

CANARY = "zqcanary"
FORMS = ("application/cloudevents+json", "application/json", "application/x-ndjson", "application/cloudevents-batch+json")
KINDS = 25


@pytest.fixture
async def gateway(stack: Stack) -> AsyncIterator[Gateway]:
    async with a_gateway(stack) as opened:
        yield opened


@pytest.fixture
def logs() -> Iterator[io.StringIO]:
    """Everything that any logger says, as a process of ours would write it."""
    stream, root = io.StringIO(), logging.getLogger()
    handler, level = logging.StreamHandler(stream), root.level
    handler.setFormatter(JsonLines("test"))
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    yield stream
    root.removeHandler(handler)
    root.setLevel(level)


def planted(word: str, id: str) -> dict[str, object]:
    """An event with the word in a place that `id`'s number chooses: in what a publisher may say, and in what it may not."""
    places: list[dict[str, Any]] = [
        {"student": {"scheme": "sis", "value": word}},  # held: nobody knows her
        {"student": {"scheme": "sis", "value": "104"}, "assessor": {"scheme": "sis", "value": word}},
        {"score": word},
        {"comment": word},
        {word: 1},
        {"framework": f"{word} with spaces"},
        {"due": word},
        {"accommodations": [{word: word}]},
        {"student": {"scheme": "sis", "value": "104", "name": word}},
    ]
    return an_event(id, **places[int(id.split("-")[1]) % len(places)])


async def send_them_all(gateway: Gateway) -> list[str]:
    """Every answer to a hundred canaries in every form, and to a few that are no JSON at all."""
    numbers, answers = count(), []
    for form in FORMS:
        for number in [next(numbers) for _ in range(KINDS)]:
            body = json.dumps(planted(f"{CANARY}{number:03}", f"e-{number}"))
            body = f"[{body}]" if form.endswith("batch+json") else body
            packed = number % 2
            sent = gzip.compress(body.encode()) if packed else body.encode()
            query = "?validate_only=true" if number % 5 == 4 else ""
            answer = await gateway.send(sent, content_type=form, encoding="gzip" if packed else None, query=query)
            assert answer.status_code < 500
            answers.append(answer.text)
    answers.append((await gateway.send(f"{{{CANARY}".encode())).text)
    answers.append((await gateway.send(an_event(), content_type=f"text/{CANARY}")).text)
    answers.append((await gateway.client.post("/v1/vault/search", json={"text": CANARY, CANARY: 1})).text)
    return answers


async def everything_written(gateway: Gateway, logs: io.StringIO) -> dict[str, str]:
    """What was written where others may read it, by place."""
    commands = {"quarantine": (evidence, ["quarantine", "list"]), "scorecards": (publisher, ["scorecards", "--json"])}
    said = {name: (await asyncio.to_thread(CliRunner().invoke, *command)).output for name, command in commands.items()}
    rows = await gateway.opened.pool.fetch("SELECT record FROM public.outbox")
    keys = await gateway.opened.pool.fetch("SELECT subject, traceparent FROM public.ledger")
    return {
        **said,
        "logs": logs.getvalue(),
        "metrics": generate_latest().decode(),
        "announcements": "\n".join(row[0].decode() for row in rows),
        "keys and headers": "\n".join(str(tuple(row)) for row in keys),
        "rejections": (await gateway.mine("rejections?limit=500")).text,
        "held": (await gateway.mine("held?limit=500")).text,
    }


async def test_no_canary_is_found_in_anything_that_was_written(
    gateway: Gateway, logs: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CAIRN_EVIDENCE_DATABASE", gateway.settings.dsn())
    logging.getLogger("test").info("listening")
    answers = await send_them_all(gateway)
    written = await everything_written(gateway, logs) | {"answers": "\n".join(answers)}
    assert [place for place, text in written.items() if not text.strip()] == []  # every place was really looked at
    assert [place for place, text in written.items() if CANARY in text.lower()] == []
    received, accepted, _, rejected, held = await gateway.counts()
    assert received == accepted + rejected + held > 70
    assert min(rejected, held) > 10


async def test_the_control_finds_a_leak(gateway: Gateway, logs: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAIRN_EVIDENCE_DATABASE", gateway.settings.dsn())
    await gateway.send(planted(f"{CANARY}000", "e-0"))
    logging.getLogger("test").warning("refused", extra={"value": f"{CANARY}000"})
    written = await everything_written(gateway, logs)
    assert [place for place, text in written.items() if CANARY in text] == ["logs"]
