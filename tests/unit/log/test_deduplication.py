"""Sifting a batch agrees with taking its items one at a time, and every item counts once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from services.evidence.deduplication import Past, Sifted, Standing, sift
from services.evidence.domain import Batch, Draft, Hold, Link, Refusal

DAY = date(2026, 9, 1)


def a_draft(id: str, content: str = "a", *, day: date = DAY, held: bool = False) -> Draft:
    return Draft("app", "app", id, day, "s-1", "t", content.encode(), b"{", merges=0, held=held)


def a_hold(id: str, content: str = "a") -> Hold:
    return Hold("app", "app", id, DAY, "unknown-student", "key", content.encode(), b"{}")


def a_refusal(*, held: bool = False, id: str = "bad") -> Refusal:
    return Refusal("app", "app", id, "code", "", "", b"", held=held)


def a_keyed_draft(id: str, key: str, student: str, record: int | None = None) -> Draft:
    return Draft("app", "app", id, DAY, student, "t", id.encode(), b"{", merges=0, link=Link(key, record))


def standings(sifted: Sifted) -> list[tuple[Standing, int | None]]:
    return sifted.standings


items = st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from("xxxy"), st.booleans()), max_size=25)


@given(items)
def test_a_batch_is_sifted_as_its_items_one_at_a_time(sent: Sequence[tuple[str, str, bool]]) -> None:
    drafts = tuple(a_draft(id, content) for id, content, is_draft in sent if is_draft)
    holds = tuple(a_hold(id, content) for id, content, is_draft in sent if not is_draft)
    whole = sift(Batch(drafts=drafts, holds=holds), Past({}), 10)
    seen: dict[tuple[date, str, str], tuple[int, bytes]] = {}
    waiting: dict[tuple[str, str], bytes] = {}
    one_by_one, position = [], 10
    for batch in [Batch(drafts=(draft,)) for draft in drafts] + [Batch(holds=(hold,)) for hold in holds]:
        sifted = sift(batch, Past(seen, waiting), position)
        for draft in sifted.accepted:
            seen[draft.day, draft.source, draft.id] = position, draft.submissionhash
            position += 1
        waiting |= {(hold.source, hold.id): hold.submissionhash for hold in sifted.holds}
        one_by_one += sifted.standings
    assert standings(whole) == one_by_one


@given(items, st.integers(0, 4), st.booleans())
def test_every_item_counts_once(sent: Sequence[tuple[str, str, bool]], refused: int, atomic: bool) -> None:
    drafts = tuple(a_draft(id, content) for id, content, is_draft in sent if is_draft)
    holds = tuple(a_hold(id, content) for id, content, is_draft in sent if not is_draft)
    batch = Batch(drafts, tuple(a_refusal() for _ in range(refused)), holds, atomic)
    sifted = sift(batch, Past({}), 0)
    total = sum(c.received for c in sifted.counts.values())
    assert total == len(sent) + refused
    assert all(c.received == c.accepted + c.duplicate + c.rejected + c.held for c in sifted.counts.values())
    assert sum(c.accepted for c in sifted.counts.values()) == len(sifted.accepted)
    assert sum(c.held for c in sifted.counts.values()) == len(sifted.holds)
    assert sum(c.rejected for c in sifted.counts.values()) == len(sifted.refusals)


def test_an_atomic_batch_is_given_up_for_a_conflict_or_a_refusal_and_for_nothing_else() -> None:
    fine = Batch((a_draft("a"), a_draft("a"), a_draft("b")), atomic=True)
    assert len(sift(fine, Past({}), 0).accepted) == 2
    conflicting = sift(Batch((a_draft("a"), a_draft("a", "other")), atomic=True), Past({}), 0)
    assert standings(conflicting) == [(Standing.ABANDONED, None), (Standing.CONFLICTING, 0)]
    assert (conflicting.accepted, len(conflicting.refusals)) == ([], 2)
    refused = sift(Batch((a_draft("a"),), (a_refusal(),), atomic=True), Past({}), 0)
    assert (refused.accepted, refused.counts["app"].rejected) == ([], 2)


def test_the_same_id_on_another_day_is_another_event() -> None:
    other_day = date(2026, 9, 2)
    assert len(sift(Batch((a_draft("a"), a_draft("a", day=other_day))), Past({}), 0).accepted) == 2


def test_what_is_released_moves_its_count_once_and_what_is_gone_moves_none() -> None:
    batch = Batch((a_draft("a", held=True), a_draft("b", held=True)), (a_refusal(held=True, id="c"), a_refusal(held=True, id="d")))
    sifted = sift(batch, Past({}, {}, frozenset({("app", "a"), ("app", "c")})), 5)
    assert standings(sifted) == [(Standing.ACCEPTED, 5), (Standing.ABANDONED, None)]
    counts = sifted.counts["app"]
    assert (counts.received, counts.accepted, counts.rejected, counts.held) == (0, 1, 1, -2)
    assert [refusal.id for refusal in sifted.refusals] == ["c"]


@given(st.lists(st.tuples(st.sampled_from("kl"), st.sampled_from(["s-1", "s-2"])), max_size=12), st.booleans())
def test_the_first_draft_that_bears_a_new_key_decides_whose_it_is(sent: Sequence[tuple[str, str]], atomic: bool) -> None:
    drafts = tuple(a_keyed_draft(f"e-{n}", key, student) for n, (key, student) in enumerate(sent))
    sifted = sift(Batch(drafts=drafts, atomic=atomic), Past({}), 0)
    first = dict(reversed(sent))
    foreign = [first[key] != student for key, student in sent]
    assert [standing is Standing.FOREIGN for standing, _ in sifted.standings] == foreign
    accepted = [] if atomic and any(foreign) else [f"e-{n}" for n, is_foreign in enumerate(foreign) if not is_foreign]
    assert [draft.id for draft in sifted.accepted] == accepted
    assert len(sifted.refusals) == len(sent) - len(accepted)


def test_a_key_that_led_to_a_record_before_is_checked_elsewhere() -> None:
    drafts = (a_keyed_draft("e-1", "k", "s-1", record=7), a_keyed_draft("e-2", "k", "s-2", record=7))
    assert [standing for standing, _ in sift(Batch(drafts=drafts), Past({}), 9).standings] == [Standing.ACCEPTED] * 2
