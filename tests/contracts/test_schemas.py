"""Committed schemas are frozen, are what the models give, and change only in ways that old and new both understand."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from faststream.specification.asyncapi.v3_0_0.schema import ApplicationSchema
from jsonschema import Draft202012Validator
from pydantic import create_model

from contracts import generate
from contracts.asyncapi import asyncapi
from contracts.codec import RECORDS
from contracts.events import EVENTS
from contracts.schema import Schema, opened, writers_schemas
from contracts.topics import TOPICS, inbox_of, receipts_of
from tests.contracts import compatibility
from tests.contracts.compatibility import breaks

EVIDENCE = "evidence.submitted.v1"


def test_what_is_committed_is_what_the_models_give() -> None:
    files = {path.stem: path.read_bytes() for path in (generate.FOLDER / "schemas").glob("*.v*.json")}
    assert files == generate.generated(), "run `make contracts`"
    assert json.loads((generate.FOLDER / "asyncapi.json").read_bytes()) == asyncapi(), "run `make contracts`"


def test_every_committed_schema_is_frozen_by_its_hash() -> None:
    hashes = {path.stem: hashlib.sha256(path.read_bytes()).hexdigest() for path in (generate.FOLDER / "schemas").glob("*.v*.json")}
    assert hashes == generate.frozen()
    assert set(hashes) == {type_.removeprefix("cairn.") for type_ in EVENTS}


@pytest.mark.parametrize("schema", writers_schemas().values(), ids=writers_schemas())
def test_every_schema_is_a_schema_closed_for_writers_and_open_for_readers(schema: Schema) -> None:
    Draft202012Validator.check_schema(schema)
    assert schema["additionalProperties"] is False
    assert all(part["additionalProperties"] is False for part in schema["$defs"].values())
    assert "additionalProperties" not in json.dumps(opened(schema))
    assert "null" not in json.dumps(schema)


# --- the judge ---------------------------------------------------------------------------------------------------------


def changed(**changes: Any) -> Schema:
    """The committed schema of evidence, with some of its data's fields defined otherwise (None: taken away)."""
    schema: Schema = json.loads(json.dumps(writers_schemas()[EVIDENCE]))
    properties = schema["$defs"]["EvidenceSubmitted"]["properties"]
    for name, definition in changes.items():
        if definition is None:
            del properties[name]
        else:
            properties[name] = definition
    return schema


def requiring(schema: Schema, *names: str) -> Schema:
    schema["$defs"]["EvidenceSubmitted"]["required"] += names
    return schema


CODE = writers_schemas()[EVIDENCE]["$defs"]["EvidenceSubmitted"]["properties"]["scale"]
INCOMPATIBLE = {
    "a required field more": requiring(changed(room=CODE), "room"),
    "an optional field becomes required": requiring(changed(), "context"),
    "a field taken away": changed(context=None),
    "a field renamed": changed(context=None, setting=CODE),
    "a tighter bound": changed(attempt={"type": "integer", "minimum": 1, "maximum": 10}),
    "a wider bound": changed(attempt={"type": "integer", "minimum": 1, "maximum": 10_000}),
    "another type": changed(attempt={"type": "string"}),
    "one more kind": changed(kind={"default": "assessment", "enum": ["assessment", "rumour"], "type": "string"}),
    "another default": changed(kind=changed()["$defs"]["EvidenceSubmitted"]["properties"]["kind"] | {"default": "practice"}),
    "another pattern": changed(scale=CODE | {"pattern": "^[a-z]+$"}),
    "a pattern more": changed(language_demand={"type": "integer", "minimum": 1, "maximum": 5, "multipleOf": 2}),
}


@pytest.mark.parametrize("new", INCOMPATIBLE.values(), ids=INCOMPATIBLE)
def test_an_incompatible_change_is_refused(new: Schema) -> None:
    assert breaks(changed(), new)


@pytest.mark.parametrize("new", [changed(), changed(room=CODE)], ids=["none", "an optional field more"])
def test_a_compatible_change_is_accepted(new: Schema) -> None:
    assert breaks(changed(), new) == []


# --- writing -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of what is committed, which `make contracts` then works on."""
    shutil.copytree(generate.FOLDER / "schemas", tmp_path / "schemas")
    for module in (generate, compatibility):
        monkeypatch.setattr(module, "FOLDER", tmp_path)
    monkeypatch.setattr(generate.write, "__defaults__", (tmp_path, frozenset()))
    monkeypatch.setattr(generate.frozen, "__defaults__", (tmp_path,))
    return tmp_path


