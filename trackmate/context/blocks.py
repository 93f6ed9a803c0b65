"""Base class of context managers that are active in the context that entered them."""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from contextvars import ContextVar, Token
from dataclasses import dataclass, field
from functools import partial, wraps
from typing import Any, ClassVar, Self, TypeVar, cast

from asgiref.sync import iscoroutinefunction

F = TypeVar("F", bound=Callable[..., Any])


class ContextBlock:
    """A context manager and decorator that is active in one context (see `contextvars`).

    A task started inside the block stays inside it. One object can be entered several times, by
    several tasks and threads. If it is exited in another context, for example by a generator that
    another thread collects, it ends where it was entered, without an error.
    """

    _entries: ClassVar[ContextVar[tuple[_Entry, ...]]]
    """The entered blocks of this context; each subclass has its own."""

    def __init_subclass__(cls) -> None:
        cls._entries = ContextVar(f"trackmate_{cls.__name__}", default=())

    def __init__(self) -> None:
        self._open: list[_Entry] = []

    @classmethod
    def active(cls) -> list[Self]:
        """Return the blocks around the running code, the outermost first."""
        return [entry.block for entry in cls._entries.get() if entry.is_open]

    def __enter__(self) -> None:
        entry = _Entry(self)
        outer = [each for each in self._entries.get() if each.is_open]
        entry.token = self._entries.set((*outer, entry))
        self._open.append(entry)

    def __exit__(self, *_error: object) -> None:
        entries = self._entries.get()
        # This context may be a copy of one in which the block has ended since.
        mine = (each for each in reversed(entries) if each.block is self and each in self._open)
        # Without one, it was entered in an unrelated context.
        entry = next(mine, self._open[-1])
        try:
            self._entries.reset(entry.token)
        except ValueError:
            # Entered in another context.
            entry.is_open = False
        # Not the previous value: other blocks may have been entered and exited since.
        self._entries.set(tuple(each for each in entries if each is not entry))
        self._open.remove(entry)

    def __call__(self, function: F) -> F:
        """Return a function whose code runs inside the block."""
        if inspect.isasyncgenfunction(function):
            wrap: Callable[[Any], Any] = self._wrap_async_generator
        elif inspect.isgeneratorfunction(function):
            wrap = self._wrap_generator
        elif iscoroutinefunction(function):
            wrap = self._wrap_coroutine
        else:
            wrap = self._wrap_function
        return cast("F", wraps(function)(wrap(function)))

    def _wrap_function(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            with self:
                result = function(*args, **kwargs)
            # The dispatch method of an async class-based view returns one.
            return self._await(result) if inspect.iscoroutine(result) else result

        return wrapped

    def _wrap_coroutine(self, function: Callable[..., Any]) -> Callable[..., Any]:
        async def wrapped(*args: Any, **kwargs: Any) -> Any:
            return await self._await(function(*args, **kwargs))

        return wrapped

    async def _await(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        with self:
            return await coroutine

    # A generator runs in the context of its consumer: the block is active while the generator runs,
    # not between two values.

    def _wrap_generator(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
            generator = function(*args, **kwargs)
            step: Callable[[], Any] = partial(next, generator)
            try:
                while True:
                    with self:
                        try:
                            value = step()
                        except StopIteration as end:
                            return end.value
                    try:
                        step = partial(generator.send, (yield value))
                    except Exception as error:  # noqa: BLE001 (thrown into the generator)
                        step = partial(generator.throw, error)
            finally:
                with self:
                    generator.close()

        return wrapped

    def _wrap_async_generator(self, function: Callable[..., Any]) -> Callable[..., Any]:
        async def wrapped(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
            generator = function(*args, **kwargs)
            step: Callable[[], Any] = generator.__anext__
            try:
                while True:
                    with self:
                        try:
                            value = await step()
                        except StopAsyncIteration:
                            return
                    try:
                        step = partial(generator.asend, (yield value))
                    except Exception as error:  # noqa: BLE001 (thrown into the generator)
                        step = partial(generator.athrow, error)
            finally:
                with self:
                    await generator.aclose()

        return wrapped


@dataclass(eq=False, slots=True)
class _Entry:
    """One entry into a block."""

    block: Any
    is_open: bool = True
    token: Token[Any] = field(init=False)
    """Restores the variable in the context of the entry."""
