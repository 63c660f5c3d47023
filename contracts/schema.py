"""The JSON Schema of each event type's whole record, derived from the models.

What is derived is the writer's schema: closed, and without nulls, because the writer leaves out what is None. Readers
ignore what they do not know: `opened` gives their schema.
"""

from __future__ import annotations

from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue

from contracts.codec import RECORDS
from contracts.envelope import dataschema_of

Schema = dict[str, Any]


class _WritersSchema(GenerateJsonSchema):
    """pydantic's schemas without what is no contract: titles, and the nulls and null defaults that are never written."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def nullable_schema(self, schema: Any) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: Any) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"]) if schema.get("default", ...) is None else super().default_schema(schema)


def writers_schemas() -> dict[str, Schema]:
    """The closed schema of every type and version, by its short name, e.g. `evidence.submitted.v1`."""
    return {type_.removeprefix("cairn."): writers_schema(type_) for type_ in RECORDS}


def writers_schema(type_: str) -> Schema:
    """What a record of this type may look like when it is written."""
    schema = _without_words(RECORDS[type_].model_json_schema(schema_generator=_WritersSchema))
    schema["properties"] = {name: part for name, part in schema["properties"].items() if part != {"type": "null"}}
    schema["required"] = ["specversion", *schema["required"]]
    return {"$schema": GenerateJsonSchema.schema_dialect, "$id": dataschema_of(type_), **schema}


def opened(schema: Any) -> Any:
    """The same schema as a reader takes it: objects may hold more than they name."""
    if isinstance(schema, dict):
        return {key: opened(part) for key, part in schema.items() if (key, part) != ("additionalProperties", False)}
    return [opened(part) for part in schema] if isinstance(schema, list) else schema


def _without_words(schema: Any) -> Any:
    """Docstrings and class names may be mended without touching a contract, so they are no part of it."""
    if isinstance(schema, dict):
        words = ("title", "description")
        return {key: _without_words(part) for key, part in schema.items() if not (key in words and isinstance(part, str))}
    return [_without_words(part) for part in schema] if isinstance(schema, list) else schema
