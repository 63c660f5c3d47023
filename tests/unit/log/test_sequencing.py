"""Numbering gives dense positions and sequences for any mixture of drafts, and ticks that tell the second that has passed."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256

from hypothesis import given
from hypothesis import strategies as st

from contracts.codec import decode, prepare
from contracts.events import EvidenceSubmitted, LogTicked, SchoolRegistered
from contracts.ids import partition_of
from services.evidence.domain import Draft, day_of
from services.evidence.sequencing import Head, crosses, leaf_of, number, number_tick, opened

NOON = datetime(2026, 9, 1, 16, 0, 0, 123456, UTC)


def a_draft(n: int, student: int | None) -> Draft:
    data = (
        SchoolRegistered(school="s", label="S")
        if student is None
        else EvidenceSubmitted(framework="f", competency="c", score_thousandths=1000, scale="d")
    )
    subject = None if student is None else a_student(student)
    others = () if student is None else tuple(a_student(student + each) for each in range(1, student % 4))
    prepared = prepare(data, id=f"e-{n}", source="app", time=NOON, subject=subject, sharedwith=" ".join(others) or None)
    return Draft("app", "app", f"e-{n}", NOON.date(), subject, data.TYPE, b"", prepared, merges=0, sharedwith=others)


def a_student(n: int) -> str:
    return f"s-{n:026d}"


def a_head(partitions: int = 4) -> Head:
    return opened("test", partitions, "America/New_York", NOON)[1]


students = st.lists(st.one_of(st.none(), st.integers(0, 30)), max_size=60)


@given(st.integers(1, 16), students, students)
def test_positions_and_sequences_are_dense_over_any_two_appends(
    partitions: int, first: list[int | None], second: list[int | None]
) -> None:
    head = a_head(partitions)
    rows = []
    for each in (first, second):
        more, head = number(head, [a_draft(n, student) for n, student in enumerate(each)], NOON)
        rows += more
    following = [1] * partitions  # `log.opened` has 0 everywhere
    for at, (position, _, partition, sequence, sequences, further, there, _, subject, _, record) in enumerate(rows, 1):
        assert position == at
        places = (
            enumerate(sequences)
            if sequences is not None
            else [(partition, sequence), *zip(further or (), there or (), strict=True)]
        )
        placed = dict(places)
        for number_, each_sequence in placed.items():
            assert number_ is not None and each_sequence == following[number_]
            following[number_] += 1
        if subject is not None:
            assert partition == partition_of(subject, partitions)
            holders = decode(record).holders
            assert placed.keys() == {partition_of(holder, partitions) for holder in holders}, "once in each holder's partition"
        assert json.loads(record)["position"] == str(position)
    assert (head.position, head.sequences) == (len(rows) + 1, tuple(following))


def test_a_log_opens_at_position_zero_in_every_partition() -> None:
    [row], head = opened("test", 3, "America/New_York", NOON)
    assert (row[0], row[4], head.position, head.sequences) == (0, (0, 0, 0), 1, (1, 1, 1))
    assert decode(row[-1]).source == "cairn"
    assert crosses(head, NOON)


def test_a_tick_tells_the_whole_second_and_the_local_date() -> None:
    before_midnight = datetime(2026, 9, 2, 3, 59, 59, 900000, UTC)
    [row], head = number_tick(a_head(), before_midnight)
    tick = decode(row[-1])
    assert tick.data == LogTicked(time=datetime(2026, 9, 2, 3, 59, 59, tzinfo=UTC), date=date(2026, 9, 1))
    assert (tick.time, tick.recordedtime) == (datetime(2026, 9, 2, 3, 59, 59, tzinfo=UTC), before_midnight)
    assert (head.tick, head.ticked, head.position) == (1, tick.time, 2)
    [row], _ = number_tick(head, before_midnight + timedelta(seconds=1))
    assert decode(row[-1]).data == LogTicked(time=datetime(2026, 9, 2, 4, 0, 0, tzinfo=UTC), date=date(2026, 9, 2))


@given(st.integers(0, 3_000_000), st.integers(0, 3_000_000))
def test_a_second_is_crossed_exactly_when_no_tick_has_told_it(told: int, now: int) -> None:
    start = datetime(2026, 9, 1, tzinfo=UTC)
    _, head = number_tick(a_head(), start + timedelta(microseconds=told))
    assert crosses(head, start + timedelta(microseconds=now)) == (now // 1_000_000 > told // 1_000_000)


def test_a_leaf_is_the_hash_of_a_zero_and_the_record() -> None:
    assert leaf_of(b"record") == sha256(b"\x00record").digest()
    assert leaf_of(b"") == sha256(b"\x00").digest()


def test_the_day_is_the_uuids_own_or_that_of_the_time_in_utc() -> None:
    new_york_evening = datetime.fromisoformat("2026-09-01T22:00:00-04:00")
    assert day_of("e-1", new_york_evening) == date(2026, 9, 2)
    assert day_of("017f22e2-79b0-7cc3-98c4-dc0c0c07398f", new_york_evening) == date(2022, 2, 22)
    assert day_of("017f22e2-79b0-4cc3-98c4-dc0c0c07398f", new_york_evening) == date(2026, 9, 2)  # version 4
