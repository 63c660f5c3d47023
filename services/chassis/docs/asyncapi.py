"""The platform's AsyncAPI document as rows for a page: which events flow where. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from contracts.asyncapi import asyncapi
from contracts.schema import writers_schemas
from services.chassis.docs.openapi import Schema, schema


@dataclass(frozen=True, slots=True)
class Channel:
    """A topic: who sends, who receives, which messages."""

    name: str
    description: str
    senders: tuple[str, ...]
    receivers: tuple[str, ...]
    messages: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Message:
    """An event: what it means, its record's fields, and the schemas that these name."""

    name: str
    summary: str
    description: str
    record: Schema
    parts: tuple[Schema, ...]


@cache
def document() -> dict[str, Any]:
    """The document, with each event's schema in it rather than beside it."""
    written = asyncapi()
    for name, message in written["components"]["messages"].items():
        message["payload"]["schema"] = writers_schemas()[name]
    return written


def channels(document: dict[str, Any]) -> list[Channel]:
    """Every topic, in the order of the document."""
    operations = document["operations"].items()

    def who(channel: str, action: str) -> tuple[str, ...]:
        wanted = {"action": action, "channel": {"$ref": f"#/channels/{channel}"}}
        return tuple(name.partition(".")[0] for name, operation in operations if wanted.items() <= operation.items())

    return [
        Channel(name, it["description"], who(name, "send"), who(name, "receive"), tuple(it["messages"]))
        for name, it in document["channels"].items()
    ]


def messages(document: dict[str, Any]) -> list[Message]:
    """Every event, by name."""
    return [_message(name, it) for name, it in sorted(document["components"]["messages"].items())]


def _message(name: str, said: dict[str, Any]) -> Message:
    record = said["payload"]["schema"]
    parts = tuple(schema(part, it) for part, it in sorted(record.get("$defs", {}).items()) if "properties" in it)
    return Message(name, said["summary"], said.get("description", ""), schema(name, record), parts)
