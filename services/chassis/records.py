"""Kafka's record batches (format 2), read from the bytes of a fetch. For topics that others write to.

Owns: what a stranger's batch may cost and what it may hold. Whatever the bytes, reading them ends and raises nothing: what cannot
be read is an `Unreadable` with the offsets that it takes up. Must not: ask a broker, know what a record means.

The client library is made for topics of one's own: it unpacks a batch whatever comes out (1 MiB of zstd can hold 30 GiB), and a
header whose name is not UTF-8 ends its fetching for good.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import cramjam

# What a batch may hold unpacked. A topic's batch is at most 1 MiB on the wire, and JSON packs ten times at best.
MAX_UNPACKED_BYTES = 16 * 1024 * 1024

TOO_LARGE, CORRUPT, OLD_FORMAT = "too large", "corrupt", "old format"

_FRAME = struct.Struct(">qi")  # base offset, length of what follows
_HEADER = struct.Struct(">ibIhiqqqhii")  # what follows, up to the records
_CODEC, _TRANSACTIONAL, _CONTROL = 0x07, 0x10, 0x20
_GZIP = 16 + zlib.MAX_WBITS
_XERIAL = b"\x82SNAPPY\x00"  # the Java library's framing of snappy
_XERIAL_HEADER = 16
_Decompress = Callable[[bytes, bytearray], int]
_ABORT = b"\x00\x00"  # the type in an end marker's key, after its version


class Message(NamedTuple):
    """A record as it came. Header names are bytes too: nothing says that they are text."""

    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[bytes, bytes | None], ...]

    def header(self, name: bytes) -> bytes | None:
        """The last header of this name (in any case), which is the one that counts."""
        return next((value for each, value in reversed(self.headers) if each.lower() == name), None)


class Unreadable(NamedTuple):
    """What could not be read, and why: one of the three words above. It begins at `offset`."""

    offset: int
    why: str


class RecordBatch(NamedTuple):
    """A batch: its entries, read one by one as they are asked for, and the offset that follows it."""

    following: int
    entries: Iterator[Message | Unreadable]


def read_batches(data: bytes, start: int, aborted: Sequence[tuple[int, int]] = ()) -> Iterator[RecordBatch]:
    """The batches in what a broker answered to a fetch from `start`; one that was cut off at the end is left for the next fetch.

    `aborted`: (producer, first offset) of transactions that came to nothing, as the broker tells them. Their records are left out.
    """
    at, void = 0, sorted(aborted, key=lambda each: each[1])
    producers: set[int] = set()
    while at + _FRAME.size + _HEADER.size <= len(data):
        base, length = _FRAME.unpack_from(data, at)
        end = at + _FRAME.size + length
        if end > len(data):
            return
        header = _HEADER.unpack_from(data, at + _FRAME.size)
        payload = memoryview(data)[at + _FRAME.size + _HEADER.size : end]
        at = max(end, at + _FRAME.size)  # a length below zero must not hold us up
        if header[1] != 2:
            yield RecordBatch(base + 1, iter([Unreadable(base, OLD_FORMAT)]))
            continue
        attributes, last, producer, count = header[3], header[4], header[7], header[10]
        while void and void[0][1] <= base + last:
            producers.add(void.pop(0)[0])
        entries: Iterator[Message | Unreadable] = iter(())
        if attributes & _CONTROL:
            producers -= {producer} if _aborts(payload) else set()
        elif not (attributes & _TRANSACTIONAL and producer in producers):
            entries = _entries(base, base + max(last, 0), attributes & _CODEC, payload, count, start)
        yield RecordBatch(base + max(last, 0) + 1, entries)


def _aborts(payload: memoryview) -> bool:
    """Whether an end marker says that its producer's transaction came to nothing."""
    marker = next(_messages(0, bytes(payload), 1), None)
    return marker is not None and marker.key is not None and marker.key[2:4] == _ABORT


