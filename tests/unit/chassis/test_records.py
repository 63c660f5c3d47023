"""Record batches of strangers: what clients write is read, whatever it is packed with; what nobody should write costs nothing."""

from __future__ import annotations

import struct
import tracemalloc
from collections.abc import Callable, Sequence

import cramjam
import pytest
from aiokafka.record.default_records import DefaultRecordBatch
from hypothesis import given
from hypothesis import strategies as st

from services.chassis.records import CORRUPT, MAX_UNPACKED_BYTES, OLD_FORMAT, TOO_LARGE, Message, Unreadable, read_batches
from tests.unit.chassis.batches import Written, a_batch, with_codec

CODECS = {"none": 0, "gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}
fields = st.none() | st.binary(max_size=40)
records = st.lists(st.tuples(fields, fields, st.lists(st.tuples(st.text(max_size=8), fields), max_size=3)), min_size=1, max_size=8)


def read(data: bytes, start: int = 0, aborted: Sequence[tuple[int, int]] = ()) -> list[Message | Unreadable]:
    return [entry for batch in read_batches(data, start, aborted) for entry in batch.entries]


@pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS)
@given(written=records)
def test_what_a_client_writes_is_read(codec: int, written: list[Written]) -> None:
    batches = a_batch(written, codec=codec, base=7) + a_batch(written, codec=codec, base=7 + len(written))
    expected = [(key, value, tuple((name.encode(), each) for name, each in headers)) for key, value, headers in written] * 2
    found = read(batches)
    assert [(each.key, each.value, each.headers) for each in found if isinstance(each, Message)] == expected
    assert [each.offset for each in found] == list(range(7, 7 + 2 * len(written)))
    assert [batch.following for batch in read_batches(batches, 0)] == [7 + len(written), 7 + 2 * len(written)]


def test_snappy_as_java_frames_it_is_read() -> None:
    framed = a_batch([(b"k", b"v" * 100_000, [])], codec=2)
    assert framed[61:].startswith(b"\x82SNAPPY")
    raw = with_codec(framed, 2, bytes(cramjam.snappy.compress_raw(payload_of([(b"k", b"v", [])]))))
    assert [each.value for each in read(raw) if isinstance(each, Message)] == [b"v"]


def payload_of(written: Sequence[Written]) -> bytes:
    return a_batch(written)[61:]


def test_records_before_the_asked_offset_and_a_batch_that_was_cut_off_are_left_out() -> None:
    whole = a_batch([(b"a", b"1", []), (b"b", b"2", []), (b"c", b"3", [])], base=10)
    assert [each.offset for each in read(whole + whole[:-1], start=11)] == [11, 12]


BOMB = 8 * MAX_UNPACKED_BYTES
BOMBS: dict[str, tuple[int, Callable[[], bytes]]] = {
    "gzip": (1, lambda: bytes(cramjam.gzip.compress(bytes(BOMB)))),
    "snappy": (2, lambda: bytes(cramjam.snappy.compress_raw(bytes(2 * MAX_UNPACKED_BYTES)))),
    "lz4": (3, lambda: bytes(cramjam.lz4.compress(bytes(BOMB)))),
    "zstd": (4, lambda: bytes(cramjam.zstd.compress(bytes(BOMB)))),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_not_unpacked_and_what_comes_after_it_is_read(name: str) -> None:
    codec, pack = BOMBS[name]
    bomb, after = with_codec(a_batch([(None, b"x", [])]), codec, pack()), a_batch([(None, b"after", [])], base=1)
    tracemalloc.start()
    found = read(bomb + after)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (found[0], found[1].offset) == (Unreadable(0, TOO_LARGE), 1)
    assert peak < 4 * MAX_UNPACKED_BYTES


def test_the_library_alone_would_unpack_it() -> None:
    """The control: without our reading, a few KiB become what they like."""
    pack = bytes(cramjam.zstd.compress(bytes(BOMB)))
    batch = DefaultRecordBatch(with_codec(a_batch([(None, b"x", [])]), 4, pack))
    tracemalloc.start()
    with pytest.raises(Exception):  # noqa: B017 - it is not records, and by then it is in memory
        list(batch)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak > 4 * MAX_UNPACKED_BYTES


GARBAGE = {
    "gzip": with_codec(a_batch([(None, b"x", [])]), 1, b"\x1f\x8bnonsense"),
    "snappy": with_codec(a_batch([(None, b"x", [])]), 2, b"\x82SNAPPY\x00\x00\x00\x00\x01\x00\x00\x00\x01\xff\xff\xff\xff"),
    "lz4": with_codec(a_batch([(None, b"x", [])]), 3, b"nonsense"),
    "zstd": with_codec(a_batch([(None, b"x", [])]), 4, b"nonsense"),
    "an unknown codec": with_codec(a_batch([(None, b"x", [])]), 7, b"nonsense"),
    "no records": with_codec(a_batch([(None, b"x", [])]), 0, b"\xff" * 40),
    "a number without end": with_codec(a_batch([(None, b"x", [])]), 0, b"\x80" * 400),
}


@pytest.mark.parametrize("name", GARBAGE)
def test_garbage_is_unreadable_and_what_comes_after_it_is_read(name: str) -> None:
    found = read(GARBAGE[name] + a_batch([(None, b"after", [])], base=1))
    assert (found[0], found[1].offset) == (Unreadable(0, CORRUPT), 1)


def test_records_of_an_old_format_are_unreadable_one_by_one() -> None:
    old = bytearray(a_batch([(None, b"x", [])], base=5))
    old[16] = 1
    assert read(bytes(old)) == [Unreadable(5, OLD_FORMAT)]


def test_what_a_transaction_gave_up_is_left_out_and_what_it_kept_is_there() -> None:
    def marker(base: int, kind: int) -> bytes:
        batch = bytearray(a_batch([(struct.pack(">hh", 0, kind), b"", [])], base=base, transactional=True, producer=9))
        struct.pack_into(">h", batch, 21, 0x30)
        return bytes(batch)

    given_up = a_batch([(None, b"given up", [])], base=0, transactional=True, producer=9)
    kept = a_batch([(None, b"kept", [])], base=2, transactional=True, producer=9)
    data = given_up + marker(1, 0) + kept + marker(3, 1)
    assert [each.value for each in read(data, aborted=[(9, 0)]) if isinstance(each, Message)] == [b"kept"]
    assert [batch.following for batch in read_batches(data, 0, [(9, 0)])] == [1, 2, 3, 4]


@given(data=st.binary(max_size=400), start=st.integers(0, 10))
def test_no_bytes_raise(data: bytes, start: int) -> None:
    read(data, start)


@pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS)
@given(written=records, flips=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=6))
def test_no_flipped_bytes_raise_and_offsets_ascend(codec: int, written: list[Written], flips: list[tuple[float, int]]) -> None:
    data = bytearray(a_batch(written, codec=codec))
    for place, byte in flips:
        data[61 + int(place * (len(data) - 61))] = byte
    offsets = [each.offset for each in read(bytes(data)) if isinstance(each, Message)]
    assert offsets == sorted(set(offsets))
