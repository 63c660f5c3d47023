"""What every projection's API says in the same words: what an answer stands for, and how far the view has come."""

from __future__ import annotations

import datetime as dt

from pydantic import BaseModel, ConfigDict

from services.chassis.projection.serving import Standing


class Answer(BaseModel):
    """A part of an answer. What a newer version of another service says besides is passed over by whoever reads it."""

    model_config = ConfigDict(frozen=True, populate_by_name=True)


class AsKnown(Answer):
    """What an answer stands for: everything up to a position of the log, the tick before it, and which generation says so."""

    position: int
    time: dt.datetime | None
    generation: int


class PartitionAnswer(Answer):
    """How far a partition has come: the last position applied and the next sequence of each input, and the last common tick."""

    partition: int
    positions: tuple[int, ...]
    next: tuple[int, ...]
    tick: dt.datetime | None


class StandingAnswer(Answer):
    """How far the view has come. `inputs` names the topics in the order of the partitions' lists; `parked` counts students."""

    view: str
    inputs: tuple[str, ...]
    partitions: tuple[PartitionAnswer, ...]
    parked: int
    as_known: AsKnown


def as_known(standing: Standing) -> AsKnown:
    return AsKnown(position=standing.position, time=standing.time, generation=standing.generation)


def standing_answer(view: str, inputs: tuple[str, ...], parked: int, standing: Standing) -> StandingAnswer:
    partitions = tuple(
        PartitionAnswer(partition=each.partition, positions=each.positions, next=each.next, tick=each.common_tick)
        for each in standing.cursors
    )
    return StandingAnswer(view=view, inputs=inputs, partitions=partitions, parked=parked, as_known=as_known(standing))