def _entries(base: int, last: int, codec: int, payload: memoryview, count: int, start: int) -> Iterator[Message | Unreadable]:
    try:
        data = _unpacked(codec, payload)
    except _TooLarge:
        yield Unreadable(max(base, start), TOO_LARGE)
        return
    except (zlib.error, cramjam.DecompressionError, struct.error, ValueError):
        yield Unreadable(max(base, start), CORRUPT)
        return
    following = base
    try:
        for message in _messages(base, data, count):
            if not following <= message.offset <= last:
                raise ValueError("offsets ascend, up to the batch's last")
            following = message.offset + 1
            if message.offset >= start:
                yield message
    except (IndexError, ValueError):
        yield Unreadable(max(min(following, last), start), CORRUPT)


class _TooLarge(Exception):  # noqa: N818
    """More would come out than a batch may hold."""


def _unpacked(codec: int, payload: memoryview) -> bytes:
    match codec:
        case 0:
            return bytes(payload)
        case 1:
            return _gunzipped(payload)
        case 2:
            return _unsnapped(bytes(payload))
        case 3:
            return _into(cramjam.lz4.decompress_into, payload)
        case 4:
            return _into(cramjam.zstd.decompress_into, payload)
    raise ValueError("an unknown codec")


def _gunzipped(payload: memoryview) -> bytes:
    gzip = zlib.decompressobj(_GZIP)
    data = gzip.decompress(payload, MAX_UNPACKED_BYTES + 1)
    if len(data) > MAX_UNPACKED_BYTES:
        raise _TooLarge
    return data


def _unsnapped(payload: bytes) -> bytes:
    if not payload.startswith(_XERIAL):
        return _unsnapped_block(payload, MAX_UNPACKED_BYTES)
    data, at = bytearray(), _XERIAL_HEADER
    while at < len(payload):
        (size,) = struct.unpack_from(">I", payload, at)
        data += _unsnapped_block(payload[at + 4 : at + 4 + size], MAX_UNPACKED_BYTES - len(data))
        at += 4 + size
    return bytes(data)


def _unsnapped_block(block: bytes, most: int) -> bytes:
    if cramjam.snappy.decompress_raw_len(block) > most:
        raise _TooLarge
    return bytes(cramjam.snappy.decompress_raw(block))


def _into(decompress_into: _Decompress, payload: memoryview) -> bytes:
    """Unpacked into a buffer that is as large as may be: beyond it the library stops. Most batches need the first, smaller one."""
    for size in (len(payload) * 8, MAX_UNPACKED_BYTES):
        buffer = bytearray(min(size, MAX_UNPACKED_BYTES))
        try:
            return bytes(memoryview(buffer)[: decompress_into(bytes(payload), buffer)])
        except cramjam.DecompressionError as error:
            if _NO_ROOM not in str(error):
                raise
    raise _TooLarge


_NO_ROOM = "failed to write whole buffer"


def _messages(base: int, data: bytes, count: int) -> Iterator[Message]:
    """`count` records. Raises IndexError or ValueError where the bytes are none."""
    at = 0
    for _ in range(count):
        length, at = _varint(data, at)
        end = at + length
        if length < 0 or end > len(data):
            raise IndexError
        _, at = _varint(data, at + 1)  # after the attributes: the time
        delta, at = _varint(data, at)
        key, at = _field(data, at, end)
        value, at = _field(data, at, end)
        many, at = _varint(data, at)
        headers = []
        for _ in range(many):
            name, at = _field(data, at, end)
            content, at = _field(data, at, end)
            headers.append((name or b"", content))
        if at != end:
            raise ValueError("a record of another length")
        yield Message(base + delta, key, value, tuple(headers))


def _field(data: bytes, at: int, end: int) -> tuple[bytes | None, int]:
    length, at = _varint(data, at)
    if length < 0:
        return None, at
    if at + length > end:
        raise IndexError
    return data[at : at + length], at + length


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """A zigzag number of at most 64 bits, and where it ends."""
    raw = data[at]
    if raw < 0x80:
        return (raw >> 1) ^ -(raw & 1), at + 1
    number, shift = raw & 0x7F, 7
    while raw & 0x80:
        at += 1
        raw = data[at]
        number |= (raw & 0x7F) << shift
        shift += 7
        if shift > 70:
            raise ValueError("a number without end")
    return (number >> 1) ^ -(number & 1), at + 1
