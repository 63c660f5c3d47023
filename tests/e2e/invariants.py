"""What must hold of a platform whatever happened to it, read from its databases and topics, not from its own reports."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from contracts.codec import decode
from contracts.events import MasteryChanged
from contracts.topics import EVIDENCE_LOG, MASTERY_CHANGES, SCHEDULE_CHANGES, Topic
from deploy.local.provision import create_database, with_database
from services.chassis import kafka, postgres
from services.chassis.kafka import Record, TopicPartition, read_record
from services.chassis.migrate import migrate_database, migrations_of
from services.chassis.postgres import Pool
from services.chassis.projection import serving
from services.chassis.projection.apply import Applier, scan
from services.chassis.projection.cursor import Cursor
from services.chassis.projection.digest import Digest
from services.chassis.projection.serving import create_generation, reading
from services.chassis.projection.view import Entry, View
from services.mastery.handlers import MasteryView
from tests.e2e.platform import PATIENCE, Platform
from tests.until import until

CHUNK = 500


@dataclass(frozen=True)
class Row:
    """A row of the ledger: where it was placed, and its bytes."""

    position: int
    placed: Mapping[int, int]  # partition -> sequence
    record: bytes


async def ledger(pool: Pool) -> list[Row]:
    """The whole ledger, in order."""
    rows = await pool.fetch("SELECT position, partition, sequence, sequences, record FROM ledger ORDER BY position")
    return [
        Row(r["position"], dict(enumerate(r["sequences"])) if r["sequences"] else {r["partition"]: r["sequence"]}, r["record"])
        for r in rows
    ]


async def topic_records(bootstrap: str, topic: Topic) -> list[list[Record]]:
    """Everything in a topic now, a partition at a time, repeats included."""
    count = await kafka.partition_count(bootstrap, topic.name)
    consumer = kafka.consumer(bootstrap, "test-reader")
    await consumer.start()
    try:
        found: list[list[Record]] = []
        for partition in range(count):
            target = TopicPartition(topic.name, partition)
            consumer.assign([target])
            await consumer.seek_to_beginning(target)
            end = (await consumer.end_offsets([target]))[target]
            records: list[Record] = []
            while await consumer.position(target) < end:
                batches = await consumer.getmany(target, timeout_ms=1000)
                records += [read_record(raw) for raw in batches.get(target, [])]
            found.append(records)
        return found
    finally:
        await consumer.stop()


def first_occurrences(records: list[Record]) -> list[Record]:
    """The records that were not there before, in the order in which they came."""
    seen: dict[int | None, Record] = {}
    for record in records:
        if record.sequence in seen:
            assert seen[record.sequence].value == record.value, "a repeat must be the same bytes"
        seen.setdefault(record.sequence, record)
    return list(seen.values())


async def assert_log_is_sound(platform: Platform, acknowledged: Mapping[tuple[str, str], int]) -> None:
    """Positions are dense; every acknowledged event is in the log once, where its receipt says; topic equals ledger."""
    settings = platform.settings
    async with await postgres.create_pool(settings["CAIRN_EVIDENCE_DATABASE"], application="test", size=2) as pool:
        rows = await ledger(pool)
        assert [row.position for row in rows] == list(range(len(rows)))
        places = {}
        for row in rows:
            event = decode(row.record)
            assert (event.source, event.id) not in places, "an event is in the log twice"
            places[event.source, event.id] = row.position
        lost = {key: position for key, position in acknowledged.items() if places.get(key) != position}
        assert not lost, f"{len(lost)} acknowledged events are not where their receipts say"

        for partition, records in enumerate(await _relayed(settings["CAIRN_KAFKA"], rows)):
            expected = [(row.placed[partition], row.record) for row in rows if partition in row.placed]
            found = [(record.sequence, record.value) for record in first_occurrences(records)]
            assert found[: len(expected)] == expected  # a tick may have come after the ledger was read
        await _assert_counts_are_what_the_log_says(pool, rows)


async def _relayed(bootstrap: str, rows: list[Row]) -> list[list[Record]]:
    """The topic's records, once it holds as much as these rows of the ledger."""
    wanted = Counter(partition for row in rows for partition in row.placed)
    found: list[list[Record]] = []

    async def there() -> bool:
        found[:] = await topic_records(bootstrap, EVIDENCE_LOG)
        return all(len(first_occurrences(each)) >= wanted[partition] for partition, each in enumerate(found))

    await until(there, PATIENCE)
    return found


async def _assert_counts_are_what_the_log_says(pool: Pool, rows: list[Row]) -> None:
    """Accepted is what is in the log from a publisher, held what waits from it; a publisher's source begins with its name."""
    accepted = Counter(decode(row.record).source.split("/")[0] for row in rows)
    held = {row["publisher"]: row["n"] for row in await pool.fetch("SELECT publisher, count(*) AS n FROM held GROUP BY publisher")}
    for counted in await pool.fetch("SELECT * FROM counters"):
        name = counted["publisher"]
        assert (counted["accepted"], counted["held"]) == (accepted[name], held.get(name, 0)), f"the counters of {name} are wrong"


