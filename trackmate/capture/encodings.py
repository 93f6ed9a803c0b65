"""Decompression of response content."""

from __future__ import annotations

import zlib
from collections.abc import Callable

GZIP = 16 + zlib.MAX_WBITS
RAW = -zlib.MAX_WBITS


def decode_content(content: bytes, encodings: str, longest: int) -> bytes | None:
    """Return decompressed content, or None if unknown or longer than `longest` bytes."""
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
    decoded = b""
    # There may be several members.
    while content and len(decoded) < limit:
        member = zlib.decompressobj(GZIP)
        decoded += member.decompress(content, limit - len(decoded))
        content = member.unused_data
    return decoded


def _deflate(content: bytes, limit: int) -> bytes:
    try:
        return zlib.decompressobj().decompress(content, limit)
    except zlib.error:
        # Without the header of zlib.
        return zlib.decompressobj(RAW).decompress(content, limit)


def _identity(content: bytes, _limit: int) -> bytes:
    return content


DECODERS: dict[str, Callable[[bytes, int], bytes]] = {
    "gzip": _gzip,
    "x-gzip": _gzip,
    "deflate": _deflate,
    "identity": _identity,
}
