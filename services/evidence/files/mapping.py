"""The map of a file: which column is which field of the event. Written by an operator, in TOML.

Owns: what a map may say, and errors that teach. A map has rules and names of columns, nothing about students, so its errors may
quote it.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from pydantic_core import ErrorDetails

from contracts.submissions import SUBMISSIONS
from services.chassis.errors import Rejected
from services.chassis.validation import fault_of
from services.evidence.files.cells import FORMS, NUMBER

MOST_SHOWN = 5
# Fields that no column gives: the importer knows them.
GIVEN = frozenset({"provenance"})

Kind = Literal["evidence.submitted", "evidence.carried"]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")


class Told(_Part):
    """Where a field comes from: a `column`, or one `value` for every row. `values` translates cells, e.g. `{ A = 4, B = 3 }`.

    `format` is how a date is written (strptime; without: ISO 8601), `scheme` whose identifiers these are (for a person).
    """

    column: Annotated[str, StringConstraints(min_length=1)] | None = None
    value: str | int | float | None = None
    values: dict[str, str | int | float] | None = None
    format: Annotated[str, StringConstraints(pattern="%")] | None = None
    scheme: Annotated[str, StringConstraints(min_length=1)] | None = None


class Map(_Part):
    """A whole map. `key` are the columns that name a record for good; `zone` and `at` complete dates that lack them."""

    publisher: str
    source: str | None = None
    event: Kind = "evidence.submitted"
    history: bool = False
    key: Annotated[list[str], Field(min_length=1, max_length=16)]
    zone: str | None = None
    at: Annotated[str, StringConstraints(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")] = "12:00"
    delimiter: Annotated[str, StringConstraints(min_length=1, max_length=1)] = ","
    encoding: Literal["utf-8", "windows-1252", "iso-8859-1"] = "utf-8"
    time: Told
    fields: dict[str, Told]

    @property
    def type(self) -> str:
        """The event's full type."""
        return f"cairn.{self.event}.v1"

    def columns(self) -> set[str]:
        """Every column that it names."""
        return {*self.key, *(each.column for each in (self.time, *self.fields.values()) if each.column is not None)}


def read_map(path: Path) -> tuple[Map, bytes]:
    """The map at `path`, and the SHA-256 of what it says. Raises `Rejected` saying everything that is wrong with it."""
    try:
        said = tomllib.loads(path.read_text(encoding="utf-8"))
        map_ = Map.model_validate(said)
    except (OSError, UnicodeDecodeError):
        raise Rejected("unreadable-map", f"a readable file in UTF-8 at {path.name}") from None
    except tomllib.TOMLDecodeError as error:
        raise Rejected("unreadable-map", f"TOML in {path.name}: {error}") from None
    except ValidationError as error:
        raise _wrong([_taught(each) for each in error.errors(include_url=False)]) from None
    if wrong := list(_contradictions(map_)):
        raise _wrong(wrong)
    return map_, hashlib.sha256(repr(sorted(said.items())).encode()).digest()


def check_columns(map_: Map, columns: Collection[str]) -> None:
    """Raises `Rejected` when the map names columns that the file does not have."""
    if missing := sorted(map_.columns() - set(columns)):
        there = ", ".join(columns)
        raise Rejected("unknown-column", f"columns of the file ({there}) in the map, which names {', '.join(missing)}")


def fields_of(type: str) -> tuple[str, ...]:
    """The fields that an event of this type may have from a file."""
    data = SUBMISSIONS[type].model_fields["data"].annotation
    assert data is not None
    names: Mapping[str, Any] = data.model_fields
    return tuple(name for name in names if name not in GIVEN)


def _wrong(reasons: list[str]) -> Rejected:
    more = [f"and {len(reasons) - MOST_SHOWN} more"] if len(reasons) > MOST_SHOWN else []
    return Rejected("invalid-map", "; ".join([*reasons[:MOST_SHOWN], *more]))


def _taught(error: ErrorDetails) -> str:
    """One of pydantic's errors in the map's own words."""
    place = [str(part) for part in error["loc"] if part not in ("str", "int", "float")]
    where = ".".join(place)
    if error["type"] == "extra_forbidden":
        known = Map.model_fields if len(place) == 1 else Told.model_fields
        return f"{where}: expected one of {', '.join(known)}"
    if error["type"] in ("model_type", "dict_type") and len(place) > 1:
        return f'{where}: expected {{ column = "…" }} or {{ value = "…" }}'
    return f"{where}: expected {fault_of(error).expected}"


def _contradictions(map_: Map) -> Iterator[str]:
    known = fields_of(map_.type)
    for name, field in map_.fields.items():
        if name not in known:
            yield f"fields.{name}: expected one of {', '.join(known)}"
            continue
        yield from _wrong_with(f"fields.{name}", field, FORMS.get(name, ""))
    yield from _wrong_with("time", map_.time, "instant")
    data = SUBMISSIONS[map_.type].model_fields["data"].annotation
    required = {name for name, field in data.model_fields.items() if field.is_required()}  # type: ignore[union-attr]
    for name in sorted(required - map_.fields.keys()):
        yield f'fields.{name}: expected {{ column = "…" }} or {{ value = "…" }}, as every {map_.event} has one'
    if "entered" in map_.fields and not (map_.history or map_.event == "evidence.carried"):
        yield "fields.entered: expected `history = true` beside it: what an old system entered is history"
    try:
        ZoneInfo(map_.zone or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        yield "zone: expected a time zone such as America/New_York"


def _wrong_with(where: str, field: Told, form: str) -> Iterator[str]:
    if (field.column is None) == (field.value is None):
        yield f"{where}: expected either column or value"
    if (field.scheme is not None) != (form == "person"):
        yield f'{where}: expected {"" if form == "person" else "no "}scheme: whose identifiers a person is named by, such as "sis"'
    if field.format is not None and form != "instant":
        yield f"{where}: expected no format, which is for dates and times"
    if field.values is not None and field.column is None:
        yield f"{where}: expected values together with a column"
    if form == NUMBER and isinstance(field.value, str):
        yield f"{where}: expected a number in value"
