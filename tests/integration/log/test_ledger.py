"""The ledger gives every event one position in one order, once, whoever appends at the same time."""

from __future__ import annotations

import asyncio
import random
from datetime import date, timedelta
from typing import Any

import pytest

from contracts.codec import decode
from contracts.events import LogTicked
from services.chassis.errors import Conflict, Unavailable
from services.chassis.postgres import create_pool
from services.evidence.domain import Abandoned, Batch, Conflicting, Held, Hold, Receipt, Refusal, Refused
from services.evidence.ledger import Ledger
from services.evidence.sequencing import leaf_of
from tests.integration.log.ledgers import TIMEZONE, a_draft, an_open_ledger, receipts, the_counters_add_up, the_ledger_holds
from tests.stack import Stack

pytestmark = pytest.mark.stack


async def test_opening_again_changes_nothing(stack: Stack) -> None:
    async with an_open_ledger(stack, partitions=4) as it:
        again = await Ledger(it.pool).open("other", 8, "Europe/Paris")
        assert (again.log, again.partitions, again.timezone, again.position) == ("test", 4, TIMEZONE, 1)
        assert len(await the_ledger_holds(it.pool)) == 1


async def test_many_openers_at_once_open_one_log(stack: Stack) -> None:
    pool = await create_pool(stack.fresh_database("evidence"), application="test", size=8)
    heads = await asyncio.gather(*(Ledger(pool).open("test", n + 1, TIMEZONE) for n in range(8)))
    assert len(set(heads)) == 1
    await the_ledger_holds(pool)
    await pool.close()


async def test_a_time_zone_that_does_not_exist_is_refused(stack: Stack) -> None:
    async with an_open_ledger(stack) as it:
        with pytest.raises(Unavailable, match="CAIRN_TIMEZONE"):
            await Ledger(it.pool).open("test", 4, "Nowhere/Land")


async def test_a_receipt_names_the_position_and_the_leaf_of_the_bytes(stack: Stack) -> None:
    async with an_open_ledger(stack) as it:
        first, second = receipts(await it.append(a_draft("e-1"), a_draft("e-2")))
        records = await the_ledger_holds(it.pool)
        assert (second.position, first.duplicate) == (first.position + 1, False)
        assert first.leaf == leaf_of(records[first.position])
        assert await it.ledger.status("app", "e-1") == Receipt(first.position, first.leaf, first.recordedtime, duplicate=True)
        assert await it.ledger.status("app", "e-9") is None


async def test_the_same_again_gets_the_same_receipt(stack: Stack) -> None:
    async with an_open_ledger(stack) as it:
        [first] = receipts(await it.append(a_draft()))
        [again] = receipts(await it.append(a_draft()))
        assert again == Receipt(first.position, first.leaf, first.recordedtime, duplicate=True)
        counts = (await it.ledger.counters())["app"]
        assert (counts.received, counts.accepted, counts.duplicate) == (2, 1, 1)
        await the_ledger_holds(it.pool)


async def test_duplicates_inside_one_batch_are_found(stack: Stack) -> None:
    async with an_open_ledger(stack) as it:
        outcomes = await it.append(a_draft("e-1"), a_draft("e-1"), a_draft("e-2"), a_draft("e-1", content="other"))
        first, again, second = receipts(outcomes[:3])
        assert (again.position, again.duplicate, second.position) == (first.position, True, first.position + 1)
        assert outcomes[3] == Conflicting(first.position)
        await the_ledger_holds(it.pool)


async def test_other_content_conflicts_and_the_first_stays(stack: Stack) -> None:
    async with an_open_ledger(stack) as it:
        [first] = receipts(await it.append(a_draft()))
        assert await it.append(a_draft(content="other")) == [Conflicting(first.position)]
        assert await it.ledger.status("app", "e-1") == Receipt(first.position, first.leaf, first.recordedtime, duplicate=True)
        counts = (await it.ledger.counters())["app"]
        assert (counts.received, counts.accepted, counts.rejected) == (2, 1, 1)
        await the_ledger_holds(it.pool)


async def test_an_atomic_batch_with_a_conflict_appends_nothing(stack: Stack) -> None:
    async with an_open_ledger(stack) as it:
        [first] = receipts(await it.append(a_draft("e-1")))
        outcomes = await it.append(a_draft("e-2"), a_draft("e-1", content="other"), a_draft("e-3"), atomic=True)
        assert outcomes == [Abandoned(), Conflicting(first.position), Abandoned()]
        counts = (await it.ledger.counters())["app"]
        assert (counts.received, counts.accepted, counts.rejected) == (4, 1, 3)
        assert isinstance(await it.ledger.status("app", "e-2"), Refused)
        receipts(await it.append(a_draft("e-2"), a_draft("e-3"), atomic=True))
        await the_ledger_holds(it.pool)


