"""Opening a publisher's inbox: its two topics, and that it is read."""

from __future__ import annotations

from contracts.topics import inbox_of, receipts_of
from services.chassis import topics
from services.chassis.errors import Rejected, Unavailable
from services.chassis.postgres import Pool
from services.evidence.store import inbox as store


async def open_inbox(pool: Pool, bootstrap: str, publisher: str, partitions: int, *, make: bool) -> None:
    """Have the publisher's inbox read. `make`: make its topics; otherwise they must be there, with the broker's access list.

    Raises `Rejected` for a publisher that does not exist, `Unavailable` for topics that do not.
    """
    wanted = [inbox_of(publisher), receipts_of(publisher)]
    if not await store.is_publisher(pool, publisher):
        raise Rejected("unknown-publisher", "a publisher that has a key (`cairn publisher list`)")
    if make:
        await topics.make(bootstrap, wanted, partitions)
    elif absent := await topics.missing(bootstrap, wanted):
        raise Unavailable(
            f"topic {absent[0]} does not exist: see k8s/components/inbox, which makes it and says who may write to it"
        )
    await store.open_inbox(pool, publisher)
