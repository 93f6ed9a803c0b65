"""Content encodings: what a compressed answer holds, as far as Python itself can read it."""

from __future__ import annotations

import zlib
from collections.abc import Callable

GZIP = 16 + zlib.MAX_WBITS
RAW = -zlib.MAX_WBITS


def decode_content(content: bytes, encodings: str, longest: int) -> bytes | None:
    """Return the content that a `Content-Encoding` stands for, or None if it cannot be read or has
    more than `longest` bytes, of which no more is ever unpacked."""
    for name in reversed([each.strip().lower() for each in encodings.split(",") if each.strip()]):
        decode = DECODERS.get(name)
        if decode is None:
            return None
        try:
            content = decode(content, longest + 1)
        except zlib.error:
            return None
        if len(content) > longest:
            return None
    return content


def _gzip(content: bytes, limit: int) -> bytes:
    found = b""
    # A file of several members is read like one.
    while content and len(found) < limit:
        member = zlib.decompressobj(GZIP)
        found += member.decompress(content, limit - len(found))
        content = member.unused_data
    return found


def _deflate(content: bytes, limit: int) -> bytes:
    try:
        return zlib.decompressobj().decompress(content, limit)
    except zlib.error:
        # Some send it without zlib's header.
        return zlib.decompressobj(RAW).decompress(content, limit)


def _identity(content: bytes, _limit: int) -> bytes:
    return content


DECODERS: dict[str, Callable[[bytes, int], bytes]] = {
    "gzip": _gzip,
    "x-gzip": _gzip,
    "deflate": _deflate,
    "identity": _identity,
}
