"""HTML of a page model, or JSON for who asks for that. No script, nothing from elsewhere, nothing kept in a cache."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from fastapi import Request, Response
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from pydantic import TypeAdapter

from services.reporting.figures import AXES, AsKnown, LevelShare, shares
from services.reporting.peers import Names

FOLDER = Path(__file__).parent.parent
STATIC = FOLDER / "static"
# Width of a bar in its own units: fine enough that one student of a thousand still shows.
BAR_UNITS = 1000
# Colours of levels in the style sheet. A ladder with more rungs shares the last one; the label always says which it is.
COLOURS = 6


def wants_json(request: Request) -> bool:
    """Whether the reader asked for JSON and not for a page."""
    accepted = request.headers.get("accept", "")
    return "application/json" in accepted and "text/html" not in accepted


def page(
    template: str,
    model: Any,
    *,
    request: Request,
    as_known: AsKnown,
    zone: ZoneInfo,
    names: Names | None,
    status: int = 200,
    **context: object,
) -> Response:
    """The page of a model, or its JSON. `names` None: the vault is away, and the page says so."""
    if wants_json(request):
        return Response(TypeAdapter(type(model)).dump_json(model, by_alias=True), status, media_type="application/json")
    known = names or {}
    frame = {
        "as_known": as_known,
        "zone": zone,
        "path": request.url.path,
        "vault_away": names is None,
        "called": lambda pseudonym: known[pseudonym].full if pseudonym in known else pseudonym,
        "listed": lambda pseudonym: known[pseudonym].listed if pseudonym in known else pseudonym,
    }
    text = _ENVIRONMENT.get_template(template).render(**frame, it=model, **context)
    return HTMLResponse(text, status)


def bare(template: str, status: int, **context: object) -> Response:
    """A page that stands for no position: an error."""
    return HTMLResponse(_ENVIRONMENT.get_template(template).render(as_known=None, vault_away=False, path="", **context), status)


def slug(code: str) -> str:
    """A code as one part of an address. A code may hold a slash and never a tilde."""
    return code.replace("/", "~")


def code_of(slug: str) -> str:
    """The code in an address."""
    return slug.replace("~", "/")


def _number(value: int) -> str:
    return f"{value:,}"


def _day(value: dt.date | dt.datetime | None, zone: ZoneInfo | None = None) -> str:
    if value is None:
        return "–"
    date = value.astimezone(zone) if isinstance(value, dt.datetime) else value
    return f"{date.day} {date:%b %Y}"


def _weekday(value: dt.date) -> str:
    return f"{value:%A} {value.day} {value:%B}"


def _moment(value: dt.datetime | None, zone: ZoneInfo) -> str:
    if value is None:
        return "before the first tick"
    local = value.astimezone(zone)
    return f"{local.day} {local:%b %Y, %H:%M:%S %Z}"


def _words(code: str) -> str:
    """A code as words: `level-2-of-4` is `level 2 of 4`."""
    return code.replace("-", " ").replace("_", " ")


def _points(value: float | None) -> str:
    """Points as they are, to ten digits: nothing is rounded here."""
    return "–" if value is None else f"{value:.10g}"


def _segments(levels: Iterable[LevelShare]) -> list[tuple[LevelShare, int, int]]:
    """The parts of a bar: each level with its start and width in bar units, leaving out what is empty."""
    rows = [row for row in levels if row.count]
    widths = shares([row.count for row in rows], BAR_UNITS)
    starts = [sum(widths[:index]) for index in range(len(widths))]
    return list(zip(rows, starts, widths, strict=True))


def _colour(rank: int) -> int:
    return min(rank, COLOURS)


def _tint(percent: int) -> int:
    """The tint of a cell in tenths, rounded up so that anybody at all is seen."""
    return -(-percent // 10)


def _version(name: str) -> str:
    """A static file's address: it changes with the content, so that it may be cached for good."""
    digest = hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]
    return f"/static/{name}?v={digest}"


_ENVIRONMENT = Environment(
    loader=FileSystemLoader(FOLDER / "templates"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
)
_ENVIRONMENT.filters |= {
    "number": _number,
    "day": _day,
    "weekday": _weekday,
    "moment": _moment,
    "words": _words,
    "points": _points,
    "segments": _segments,
    "colour": _colour,
    "tint": _tint,
    "slug": slug,
}
_ENVIRONMENT.globals |= {"axes": AXES, "static": _version, "bar_units": BAR_UNITS}
