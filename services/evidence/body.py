"""A request's body, unpacked while it streams, so that a bomb is refused before it is held in memory."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator

from services.chassis.errors import Rejected

# Of the events themselves, however they were packed.
MAX_REQUEST_BYTES = 1024 * 1024
# A mebibyte takes a slow line 10 s. Somebody who takes longer keeps others out: so many requests and bytes are under way at most.
BODY_SECONDS = 20.0
_GZIP = 16 + zlib.MAX_WBITS  # zlib's way of saying: a gzip header and trailer, nothing else


async def read_body(chunks: AsyncIterator[bytes], encoding: str) -> bytes:
    """The whole body, at most `MAX_REQUEST_BYTES`. `encoding` is the Content-Encoding. Raises `Rejected`."""
    try:
        async with asyncio.timeout(BODY_SECONDS):
            match encoding.strip().lower():
                case "" | "identity":
                    return await _plain(chunks)
                case "gzip" | "x-gzip":
                    return await _unpacked(chunks)
    except TimeoutError:
        raise Rejected("body-too-slow", f"the whole body within {BODY_SECONDS:g} s", status=408) from None
    raise Rejected("unsupported-encoding", "Content-Encoding gzip, or none", status=415)


async def _plain(chunks: AsyncIterator[bytes]) -> bytes:
    body = bytearray()
    async for chunk in chunks:
        body += chunk
        if len(body) > MAX_REQUEST_BYTES:
            raise _too_large()
    return bytes(body)


async def _unpacked(chunks: AsyncIterator[bytes]) -> bytes:
    gzip, body = zlib.decompressobj(_GZIP), bytearray()
    try:
        async for chunk in chunks:
            body += gzip.decompress(chunk, MAX_REQUEST_BYTES + 1 - len(body))
            if len(body) > MAX_REQUEST_BYTES or gzip.unconsumed_tail:
                raise _too_large()
            if gzip.unused_data:
                raise Rejected("invalid-gzip", "one gzip member and nothing after it", status=400)
    except zlib.error:
        raise Rejected("invalid-gzip", "a body in gzip, as Content-Encoding says", status=400) from None
    if not gzip.eof:
        raise Rejected("invalid-gzip", "a whole gzip member", status=400)
    return bytes(body)


def _too_large() -> Rejected:
    return Rejected("request-too-large", f"at most {MAX_REQUEST_BYTES} bytes of events a request, unpacked", status=413)
