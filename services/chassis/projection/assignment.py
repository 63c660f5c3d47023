"""What a worker's consumer was given and has claimed, since the last rebalance."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from aiokafka import ConsumerRebalanceListener, TopicPartition

from services.chassis.projection.cursor import Cursor


class Assignment(ConsumerRebalanceListener):  # type: ignore[misc]
    """The claims of one consumer. As its rebalance listener it only marks: every claim made before a mark is void.

    `subscriber` is the library's; its consumer is there once it is started. `held` are a partition's inputs at a cut.
    """

    def __init__(self, topics: Sequence[str]) -> None:
        self.topics = tuple(topics)
        self.subscriber: Any = None
        self.number = 0
        self.cursors: dict[int, Cursor] = {}
        self.held: dict[int, frozenset[int]] = {}

    @property
    def consumer(self) -> Any:
        return self.subscriber.consumer

    async def on_partitions_revoked(self, revoked: Any) -> None:
        self.mark()

    async def on_partitions_assigned(self, assigned: Any) -> None:
        self.mark()

    def mark(self) -> None:
        """Every partition must be claimed anew."""
        self.number += 1
        self.cursors.clear()
        self.held.clear()

    def claim(self, cursor: Cursor) -> None:
        """A partition is ours: read on from where its cursor stands, whatever was fetched before."""
        self.seek(cursor, range(len(self.topics)))
        self.cursors[cursor.partition] = cursor

    def lose(self, partition: int) -> None:
        """A partition's cursor was claimed by somebody else."""
        self.cursors.pop(partition, None)
        self.held.pop(partition, None)

    def seek(self, cursor: Cursor, inputs: Iterable[int]) -> None:
        """Read these inputs from the cursor's hints on, where they are still assigned."""
        for input in inputs:
            target = self.target(input, cursor.partition)
            if target in self.consumer.assignment():
                self.consumer.seek(target, cursor.offsets[input])

    def hold(self, partition: int, inputs: frozenset[int]) -> None:
        """These inputs stand at a cut: read nothing more of them."""
        self.held[partition] = self.held.get(partition, frozenset()) | inputs
        self.consumer.pause(*(self.target(input, partition) for input in inputs))

    def lift(self, partition: int) -> None:
        """The cut is lifted: read again from where the cursor stands."""
        inputs = self.held.pop(partition)
        self.seek(self.cursors[partition], inputs)
        self.consumer.resume(*(self.target(input, partition) for input in inputs))

    def unclaimed(self) -> set[int]:
        """Partitions that were given to us and that no record has let us claim yet."""
        return {target.partition for target in self.consumer.assignment()} - self.cursors.keys()

    def input_of(self, topic: str) -> int:
        return self.topics.index(topic)

    def target(self, input: int, partition: int) -> TopicPartition:
        return TopicPartition(self.topics[input], partition)
