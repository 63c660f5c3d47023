"""The operations page: how far the log, its relays and its projections are, what is parked, the publishers' counters."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict

from contracts.topics import EVIDENCE_LOG, TOPICS, Topic
from services.chassis.projection import parking
from services.chassis.projection.cursor import Cursor
from services.reporting.domain import INPUTS, VIEW
from services.reporting.figures import AsKnown
from services.reporting.pages.answers import read_answer
from services.reporting.pages.desk import Snapshot
from services.reporting.peers import Peers
from services.reporting.progress import LogHead, Operations, PartitionProgress, Progress, PublisherCounters, behind

SERVICES = ("mastery", "scheduling")


class _Said(BaseModel):
    """What another service says: read for what this page shows, the rest ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class PartitionAnswer(_Said):
    """A partition of a projection: the last position applied and the next sequence of each input, the last common tick."""

    partition: int
    positions: tuple[int, ...]
    next: tuple[int, ...]
    tick: dt.datetime | None


class StandingAnswer(_Said):
    """How far a view has come. `inputs` names the topics in the order of the partitions' lists; `parked` counts students."""

    view: str
    inputs: tuple[str, ...]
    partitions: tuple[PartitionAnswer, ...]
    parked: int
    as_known: AsKnown


async def standing(snapshot: Snapshot) -> StandingAnswer:
    """This view's own standing."""
    parked = await parking.every(snapshot.connection)
    return StandingAnswer(
        view=VIEW,
        inputs=tuple(topic.name for topic in INPUTS),
        partitions=tuple(_partition(cursor) for cursor in snapshot.cursors),
        parked=len(parked),
        as_known=snapshot.as_known,
    )


def _partition(cursor: Cursor) -> PartitionAnswer:
    return PartitionAnswer(partition=cursor.partition, positions=cursor.positions, next=cursor.next, tick=cursor.common_tick)


async def read(peers: Peers, own: StandingAnswer) -> Operations:
    """Everybody asked at once; who does not answer is shown as such."""
    end, publishers, *views = await asyncio.gather(
        peers.log(), peers.publishers(), *(peers.standing(service) for service in SERVICES)
    )
    head = _head(end)
    said = {service: read_answer(StandingAnswer, answer) for service, answer in zip(SERVICES, views, strict=True)}
    said[own.view] = own
    return Operations(
        as_known=own.as_known,
        log=head,
        relays=tuple(_relay(topic, said.values(), head) for topic in TOPICS if topic.consumers),
        projections=tuple(_progress(service, answer, head) for service, answer in said.items()),
        publishers=_publishers(publishers),
    )


def _progress(service: str, answer: StandingAnswer | None, head: LogHead | None) -> Progress:
    if answer is None:
        return Progress(service, answers=False)
    heads = head.next if head else None
    return Progress(
        name=service,
        answers=True,
        generation=answer.as_known.generation,
        position=answer.as_known.position,
        time=answer.as_known.time,
        parked=answer.parked,
        partitions=tuple(
            PartitionProgress(it.partition, it.positions[0], it.next[0], behind(heads, it.partition, it.next[0]), it.tick)
            for it in answer.partitions
        ),
    )


def _relay(topic: Topic, views: Iterable[StandingAnswer | None], head: LogHead | None) -> Progress:
    """A relay keeps no place of its own. What any reader of its topic has had, it has certainly sent."""
    sent: dict[int, int] = {}
    for view in views:
        for partition in view.partitions if view and topic.name in view.inputs else ():
            seen = partition.next[view.inputs.index(topic.name)] if view else 0
            sent[partition.partition] = max(seen, sent.get(partition.partition, 0))
    heads = head.next if head and topic is EVIDENCE_LOG else None
    return Progress(
        name=topic.name,
        answers=bool(sent),
        partitions=tuple(PartitionProgress(it, None, next, behind(heads, it, next), None) for it, next in sorted(sent.items())),
    )


class _HeadAnswer(_Said):
    """What evidence says of the log."""

    position: int
    recordedtime: dt.datetime
    next: tuple[int, ...]


class _CountersAnswer(_Said):
    """What evidence says of a publisher."""

    publisher: str
    received: int
    accepted: int
    duplicate: int
    rejected: int
    held: int


def _head(answer: Mapping[str, Any] | None) -> LogHead | None:
    said = read_answer(_HeadAnswer, answer)
    return LogHead(said.position, said.recordedtime, said.next) if said else None


def _publishers(answer: Mapping[str, Any] | None) -> tuple[PublisherCounters, ...] | None:
    listed = answer.get("publishers") if answer else None
    if not isinstance(listed, list):
        return None
    said = [each for item in listed if (each := read_answer(_CountersAnswer, item)) is not None]
    return tuple(PublisherCounters(it.publisher, it.received, it.accepted, it.duplicate, it.rejected, it.held) for it in said)
