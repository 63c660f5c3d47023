"""A service's OpenAPI document as rows for a page. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

METHODS = ("get", "put", "post", "delete", "patch")


@dataclass(frozen=True, slots=True)
class Field:
    """A parameter, or a property of a schema. `type` is in words, `link` the schema that it refers to, if it does."""

    name: str
    type: str
    required: bool
    description: str
    place: str = ""


@dataclass(frozen=True, slots=True)
class Operation:
    """What can be asked: `bodies` are media types with what they hold, `answers` statuses with what they mean and hold."""

    method: str
    path: str
    summary: str
    parameters: tuple[Field, ...]
    bodies: tuple[tuple[str, str], ...]
    answers: tuple[tuple[str, str, str], ...]

    @property
    def anchor(self) -> str:
        """A name for links to it."""
        return f"{self.method}-{self.path.strip('/')}".replace("/", "-").replace("{", "").replace("}", "").replace(":", "-")


@dataclass(frozen=True, slots=True)
class Schema:
    """An object by name: what it is, and its properties."""

    name: str
    description: str
    fields: tuple[Field, ...]


def operations(document: dict[str, Any]) -> list[Operation]:
    """Every operation, in the order of the document."""
    return [
        _operation(method, path, item[method]) for path, item in document["paths"].items() for method in METHODS if method in item
    ]


def _operation(method: str, path: str, said: dict[str, Any]) -> Operation:
    parameters = tuple(
        Field(it["name"], type_of(it["schema"]), it.get("required", False), it.get("description", ""), it["in"])
        for it in said.get("parameters", ())
    )
    bodies = tuple(
        (media, type_of(content.get("schema", {}))) for media, content in said.get("requestBody", {}).get("content", {}).items()
    )
    answers = tuple((status, it.get("description", ""), _held(it)) for status, it in said.get("responses", {}).items())
    return Operation(method, path, said.get("description", said.get("summary", "")), parameters, bodies, answers)


def _held(answer: dict[str, Any]) -> str:
    kinds = {type_of(content.get("schema", {})) for content in answer.get("content", {}).values()}
    return ", ".join(sorted(kinds - {"anything"}))


def schemas(document: dict[str, Any]) -> list[Schema]:
    """Every named schema, by name."""
    found = document.get("components", {}).get("schemas", {})
    return [schema(name, found[name]) for name in sorted(found)]


def schema(name: str, said: dict[str, Any]) -> Schema:
    """A JSON Schema of an object (of anything else: its name and description) as rows."""
    required = said.get("required", ())
    fields = tuple(
        Field(each, type_of(it), each in required, it.get("description", "")) for each, it in said.get("properties", {}).items()
    )
    return Schema(name, said.get("description", ""), fields)


def type_of(said: dict[str, Any]) -> str:
    """A JSON Schema in a few words: its type, the schema that it names, its bounds."""
    if "$ref" in said:
        return str(said["$ref"]).rsplit("/", 1)[-1].removesuffix(".json")
    if "const" in said:
        return f'"{said["const"]}"'
    if "enum" in said:
        return " or ".join(f'"{each}"' for each in said["enum"])
    for word in ("oneOf", "anyOf"):
        if word in said:
            return " or ".join(dict.fromkeys(type_of(each) for each in said[word]))
    kind = said.get("type", "anything")
    if kind == "array":
        kind = f"array of {type_of(said.get('items', {}))}"
    return f"{said.get('format', kind)}{''.join(f', {bound}' for bound in _bounds(said))}"


_BOUNDS = {
    "minimum": "at least {}",
    "maximum": "at most {}",
    "exclusiveMinimum": "more than {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minItems": "at least {} items",
    "maxItems": "at most {} items",
    "multipleOf": "a multiple of {}",
    "pattern": "matching {}",
}


def _bounds(said: dict[str, Any]) -> Iterator[str]:
    for name, words in _BOUNDS.items():
        if name in said:
            yield words.format(said[name])