def with_a_field(monkeypatch: pytest.MonkeyPatch, **field: Any) -> None:
    """From here on, evidence has another field in the models."""
    data = create_model("EvidenceSubmitted", __base__=EVENTS[f"cairn.{EVIDENCE}"], **field)
    record = create_model("EvidenceSubmittedEvent", __base__=RECORDS[f"cairn.{EVIDENCE}"], data=(data, ...))
    monkeypatch.setitem(RECORDS, f"cairn.{EVIDENCE}", record)


@pytest.mark.usefixtures("folder")
def test_nothing_changed_writes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    compatibility.main()
    assert "nothing changed" in capsys.readouterr().out


def test_a_compatible_change_is_written_and_frozen_anew(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with_a_field(monkeypatch, room=(int | None, None))
    compatibility.main()
    assert f"{EVIDENCE} changed: compatible" in capsys.readouterr().out
    content = (folder / "schemas" / f"{EVIDENCE}.json").read_bytes()
    assert b'"room"' in content
    assert generate.frozen()[EVIDENCE] == hashlib.sha256(content).hexdigest()


def test_an_incompatible_change_writes_nothing_and_asks_for_a_next_version(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_a_field(monkeypatch, room=(int, ...))
    with pytest.raises(SystemExit, match=f"frozen: {EVIDENCE}.*add a next version"):
        compatibility.main()
    assert b'"room"' not in (folder / "schemas" / f"{EVIDENCE}.json").read_bytes()


@pytest.mark.usefixtures("folder")
def test_a_version_may_not_vanish(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(RECORDS, f"cairn.{EVIDENCE}")
    with pytest.raises(SystemExit, match=EVIDENCE):
        compatibility.main()


def test_a_schema_edited_by_hand_is_noticed(folder: Path) -> None:
    path = folder / "schemas" / f"{EVIDENCE}.json"
    path.write_bytes(path.read_bytes().replace(b"1000", b"2000"))
    with pytest.raises(SystemExit, match="edited by hand"):
        compatibility.main()


@pytest.mark.usefixtures("folder")
def test_the_generator_alone_touches_nothing_frozen(monkeypatch: pytest.MonkeyPatch) -> None:
    with_a_field(monkeypatch, room=(int | None, None))
    with pytest.raises(SystemExit, match=EVIDENCE):
        generate.main()


# --- AsyncAPI ----------------------------------------------------------------------------------------------------------


def test_asyncapi_is_a_document_of_version_3() -> None:
    ApplicationSchema.model_validate(asyncapi())


def test_asyncapi_says_what_the_topics_registry_says() -> None:
    document = asyncapi()
    publishers = {inbox_of("{publisher}").name, receipts_of("{publisher}").name}
    assert set(document["channels"]) == {topic.name for topic in TOPICS} | publishers
    assert all(document["channels"][name]["parameters"].keys() == {"publisher"} for name in publishers)
    for topic in TOPICS:
        assert {document["components"]["messages"][name]["name"] for name in document["channels"][topic.name]["messages"]} == {
            event.TYPE for event in topic.events
        }
        who = {name for name, operation in document["operations"].items() if operation["channel"]["$ref"].endswith(topic.name)}
        receives = {f"{consumer}.receives.{topic.name}" for consumer in topic.consumers}
        assert who == {f"{topic.producer}.sends.{topic.name}"} | receives


def test_every_reference_in_asyncapi_leads_somewhere() -> None:
    document = asyncapi()
    for reference in _references(document):
        if reference.startswith("./"):
            assert (generate.FOLDER / reference).is_file(), reference
        else:
            first, kind, *rest = reference.removeprefix("#/").split("/")
            assert "/".join((kind, *rest)) in document[first] or rest[0] in document[first][kind], reference


def _references(part: Any) -> list[str]:
    if isinstance(part, dict):
        own = [part["$ref"]] if "$ref" in part else []
        return own + [found for value in part.values() for found in _references(value)]
    return [found for value in part for found in _references(value)] if isinstance(part, list) else []


def test_every_event_is_in_a_topic_and_every_topic_keeps_everything() -> None:
    assert {event for topic in TOPICS for event in topic.events} == set(EVENTS.values())
    for topic in TOPICS:
        assert topic.configs["cleanup.policy"] == "delete"
        assert topic.configs["retention.ms"] == topic.configs["retention.bytes"] == "-1"