async def test_a_reference_event_has_a_sequence_in_every_partition(stack: Stack) -> None:
    async with an_open_ledger(stack, partitions=4) as it:
        before = await it.ledger.head()
        await it.append(a_draft("r-1", student=None))
        after = await it.ledger.head()
        row = await it.pool.fetchrow("SELECT sequences FROM public.ledger ORDER BY position DESC LIMIT 1")
        assert row is not None and len(row["sequences"]) == 4
        assert all(b - a in (1, 2) for a, b in zip(before.sequences, after.sequences, strict=True))  # itself, and maybe a tick
        await the_ledger_holds(it.pool)


async def test_an_append_under_an_older_merge_counter_is_told_so(stack: Stack) -> None:
    async with an_open_ledger(stack) as it:
        await it.pool.execute("UPDATE public.head SET merges = merges + 1")
        with pytest.raises(Conflict):
            await it.append(a_draft())
        assert await it.ledger.counters() == {}
        receipts(await it.append(a_draft(merges=1), a_draft("r-1", student=None)))
        await the_ledger_holds(it.pool)


async def test_concurrent_ledgers_make_one_dense_order_and_no_event_twice(stack: Stack) -> None:
    async with an_open_ledger(stack) as it:
        pools = [await create_pool(it.dsn, application=f"gateway {n}", size=4) for n in range(3)]
        ledgers = [Ledger(pool) for pool in pools]
        for ledger in ledgers:
            await ledger.compare(it.bootstrap, it.topic)
        chance = random.Random(7)
        batches = [_a_random_batch(chance) for _ in range(120)]
        await asyncio.gather(*(ledgers[n % 3].append(batch) for n, batch in enumerate(batches)))
        records = await the_ledger_holds(it.pool)
        ids = [decode(record).id for record in records]
        assert len(ids) == len(set(ids))
        assert {draft.id for batch in batches for draft in batch.drafts} <= set(ids)
        counts = (await it.ledger.counters())["app"]
        assert counts.received == sum(len(batch.drafts) + len(batch.refusals) for batch in batches)
        for pool in pools:
            await pool.close()


def _a_random_batch(chance: random.Random) -> Batch:
    drafts = []
    for _ in range(chance.randint(0, 12)):
        n = chance.randint(1, 400)
        student = None if n % 10 == 0 else n % 37
        drafts.append(a_draft(f"e-{n}", student=student, content=chance.choice("aaaab"), day=date(2026, 9, 1 + n % 5)))
    refusals = tuple(a_refusal() for _ in range(chance.randint(0, 2)))
    return Batch(drafts=tuple(drafts), refusals=refusals)


def a_refusal(**fields: Any) -> Refusal:
    return Refusal(
        **{"publisher": "app", "source": "app", "id": "bad", "code": "bad", "pointer": "/x", "expected": "y", "payload": b"{}"}
        | fields
    )


# Held, and released


def a_hold(id: str = "h-1", content: str = "") -> Hold:
    draft = a_draft(id, content=content)
    return Hold("app", "app", id, draft.day, "unknown-student", "key-1", draft.submissionhash, b"payload")


async def test_a_held_submission_counts_once_and_moves_to_accepted_when_released(stack: Stack) -> None:
    async with an_open_ledger(stack) as it:
        assert await it.ledger.append(Batch(holds=(a_hold(), a_hold()))) == [Held(), Held(duplicate=True)]
        assert await it.ledger.status("app", "h-1") == Held(duplicate=True)
        assert await it.ledger.waiting("unknown-student", ["key-1", "key-2"]) == [a_hold()]
        [receipt] = receipts(await it.append(a_draft("h-1", held=True)))
        assert not receipt.duplicate
        counts = (await it.ledger.counters())["app"]
        assert (counts.received, counts.accepted, counts.duplicate, counts.held) == (2, 1, 1, 0)
        await the_ledger_holds(it.pool)


async def test_two_workers_release_the_same_one_once(stack: Stack) -> None:
    async with an_open_ledger(stack) as it:
        await it.ledger.append(Batch(holds=(a_hold(),)))
        both = await asyncio.gather(*(it.append(a_draft("h-1", held=True)) for _ in range(2)))
        assert sorted(receipt.duplicate for receipt in receipts(both[0] + both[1])) == [False, True]
        counts = (await it.ledger.counters())["app"]
        assert (counts.received, counts.accepted, counts.duplicate, counts.held) == (1, 1, 0, 0)
        await the_ledger_holds(it.pool)


