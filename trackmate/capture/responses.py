"""The content of responses: decompressed, and watched for errors while it is streamed."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

from django.http.response import HttpResponseBase

from trackmate.pipeline import call_in_thread

OnError = Callable[[BaseException], object]


def watch_stream(response: HttpResponseBase, on_error: OnError) -> None:
    """Call `on_error` with an exception that the body of a streaming response raises.

    The exception propagates. The body is not read here, and servers can still use `sendfile`.
    """
    attributes: Any = response
    if attributes.is_async:
        attributes._iterator = _WatchedAsyncIterator(attributes._iterator, on_error)
    else:
        attributes._iterator = _watched(attributes._iterator, on_error)


def _watched(iterator: Iterator[Any], on_error: OnError) -> Iterator[Any]:
    try:
        yield from iterator
    except GeneratorExit:
        raise
    except BaseException as error:
        # Also for exceptions that stop a worker.
        on_error(error)
        raise


class _WatchedAsyncIterator:
    def __init__(self, iterator: AsyncIterator[Any], on_error: OnError) -> None:
        self._iterator = iterator
        self._on_error = on_error

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        try:
            return await anext(self._iterator)
        except StopAsyncIteration:
            raise
        except Exception as error:
            await call_in_thread(self._on_error, error)
            raise


def decode_content(content: bytes, encodings: str, longest: int) -> bytes | None:
    """Return decompressed content, or None if unknown or longer than `longest` bytes."""
    for name in reversed([each.strip().lower() for each in encodings.split(",") if each.strip()]):
        if name not in _DECODERS:
            return None
        try:
            content = _DECODERS[name](content, longest + 1)
        except zlib.error:
            return None
        if len(content) > longest:
            return None
    return content


def _gzip(content: bytes, limit: int) -> bytes:
    decoded = b""
    # There may be several members.
    while content and len(decoded) < limit:
        member = zlib.decompressobj(16 + zlib.MAX_WBITS)
        decoded += member.decompress(content, limit - len(decoded))
        content = member.unused_data
    return decoded


def _deflate(content: bytes, limit: int) -> bytes:
    try:
        return zlib.decompressobj().decompress(content, limit)
    except zlib.error:
        # Without the header of zlib.
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(content, limit)


_DECODERS: dict[str, Callable[[bytes, int], bytes]] = {
    "gzip": _gzip,
    "x-gzip": _gzip,
    "deflate": _deflate,
    "identity": lambda content, _limit: content,
}
