"""Record batches as clients write them, and as nobody should."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from aiokafka.record.default_records import DefaultRecordBatchBuilder

Written = tuple[bytes | None, bytes | None, Sequence[tuple[str, bytes | None]]]


def a_batch(
    written: Sequence[Written],
    *,
    codec: int = 0,
    base: int = 0,
    transactional: bool = False,
    producer: int = -1,
    size: int = 2**20,
) -> bytes:
    """A batch as a producer makes it, at the offset that a broker gives it."""
    builder = DefaultRecordBatchBuilder(
        magic=2,
        compression_type=codec,
        is_transactional=int(transactional),
        producer_id=producer,
        producer_epoch=0,
        base_sequence=0,
        batch_size=size,
    )
    for number, (key, value, headers) in enumerate(written):
        builder.append(number, timestamp=1, key=key, value=value, headers=list(headers))
    return at_offset(bytes(builder.build()), base)


def at_offset(batch: bytes, base: int) -> bytes:
    return struct.pack(">q", base) + batch[8:]


def with_codec(batch: bytes, codec: int, payload: bytes) -> bytes:
    """A batch that says it is packed with `codec` and holds these bytes."""
    header = bytearray(batch[:61])
    struct.pack_into(">i", header, 8, 61 - 12 + len(payload))
    struct.pack_into(">h", header, 21, codec)
    return bytes(header) + payload