async def test_what_is_held_conflicts_with_other_content_and_yields_to_its_equal(stack: Stack) -> None:
    async with an_open_ledger(stack) as it:
        await it.ledger.append(Batch(holds=(a_hold(),)))
        assert await it.append(a_draft("h-1", content="other")) == [Conflicting(None)]
        [receipt] = receipts(await it.append(a_draft("h-1")))
        assert await it.ledger.append(Batch(holds=(a_hold(),))) == [
            Receipt(receipt.position, receipt.leaf, receipt.recordedtime, duplicate=True)
        ]
        [released] = receipts(await it.append(a_draft("h-1", held=True)))
        assert released.duplicate
        counts = (await it.ledger.counters())["app"]
        assert (counts.received, counts.accepted, counts.duplicate, counts.rejected) == (4, 1, 2, 1)
        await the_ledger_holds(it.pool)


async def test_what_nobody_ever_knew_is_refused_after_thirty_days_and_not_taken_later(stack: Stack) -> None:
    async with an_open_ledger(stack) as it:
        await it.ledger.append(Batch(holds=(a_hold("h-1"), a_hold("h-2")), refusals=(a_refusal(),)))
        assert await it.ledger.expire() == 0
        await it.pool.execute("UPDATE public.held SET came = came - interval '31 days' WHERE id = 'h-1'")
        await it.pool.execute("UPDATE public.rejections SET came = came - interval '31 days'")
        assert await it.ledger.expire() == 1
        assert await it.ledger.status("app", "h-1") == Refused("unknown-student", "", "what it waits for, within 30 days")
        assert await it.ledger.status("app", "bad") is None
        assert await it.append(a_draft("h-1", held=True)) == [Abandoned()]
        counts = (await it.ledger.counters())["app"]
        assert (counts.received, counts.rejected, counts.held) == (3, 2, 1)
        await the_ledger_holds(it.pool)


async def test_refusals_are_counted_and_kept_without_the_head(stack: Stack) -> None:
    async with an_open_ledger(stack) as it:
        async with it.pool.acquire() as other, other.transaction():
            await other.execute("SELECT 1 FROM public.head FOR UPDATE")
            await it.ledger.append(Batch(refusals=(a_refusal(), a_refusal(source=None, id=None))))
        assert await it.ledger.status("app", "bad") == Refused("bad", "/x", "y")
        assert (await it.ledger.counters())["app"].rejected == 2
        await the_counters_add_up(it.pool)


# Ticks


async def test_the_append_that_first_crosses_a_second_puts_a_tick_before_itself(stack: Stack) -> None:
    async with an_open_ledger(stack) as it:
        await it.append(a_draft("e-1"))
        await it.pool.execute("UPDATE public.head SET ticked = ticked - interval '1 second'")
        await it.append(a_draft("e-2"), a_draft("e-3"))
        events = [decode(record) for record in await the_ledger_holds(it.pool)]
        assert [event.id for event in events if not isinstance(event.data, LogTicked)] == ["opened", "e-1", "e-2", "e-3"]
        at = next(n for n, event in enumerate(events) if event.id == "e-2")
        tick = events[at - 1]
        assert isinstance(tick.data, LogTicked)
        assert tick.data.time == events[at].recordedtime.replace(microsecond=0) == tick.time
        assert tick.recordedtime == events[at].recordedtime


async def test_appends_within_a_second_share_its_tick(stack: Stack) -> None:
    async with an_open_ledger(stack) as it:
        await it.pool.execute("UPDATE public.head SET ticked = now() + interval '1 hour'")
        for n in range(5):
            await it.append(a_draft(f"e-{n}"))
        assert not await it.pool.fetchval("SELECT count(*) FROM public.ledger WHERE type = $1", LogTicked.TYPE)


async def test_a_tick_that_is_asked_for_is_beyond_everything(stack: Stack) -> None:
    async with an_open_ledger(stack) as it:
        [receipt] = receipts(await it.append(a_draft()))
        first, second = await it.ledger.tick(), await it.ledger.tick()
        assert receipt.position < first < second
        head = await it.ledger.head()
        assert (head.tick, head.position) == (second, second + 1)
        await the_ledger_holds(it.pool)


async def test_time_passes_once_after_the_last_event_and_at_midnight_and_not_otherwise(stack: Stack) -> None:
    async with an_open_ledger(stack) as it:
        await it.append(a_draft())
        await it.pool.execute("UPDATE public.head SET ticked = now() + interval '1 hour'")
        before = await it.ledger.head()
        await it.ledger.pass_time()
        assert await it.ledger.head() == before
        await it.pool.execute("UPDATE public.head SET ticked = now() - interval '2 seconds'")
        await asyncio.gather(*(it.ledger.pass_time() for _ in range(4)))
        after = await it.ledger.head()
        assert (after.tick, after.position) == (before.position, before.position + 1)
        await it.pool.execute("UPDATE public.head SET ticked = now() - interval '20 seconds'")
        await it.ledger.pass_time()
        assert (await it.ledger.head()).position == after.position
        await it.pool.execute("UPDATE public.head SET ticked = ticked - interval '25 hours'")
        await it.ledger.pass_time()
        assert (await it.ledger.head()).position == after.position + 1
        await the_ledger_holds(it.pool)


