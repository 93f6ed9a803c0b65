"""Errors in streaming responses."""

from __future__ import annotations

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
        attributes._iterator = _WatchedIterator(attributes._iterator, on_error)


class _WatchedIterator:
    def __init__(self, iterator: Iterator[Any], on_error: OnError) -> None:
        self._iterator = iterator
        self._on_error = on_error

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        try:
            return next(self._iterator)
        except (StopIteration, GeneratorExit):
            raise
        except BaseException as error:
            # Also for exceptions that stop a worker.
            self._on_error(error)
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