async def assert_views_are_sound(platform: Platform) -> None:
    """Mastery equals a fold from zero; each view equals a scan of its rows, and each outbox its topic."""
    await assert_mastery_is_sound(platform)
    for service, output in (("mastery", MASTERY_CHANGES), ("scheduling", SCHEDULE_CHANGES), ("reporting", None)):
        partitions = await asyncio.to_thread(platform.json, service, "verify")
        assert partitions
        assert all(each["equal"] for each in partitions), f"{service}'s rows differ from its digests"
        if output is not None:
            await _assert_topic_equals_outbox(platform, service, output)


async def _assert_topic_equals_outbox(platform: Platform, service: str, topic: Topic) -> None:
    dsn = platform.settings[f"CAIRN_{service.upper()}_DATABASE"]
    async with await postgres.create_pool(dsn, application="test", size=1) as pool:

        async def equal() -> bool:
            said = await pool.fetch("SELECT partition, sequence, record FROM outbox WHERE log = $1", topic.name)
            records = await topic_records(platform.settings["CAIRN_KAFKA"], topic)
            there = [(r.partition, r.sequence, r.value) for each in records for r in first_occurrences(each)]
            return sorted(there) == sorted((row["partition"], row["sequence"], row["record"]) for row in said)

        await until(equal, PATIENCE)


async def assert_mastery_is_sound(platform: Platform) -> None:
    """The view is caught up, equals a fold of the log from zero and a scan of its rows; folding its outbox gives it too."""
    settings = platform.settings
    async with await postgres.create_pool(settings["CAIRN_MASTERY_DATABASE"], application="test", size=4) as pool:
        records = await topic_records(settings["CAIRN_KAFKA"], EVIDENCE_LOG)
        firsts = [first_occurrences(each) for each in records]

        async def caught_up() -> bool:
            async with reading(pool, "mastery") as (_, standing):
                return all(cursor.next[0] >= len(firsts[cursor.partition]) for cursor in standing.cursors)

        await until(caught_up, PATIENCE)
        assert await _standings(pool) == await _folded_outbox(pool)
        await _assert_equals_a_fold_from_zero(settings["CAIRN_MASTERY_DATABASE"], MasteryView(), firsts)


async def _assert_equals_a_fold_from_zero(dsn: str, view: View[Any], records: list[list[Record]]) -> None:
    """Fold the topic in a database that no worker knows of, and compare the digests of what stands at the same place."""
    elsewhere = f"{view.name}_from_zero_{uuid4().hex}"
    create_database(dsn, elsewhere, "template0")
    migrate_database(with_database(dsn, elsewhere), migrations_of(view.name))
    async with await postgres.create_pool(with_database(dsn, elsewhere), application="test", size=2) as pool:
        fresh = await _fold(pool, view, records)
    async with (
        await postgres.create_pool(dsn, application="test", size=2) as pool,
        reading(pool, view.name) as (connection, standing),
    ):
        for cursor, at in zip(fresh, standing.cursors, strict=True):
            assert cursor.next <= at.next
            # A tick may have come since: it moves the place, and no level.
            assert cursor.digest == at.digest, f"partition {cursor.partition} differs from a fold from zero"
        scanned = [await scan(connection, view, cursor.partition) for cursor in standing.cursors]
        assert sum(scanned, Digest()) == sum((cursor.digest for cursor in standing.cursors), Digest())


async def _fold(pool: Pool, view: View[Any], records: list[list[Record]]) -> list[Cursor]:
    number = await create_generation(pool, view, len(records), actor="test", reason="fold from zero")
    applier: Applier[Any] = Applier(pool, view, number)
    for partition, each in enumerate(records):
        await applier.claim(partition)
        entries = [_entry(record) for record in each]
        for start in range(0, len(entries), CHUNK):
            await applier.apply(partition, entries[start : start + CHUNK])
    async with pool.acquire() as connection:
        return await serving.cursors_of(connection, view.name, number)


def _entry(record: Record) -> Entry:
    assert record.position is not None
    assert record.sequence is not None
    event = decode(record.value)
    return Entry(0, record.partition, record.sequence, record.position, record.offset, event, record.value)


Standings = dict[tuple[str, str, str], tuple[int | None, int | None]]


async def _standings(pool: Pool) -> Standings:
    """(student, framework, competency) -> (level, value) of the serving generation, where there is a value or a level."""
    async with reading(pool, "mastery") as (connection, _):
        rows = await connection.fetch(
            """
            SELECT s.student, c.framework, c.competency, u.level, u.points
            FROM students s, unnest(s.keys, s.levels, s.points) AS u (key, level, points)
            JOIN competencies c ON c.key = u.key WHERE c.partition = s.partition
            """
        )
    found = {(r["student"], r["framework"], r["competency"]): (r["level"], r["points"]) for r in rows}
    return {key: value for key, value in found.items() if value != (None, None)}


async def _folded_outbox(pool: Pool) -> Standings:
    """The same, from what was said: each move replaces the one before."""
    found: Standings = {}
    rows = await pool.fetch("SELECT record FROM outbox WHERE type = $1 ORDER BY partition, sequence", MasteryChanged.TYPE)
    for row in rows:
        event = decode(row["record"])
        assert isinstance(event.data, MasteryChanged)
        assert event.subject is not None
        for move in event.data.moves:
            found[event.subject, move.framework, move.competency] = (move.level, move.value_thousandths)
    return {key: value for key, value in found.items() if value != (None, None)}
