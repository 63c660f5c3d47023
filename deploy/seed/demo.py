"""What `make run` shows: both seeds on the pages, and one student's levels with what they rest on, in twenty lines at most."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from typing import Any

import httpx

from deploy.seed.district import District, one_school
from deploy.seed.names import name_of
from deploy.seed.seeding import progress_bar, seed_district, seed_star
from services.chassis.errors import Unavailable
from services.chassis.settings import ServiceSettings

# One of the students of the high school: any would do.
_SHOWN = 7
_MOST_LEVELS = 8
_POLL_SECONDS = 0.25
# Views catch up in seconds. After this long one of them stands still, and waiting on would hide it.
_CATCH_UP_SECONDS = 300.0
_COMES_BACK_SECONDS = 20.0


def demo(connections: int) -> Iterator[str]:
    """Seed both, wait until every view has them, and say where to look."""
    settings, school = ServiceSettings(), one_school()
    for seeded in (seed_star(connections), seed_district(school.school_ids[0], school, connections)):
        yield seeded.as_text()
    with httpx.Client(timeout=30.0) as client:
        wait_for_views(client, settings)
        student = _student(client, settings, school)
        pages = settings.required("reporting_url")
        yield ""
        yield f"Pages        {pages}/"
        yield f"One student  {pages}/students/{student}"
        yield from _levels(client, settings, student)
    yield ""
    yield "Next"
    yield f"  cairn scheduling plan {school.school_ids[0]} --week {_next_week(school)}"
    yield "  cairn load --rate 200 --seconds 10"


def wait_for_views(client: httpx.Client, settings: ServiceSettings) -> None:
    """Until every view is past a tick that is asked for now. Raises `Unavailable` naming the one that stands still."""
    target = int(_ask(client, "POST", f"{settings.required('evidence_url')}/v1/ticks")["position"])
    passed = _wait_for(client, settings.required("mastery_url"), "mastery", target, None)
    for name in ("scheduling", "reporting"):
        # These fold what mastery says as well, so their last common tick has to reach mastery's.
        _wait_for(client, settings.required(f"{name}_url"), name, target, passed)


def _wait_for(client: httpx.Client, url: str, name: str, target: int, passed: datetime | None) -> datetime | None:
    """Until the view at `url` has applied position `target` and the tick `passed`; the last tick that it has applied."""
    deadline, known = time.monotonic() + _CATCH_UP_SECONDS, -1
    with progress_bar(f"{name} catches up", target) as advance:
        while time.monotonic() < deadline:
            as_known = _ask(client, "GET", f"{url}/v1/standing")["as_known"]
            tick = datetime.fromisoformat(as_known["time"]) if as_known["time"] else None
            if as_known["position"] >= target and (passed is None or (tick is not None and tick >= passed)):
                return tick
            advance(as_known["position"] - max(known, 0))
            known = as_known["position"]
            time.sleep(_POLL_SECONDS)
    raise Unavailable(f"{name} stands at position {known}, and the log is past {target}; see `cairn status` and `cairn logs`")


def _student(client: httpx.Client, settings: ServiceSettings, school: District) -> str:
    """The pseudonym of the student who is shown. The vault finds her by her made-up name, as it would for a page."""
    id_ = school.school_ids[0]
    name = name_of(school.seed, f"{id_}-{_SHOWN:04d}")
    asked = {"text": f"{name.given} {name.family}"}
    found = _ask(client, "POST", f"{settings.required('evidence_url')}/v1/vault/search", json=asked)
    for person in found["people"]:
        student = _ask(client, "GET", f"{settings.required('mastery_url')}/v1/students/{person['pseudonym']}")
        if student["school"] == id_:
            return str(person["pseudonym"])
    raise Unavailable(f"mastery knows no student number {_SHOWN} of {id_}; see `cairn status`")


def _levels(client: httpx.Client, settings: ServiceSettings, student: str) -> Iterator[str]:
    """The levels that rest on most, each with its pieces, oldest first, and how it was read from them."""
    url = f"{settings.required('mastery_url')}/v1/students/{student}"
    levels = [level for level in _ask(client, "GET", url)["levels"] if level["level"] is not None]
    levels.sort(key=lambda level: (-level["pieces"], level["competency"]))
    for level in levels[:_MOST_LEVELS]:
        yield _line(level, _ask(client, "GET", f"{url}/competencies/{level['framework']}/{level['competency']}"))


def _line(level: dict[str, Any], explained: dict[str, Any]) -> str:
    worths = " ".join(f"{piece['worth']:g}" for piece in explained["evidence"] if piece["counted"])
    left_out = sum(not piece["counted"] for piece in explained["evidence"])
    besides = f", {left_out} not counted" if left_out else ""
    policy = explained["policy"]
    method = policy["method"] + (f" {policy['weight']} %" if policy["weight"] else "")
    head = f"  {level['competency']:5} {level['label']:28} {level['level']} {level['level_label']:12}"
    return f"{head} {level['value']:g}, {method} of {worths}{besides}"


def _ask(client: httpx.Client, method: str, url: str, **options: Any) -> dict[str, Any]:
    """The answer to a question. A service that is being started again is asked again, as the stack brings it back."""
    deadline = time.monotonic() + _COMES_BACK_SECONDS
    while True:
        try:
            answer: dict[str, Any] = client.request(method, url, **options).raise_for_status().json()
            return answer
        except (httpx.TransportError, httpx.HTTPStatusError) as error:
            if time.monotonic() > deadline:
                raise Unavailable(f"{url} does not answer as it should ({type(error).__name__}); see `cairn status`") from None
        time.sleep(_POLL_SECONDS)


def _next_week(school: District) -> str:
    """The ISO week after the evidence ends: the one to plan."""
    year, week, _ = next(islice(school.year.school_days(), school.days, None)).isocalendar()
    return f"{year}-W{week:02d}"
