"""What pydantic found wrong, as a JSON pointer and what was expected. Never the value that was found: it may be a student's.

pydantic's own messages are not used, because some of them quote the input.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from pydantic import ValidationError
from pydantic_core import ErrorDetails

# By pydantic's error type; the names in braces are from the error's context, which holds the rule and never the input.
_EXPECTED = {
    "missing": "this field to be there",
    "extra_forbidden": "no fields but the contract's",
    "string_type": "a string",
    "string_too_short": "at least {min_length} characters",
    "string_too_long": "at most {max_length} characters",
    "string_pattern_mismatch": "a string that matches {pattern}",
    "string_unicode": "Unicode text without lone surrogates",
    "int_type": "an integer",
    "int_parsing": "an integer",
    "int_from_float": "an integer",
    "int_parsing_size": "an integer of a sensible size",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "greater_than": "more than {gt}",
    "greater_than_equal": "at least {ge}",
    "less_than": "less than {lt}",
    "less_than_equal": "at most {le}",
    "literal_error": "{expected}",
    "enum": "{expected}",
    "none_required": "null or nothing",
    "timezone_aware": "an RFC 3339 time with its zone",
    "datetime_type": "an RFC 3339 time with its zone",
    "datetime_parsing": "an RFC 3339 time with its zone",
    "datetime_from_date_parsing": "an RFC 3339 time with its zone",
    "datetime_object_invalid": "an RFC 3339 time with its zone",
    "date_type": "a date, YYYY-MM-DD",
    "date_parsing": "a date, YYYY-MM-DD",
    "date_from_datetime_parsing": "a date, YYYY-MM-DD",
    "date_from_datetime_inexact": "a date, YYYY-MM-DD",
    "list_type": "an array",
    "tuple_type": "an array",
    "too_short": "at least {min_length} items",
    "too_long": "at most {max_length} items",
    "dict_type": "an object",
    "model_type": "an object",
    "model_attributes_type": "an object",
    "json_invalid": "valid JSON",
    "value_error": "{error}",  # raised by validators of ours, whose words are rules
}
_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}")


class Fault(NamedTuple):
    """Where (a JSON pointer, "" for the whole) and what would have been accepted."""

    pointer: str
    expected: str


def fault(error: ValidationError, prefix: str = "") -> Fault:
    """The first thing wrong. `prefix` is the pointer of the validated value in the whole body."""
    return fault_of(error.errors(include_url=False, include_input=False)[0], prefix)


def fault_of(details: ErrorDetails, prefix: str = "") -> Fault:
    """One pydantic error as a `Fault`."""
    template = _EXPECTED.get(details["type"], "a value of another kind")
    expected = template.format_map(details.get("ctx", {}))
    # The name of a field that nobody knows is the sender's own words: the object that holds it is told instead.
    location = details["loc"][:-1] if details["type"] == "extra_forbidden" else details["loc"]
    return Fault(prefix + pointer(location), expected)


def pointer(location: Iterable[str | int]) -> str:
    """A JSON pointer (RFC 6901). It ends before a name that is no plain identifier: such a name is content, not structure."""
    parts = ""
    for part in location:
        if isinstance(part, str) and not _PLAIN_NAME.fullmatch(part):
            break
        parts += f"/{part}"
    return parts
