"""A dry run: every row goes as far as it can without entering the log, and nothing is counted, held or kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from services.chassis.postgres import passing
from services.evidence.answers import CONFLICT
from services.evidence.deduplication import Past, key_of, sift
from services.evidence.domain import Batch, Draft, Hold
from services.evidence.files.importing import (
    AT_ONCE,
    File,
    Summary,
    in_chunks,
    known_of,
    publisher_of,
    reading_of,
    take,
)
from services.evidence.files.rejects import Rejects, rejects_path
from services.evidence.files.submission import Reading
from services.evidence.files.table import Row
from services.evidence.grants import Publisher
from services.evidence.opening import Opened
from services.evidence.store import ledger
from services.evidence.store.files import Known
from services.evidence.submit import Placed, TurnedAway

# Natural keys remembered, to tell which rows have the same one: 200 MB. Of longer files, those of their beginning.
MOST_KEYS = 1_000_000
NO_IMPORT = -1


async def rehearse(has: Opened, file: File, advance: Callable[[int], None] = lambda _: None) -> Summary:
    """What an import of the file would do now."""
    publisher, reading = await publisher_of(has, file.map.publisher), await reading_of(has, file)
    summary = Summary(file.batch, dry_run=True)
    keys: dict[bytes, Known] = {}
    with Rejects(rejects_path(file.path, dry_run=True), file.table.columns) as rejects:
        for rows in in_chunks(file.table.rows(0), AT_ONCE):
            summary.outcomes += await _rehearse(has, publisher, reading, rows, keys, rejects)
            summary.rows += len(rows)
            advance(len(rows))
        rejects.settle()
        summary.rejects = rejects.leave(summary.outcomes["rejected"] > 0)
    return summary


async def _rehearse(
    has: Opened, publisher: Publisher, reading: Reading, rows: Sequence[Row], keys: dict[bytes, Known], rejects: Rejects
) -> Counter[str]:
    known = await known_of(has, reading, rows) | keys
    taken = take(reading, rows, known, NO_IMPORT)
    if len(keys) < MOST_KEYS:
        keys |= {each.record.key: known[each.record.key] for each in taken if each.record is not None}
    placed = await has.door.place([has.door.admit(each.item, publisher) for each in taken], publisher)
    words: Counter[str] = Counter()
    for each, (thing, word) in zip(taken, zip(placed, await _words(has, placed), strict=True), strict=True):
        words[word] += 1
        if word == "rejected":
            rejects.add(each.row, thing.rejected if isinstance(thing, TurnedAway) else CONFLICT)
    return words


async def _words(has: Opened, placed: Sequence[Placed]) -> list[str]:
    """What would become of each, as the ledger would decide."""
    drafts = tuple(each for each in placed if isinstance(each, Draft))
    holds = tuple(each for each in placed if isinstance(each, Hold))
    items: tuple[Draft | Hold, ...] = drafts + holds
    past = Past({})
    if items:
        with passing():
            async with has.pool.acquire() as connection:
                past = Past(*await ledger.known(connection, [key_of(item) for item in items]))
    standings = [standing.counter for standing, _ in sift(Batch(drafts, (), holds), past, 0).standings]
    of_drafts, of_holds = iter(standings[: len(drafts)]), iter(standings[len(drafts) :])
    return [
        "rejected" if isinstance(each, TurnedAway) else next(of_drafts if isinstance(each, Draft) else of_holds) for each in placed
    ]
