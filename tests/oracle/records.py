"""What counts of a log with corrections, from the words of `contracts/events/corrections.py`: imports nothing of ours.

Every rule is spelt out as it is stated, from the whole log, in any number of passes: nothing is kept or moved along.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable
from typing import Any

Event = dict[str, Any]
# What an order looks at: time, source, sequence (-1: none), id, place. What it says: framework, competency, scale, score (or
# level), kind.
Counted = tuple[str, str, int, str, int, str, str, str, int, str]

PIECES = ("cairn.evidence.submitted.v1", "cairn.evidence.superseded.v1", "cairn.evidence.carried.v1")
RETRACTION = "cairn.evidence.retracted.v1"


def what_counts(log: Iterable[bytes]) -> dict[str, list[Counted]]:
    """What counts of each student who is somebody, sorted."""
    events = [json.loads(record) for record in log]
    stories: dict[str, list[Event]] = {}
    nobody: set[str] = set()
    for event in events:
        for who in _holders(event):
            story = stories.setdefault(who, [])
            if event["type"] == "cairn.student.merged.v1":
                if who == event["data"]["other"]:
                    nobody.add(who)
                else:
                    _wake(story)
            elif event["type"] == "cairn.student.unmerged.v1":
                if who == event["data"]["other"]:
                    nobody.discard(who)
                    _wake(story)
                else:
                    _give_back(story, set(event["data"]["returned"]))
            elif event["type"] in (*PIECES, RETRACTION) and _place(event) not in [_place(each) for each in story]:
                story.append({**event, "asleep": "originalposition" in event})
    revoked = _revoked(events)
    return {who: _counted([e for e in story if not e["asleep"]], revoked) for who, story in stories.items() if who not in nobody}


def _holders(event: Event) -> list[str]:
    return [event["subject"], *event.get("sharedwith", "").split()] if "subject" in event else []


def _place(event: Event) -> int:
    return int(event["originalposition"] if "originalposition" in event else event["position"])


def _wake(story: list[Event]) -> None:
    for event in story:
        event["asleep"] = False


def _revoked(events: list[Event]) -> dict[str, str | None]:
    """Who is revoked at the end of the log, and since when ("": ever)."""
    last = {e["data"]["assessor"]: e for e in events if e["type"].startswith("cairn.assessor.")}
    return {who: e["data"].get("since", "") for who, e in last.items() if e["type"] == "cairn.assessor.revoked.v1"}


def _linked(story: list[Event]) -> list[list[Event]]:
    """Records: all that can be reached from a piece by a link, in either direction, in order of place."""
    pieces = sorted((e for e in story if e["type"] in PIECES), key=_place)
    known: list[Event] = []
    for piece in pieces:  # one that supersedes what is not there changes nothing
        target: Any = piece["data"].get("target")
        if target is None or int(target) in [_place(each) for each in known]:
            known.append(piece)
    records: list[list[Event]] = []
    left = list(known)
    while left:
        record, size = [left[0]], 0
        while len(record) > size:
            size = len(record)
            record += [e for e in left if e not in record and any(_link(e, other) or _link(other, e) for other in record)]
        left = [e for e in left if e not in record]
        records.append(sorted(record, key=_place))
    return records


def _link(one: Event, other: Event) -> bool:
    if "target" in one["data"] and int(one["data"]["target"]) == _place(other):
        return True
    return "sourcekey" in one and one["source"] == other["source"] and one["sourcekey"] == other.get("sourcekey")


def _in_force(retraction: Event, story: list[Event]) -> bool:
    return not any(
        e["type"] == RETRACTION
        and e["data"].get("scope", "event") == "event"
        and int(e["data"]["target"]) == _place(retraction)
        and _in_force(e, story)
        for e in story
    )


def _is_dead(piece: Event, record: list[Event], story: list[Event], revoked: dict[str, str | None]) -> bool:
    since = revoked.get(piece["data"].get("assessor"))
    if since is not None and (not since or dt.datetime.fromisoformat(piece["time"]) >= dt.datetime.fromisoformat(since)):
        return True
    for e in story:
        if e["type"] != RETRACTION or not _in_force(e, story):
            continue
        target = int(e["data"]["target"])
        if e["data"].get("scope", "event") == "event":
            if target == _place(piece):
                return True
        elif target in [_place(each) for each in record]:
            both = "sourcesequence" in piece and "sourcesequence" in e
            if piece["sourcesequence"] < e["sourcesequence"] if both else _place(piece) < _place(e):
                return True
    return False


def _counted(story: list[Event], revoked: dict[str, str | None]) -> list[Counted]:
    found = []
    for record in _linked(story):
        live = [piece for piece in record if not _is_dead(piece, record, story, revoked)]
        counts = None
        for number, piece in enumerate(live):
            before = [each["sourcesequence"] for each in live[:number] if "sourcesequence" in each]
            if "sourcesequence" not in piece or all(piece["sourcesequence"] >= each for each in before):
                counts = piece
        if counts is not None:
            found.append(_as_counted(counts, live[0]))
    return sorted(found)


def _as_counted(piece: Event, first: Event) -> Counted:
    data = piece["data"]
    tie = (first["source"], first.get("sourcesequence", -1), first["id"])
    value, kind = (data["level"], "carried") if "level" in data else (data["score_thousandths"], data.get("kind", "assessment"))
    return (piece["time"], *tie, _place(first), data["framework"], data["competency"], data["scale"], value, kind)


def _give_back(story: list[Event], returned: set[str]) -> None:
    """Take out the records whose first piece belongs to one who returns, with all that names them."""
    awake = [e for e in story if not e["asleep"]]
    gone: set[int] = set()
    for record in _linked(awake):
        if record[0].get("resolvedfrom", record[0]["subject"]) in returned:
            gone |= {_place(piece) for piece in record}
    size = -1
    while len(gone) > size:
        size = len(gone)
        gone |= {_place(e) for e in awake if e["type"] == RETRACTION and int(e["data"]["target"]) in gone}
    story[:] = [e for e in story if _place(e) not in gone]
