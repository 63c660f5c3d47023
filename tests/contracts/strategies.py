"""Hypothesis strategies for any event's data, built from the models themselves, so a new field is generated unasked."""

from __future__ import annotations

import datetime as dt
import types
from functools import cache
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from hypothesis import strategies as st
from pydantic import AwareDatetime, BaseModel, StringConstraints
from pydantic.fields import FieldInfo

from contracts.envelope import Data

_SIMPLE: dict[Any, st.SearchStrategy[Any]] = {
    bool: st.booleans(),
    dt.date: st.dates(),
    AwareDatetime: st.datetimes(min_value=dt.datetime(2, 1, 1), max_value=dt.datetime(9998, 12, 31), timezones=st.just(dt.UTC)),
}


def any_data(model: type[Data]) -> st.SearchStrategy[Data]:
    """Any data of this event, optional fields sometimes left out."""
    return _model(model)


def _model(model: type[Any]) -> st.SearchStrategy[Any]:
    required = {_key(name, field): _field(field) for name, field in model.model_fields.items() if field.is_required()}
    optional = {_key(name, field): _field(field) for name, field in model.model_fields.items() if not field.is_required()}
    return st.fixed_dictionaries(required, optional=optional).map(lambda fields: model(**fields))


def _key(name: str, field: FieldInfo) -> str:
    return field.alias or name


def _field(field: FieldInfo) -> st.SearchStrategy[Any]:
    return _value(field.annotation, tuple(field.metadata))


def _value(annotation: Any, metadata: tuple[Any, ...] = ()) -> st.SearchStrategy[Any]:
    if annotation in _SIMPLE:
        return _SIMPLE[annotation]
    if get_origin(annotation) is Annotated:
        inner, *more = get_args(annotation)
        return _value(inner, (*metadata, *more))
    if get_origin(annotation) in (Union, types.UnionType):
        return st.one_of(*(st.none() if part is type(None) else _value(part, metadata) for part in get_args(annotation)))
    if get_origin(annotation) is Literal:
        return st.sampled_from(get_args(annotation))
    if get_origin(annotation) is tuple:
        least = _bound(metadata, "min_length", 0)
        most = min(_bound(metadata, "max_length", 3), least + 3)  # more of the same finds nothing more
        return st.lists(_value(get_args(annotation)[0]), min_size=least, max_size=most).map(tuple)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return _model(annotation)
    return _scalar(annotation, metadata)


def _scalar(annotation: Any, metadata: tuple[Any, ...]) -> st.SearchStrategy[Any]:
    if annotation is int:
        return st.integers(_bound(metadata, "ge", -(2**53)), _bound(metadata, "le", 2**53))
    return _text(next(part for part in metadata if isinstance(part, StringConstraints)))


@cache
def _text(constraints: StringConstraints) -> st.SearchStrategy[str]:
    """Text that fits the pattern; `$` allows a newline in Python, which the models do not."""
    pattern = str(constraints.pattern).removesuffix("$") + r"\Z"
    longest = constraints.max_length or 10_000
    return st.from_regex(pattern).filter(lambda text: len(text) <= longest and text.isprintable())


def _bound(metadata: tuple[Any, ...], name: str, otherwise: int) -> int:
    """The bound called `name` (`ge`, `max_length`, …) among a field's metadata."""
    flat = [*metadata, *(part for item in metadata if isinstance(item, FieldInfo) for part in item.metadata)]
    return next((value for part in flat if (value := getattr(part, name, None)) is not None), otherwise)
