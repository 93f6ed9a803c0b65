"""`copy_context()`: take the request along into threads and executors."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from asgiref.sync import iscoroutinefunction

F = TypeVar("F", bound=Callable[..., Any])


def copy_context(function: F) -> F:
    """Return `function` to be called elsewhere, as if it were called here.

    What it records has the actor, the address and the request id of the present request, also after
    that has ended, and the values of the present `bind()`. It can be called several times, by
    several threads at once.

    >>> Thread(target=copy_context(make_report)).start()
    >>> executor.submit(copy_context(make_report), 2026)
    """
    context = contextvars.copy_context()

    # A context can be entered only once at a time, so each call has a copy.

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        return context.copy().run(function, *args, **kwargs)

    @wraps(function)
    async def call_async(*args: Any, **kwargs: Any) -> Any:
        coroutine = function(*args, **kwargs)
        return await asyncio.get_running_loop().create_task(coroutine, context=context.copy())

    return cast("F", call_async if iscoroutinefunction(function) else call)
