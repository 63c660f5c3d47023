"""Telling of rejections on `evidence.rejected`: through an outbox, in the transaction that keeps and counts them.

Owns: what is told of a rejection. Must not: tell anything of what was sent but which submission it was.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from contracts.events import SubmissionRejected
from contracts.ids import partition_of
from contracts.topics import EVIDENCE_REJECTED
from services.chassis.log.feed import OutboxFeed
from services.chassis.log.outbox import Emission, Outbox
from services.chassis.log.relay import Relay
from services.chassis.postgres import Connection, Pool
from services.evidence.store import ledger as store
from services.evidence.store.quarantine import Rejection

_OUTBOX = Outbox(EVIDENCE_REJECTED.name, "evidence")


async def announce(connection: Connection, rejections: Sequence[Rejection]) -> None:
    """Tell of these, in their publishers' partitions, the lowest first, so that two transactions never wait for each other."""
    partitions = await store.partitions(connection)
    told: dict[int, list[Emission]] = defaultdict(list)
    for rejection in rejections:
        told[partition_of(rejection.publisher, partitions)].append(_emission(rejection))
    for partition in sorted(told):
        await _OUTBOX.emit(connection, partition, told[partition])


def _emission(rejection: Rejection) -> Emission:
    data = SubmissionRejected(
        publisher=rejection.publisher,
        rejection=str(rejection.number),
        submissionsource=rejection.source,
        submissionid=rejection.id,
        code=rejection.code,
        pointer=rejection.pointer,
    )
    return Emission(data, f"rejection-{rejection.number}", None, time=rejection.came, recordedtime=rejection.came)


def relay(pool: Pool, partitions: int, bootstrap: str) -> Relay[list[int]]:
    """The relay from the outbox to `evidence.rejected`."""
    return Relay(OutboxFeed(pool, EVIDENCE_REJECTED.name, partitions), pool, bootstrap, EVIDENCE_REJECTED)