async def test_recordedtime_does_not_follow_a_clock_that_went_back(stack: Stack) -> None:
    async with an_open_ledger(stack) as it:
        ahead = await it.pool.fetchval("UPDATE public.head SET recordedtime = now() + interval '1 hour' RETURNING recordedtime")
        [receipt] = receipts(await it.append(a_draft()))
        assert receipt.recordedtime == ahead


# Days


async def test_any_day_is_taken_and_no_odd_day_makes_a_partition(stack: Stack) -> None:
    async with an_open_ledger(stack) as it:
        today: date = (await it.pool.fetchval("SELECT clock_timestamp()")).date()
        near = [today + timedelta(days=n) for n in range(-7, 8)]
        odd = [date(1, 1, 1), date(1986, 4, 1), today - timedelta(days=8), today + timedelta(days=8), date(9999, 12, 31)]
        drafts = [a_draft(f"e-{day}", day=day) for day in near + odd]
        receipts(await it.append(*drafts))
        assert all(receipt.duplicate for receipt in receipts(await it.append(*drafts)))
        tables = await it.pool.fetch("SELECT tableoid::regclass::text AS name, day FROM public.seen")
        assert {row["name"] for row in tables if row["day"] in near} == {f"seen_{day:%Y_%m_%d}" for day in near}
        assert {row["name"] for row in tables if row["day"] in odd} == {"seen_before", "seen_after"}
        await the_ledger_holds(it.pool)


async def test_a_day_that_comes_near_gets_its_partition_with_what_was_seen_of_it(stack: Stack) -> None:
    async with an_open_ledger(stack) as it:
        today: date = (await it.pool.fetchval("SELECT clock_timestamp()")).date()
        day = today + timedelta(days=7)
        await it.pool.execute(f"DROP TABLE public.seen_{day:%Y_%m_%d}")
        draft = a_draft("e-1", day=day)
        receipts(await it.append(draft))
        assert await it.pool.fetchval("SELECT tableoid::regclass::text FROM public.seen") == "seen_after"
        await it.pool.execute("UPDATE public.head SET ticked = now() - interval '25 hours'")
        await asyncio.gather(it.ledger.pass_time(), *(it.append(a_draft(f"f-{n}", day=day)) for n in range(20)))
        tables = await it.pool.fetch("SELECT DISTINCT tableoid::regclass::text FROM public.seen")
        assert [row[0] for row in tables] == [f"seen_{day:%Y_%m_%d}"]
        [again] = receipts(await it.append(draft))
        assert again.duplicate
        await the_ledger_holds(it.pool)


# Refusing


async def test_nothing_is_accepted_before_the_comparison(stack: Stack) -> None:
    async with an_open_ledger(stack) as it:
        ledger = Ledger(it.pool)
        for attempt in (ledger.append(Batch(drafts=(a_draft(),))), ledger.append(Batch(refusals=(a_refusal(),))), ledger.tick()):
            with pytest.raises(Unavailable, match="compared"):
                await attempt
        assert ledger.ready()
        await ledger.compare(it.bootstrap, it.topic)
        assert ledger.ready() is None
        await ledger.append(Batch(drafts=(a_draft(),)))


async def test_a_head_below_one_that_was_seen_is_refused(stack: Stack) -> None:
    async with an_open_ledger(stack) as it:
        other = Ledger(it.pool)
        await other.compare(it.bootstrap, it.topic)
        await it.append(a_draft("e-1"), a_draft("e-2"))
        await it.pool.execute("UPDATE public.head SET position = position - 1")
        with pytest.raises(Unavailable, match="restored from a backup"):
            await it.append(a_draft("e-3"))
        assert it.ledger.ready()
        with pytest.raises(Unavailable, match="restored from a backup"):
            await it.ledger.compare(it.bootstrap, it.topic)
        assert other.ready() is None  # control: one that never saw the higher head cannot know


async def test_a_ledger_without_a_log_says_who_opens_it(stack: Stack) -> None:
    pool = await create_pool(stack.fresh_database("evidence"), application="test")
    with pytest.raises(Unavailable, match="not open"):
        await Ledger(pool).head()
    await pool.close()
