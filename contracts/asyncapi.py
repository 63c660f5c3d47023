"""The AsyncAPI 3.0 document of the platform: `topics.py` and the schemas, for tools that read neither Python nor us."""

from __future__ import annotations

import inspect
from dataclasses import replace
from itertools import chain
from typing import Any

from contracts.envelope import Data
from contracts.topics import TOPICS, Topic, inbox_of, receipts_of

_SCHEMA_FORMAT = "application/schema+json;version=draft-2020-12"
_RECORD_HEADERS = {
    "type": "object",
    "properties": {
        "position": {"type": "string", "description": "place in the log"},
        "sequence": {"type": "string", "description": "place in the partition: dense, from 0"},
        "traceparent": {"type": "string", "description": "W3C trace context, when there is one"},
    },
    "required": ["position", "sequence"],
}


def asyncapi() -> dict[str, Any]:
    """The whole document. Payloads are references into `schemas/`, beside which it is written."""
    events = {event.TYPE: event for topic in TOPICS for event in topic.events}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Cairn",
            "version": "1",
            "description": "The events that flow between the services of Cairn. Written by `make contracts`.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/cloudevents+json",
        "channels": {topic.name: _channel(topic) for topic in TOPICS} | _publishers_channels(),
        "operations": dict(chain.from_iterable(_operations(topic) for topic in (*TOPICS, *_PUBLISHERS))),
        "components": {"messages": {_name(event): _message(event) for event in events.values()}},
    }


def _name(event: type[Data]) -> str:
    return event.TYPE.removeprefix("cairn.")


def _channel(topic: Topic) -> dict[str, Any]:
    return {
        "address": topic.name,
        "description": f"Partitioned by {topic.key}; an event that several students hold is placed in the partition of each, "
        "reference events in every one. Nothing is ever deleted.",
        "messages": {_name(event): {"$ref": f"#/components/messages/{_name(event)}"} for event in topic.events},
        "bindings": {"kafka": {"topic": topic.name, "bindingVersion": "0.5.0"}},
    }


# A publisher's own topics, by the name of its parameter.
_PUBLISHER = "publisher"
_PUBLISHERS = (
    replace(inbox_of(f"{{{_PUBLISHER}}}"), producer=_PUBLISHER),
    replace(receipts_of(f"{{{_PUBLISHER}}}"), consumers=(_PUBLISHER,)),
)


def _publishers_channels() -> dict[str, Any]:
    """What is in them is said in words: an inbox holds what the evidence service's OpenAPI describes, receipts its results."""
    told = (
        "A publisher's submissions. A record's value is what a request's body is over HTTP: one event, an array, or (with a header "
        "content-type of application/x-ndjson) one a line; packed in gzip if a header content-encoding says so. Keys are not read. "
        "Only the publisher may write here: that is how it is known.",
        "What became of them: a record each, `topic`, `partition` and `offset` of the submission and the results of its items as "
        "HTTP gives them. The key is that place. A receipt may come more than once, under the same key and with the same bytes.",
    )
    return {topic.name: _publishers_channel(topic, description) for topic, description in zip(_PUBLISHERS, told, strict=True)}


def _publishers_channel(topic: Topic, description: str) -> dict[str, Any]:
    return {
        "address": topic.name,
        "description": description,
        "parameters": {_PUBLISHER: {"description": "the publisher's name"}},
        "messages": {},
        "bindings": {"kafka": {"topic": topic.name, "bindingVersion": "0.5.0"}},
    }


def _operations(topic: Topic) -> list[tuple[str, dict[str, Any]]]:
    channel = {"$ref": f"#/channels/{topic.name}"}
    sends = (f"{topic.producer}.sends.{topic.name}", {"action": "send", "channel": channel})
    receives = [(f"{name}.receives.{topic.name}", {"action": "receive", "channel": channel}) for name in topic.consumers]
    return [sends, *receives]


def _message(event: type[Data]) -> dict[str, Any]:
    summary, _, detail = inspect.cleandoc(event.__doc__ or "").partition("\n\n")
    message = {
        "name": event.TYPE,
        "title": event.__name__,
        "summary": " ".join(summary.split()),
        "contentType": "application/cloudevents+json",
        "headers": _RECORD_HEADERS,
        "payload": {"schemaFormat": _SCHEMA_FORMAT, "schema": {"$ref": f"./schemas/{_name(event)}.json"}},
        "bindings": {"kafka": {"key": {"type": "null" if event.REFERENCE else "string"}, "bindingVersion": "0.5.0"}},
    }
    return message | ({"description": " ".join(detail.split())} if detail else {})
