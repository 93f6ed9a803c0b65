"""From capture to the backend: the part that never raises and never records itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from contextvars import copy_context
from functools import wraps
from typing import ParamSpec, TypeVar

from asgiref.sync import sync_to_async
from django.utils.module_loading import import_string

from trackmate.activity import Activity
from trackmate.backends.base import BaseBackend
from trackmate.conf import get_settings, per_settings
from trackmate.context import (
    Scope,
    apply_context,
    current_scope,
    enter_scope,
    is_suppressed,
    leave_scope,
    suppress,
)
from trackmate.diagnostics import report, summarize_error
from trackmate.processors import clean, get_processors, mask_known_secrets, without_payload
from trackmate.redaction import KnownSecrets

P = ParamSpec("P")
R = TypeVar("R")


@per_settings
def get_backend() -> BaseBackend:
    """Return the backend in force. Raise ImportError or TypeError where the settings name none."""
    settings = get_settings()
    backend = import_string(settings.BACKEND)(**settings.BACKEND_OPTIONS)
    if not isinstance(backend, BaseBackend):
        raise TypeError(f'TRACKMATE["BACKEND"]: {settings.BACKEND} is no BaseBackend')
    return backend


def never_raise(function: Callable[P, R]) -> Callable[P, R | None]:
    """Let a part of the recorder fail without the host: report its error and return None."""

    @wraps(function)
    def guard(*args: P.args, **kwargs: P.kwargs) -> R | None:
        try:
            return function(*args, **kwargs)
        except Exception as error:  # noqa: BLE001 (the one guard of the write side)
            report("failed", f"{function.__qualname__}: {summarize_error(error)}")
            return None

    return guard


def is_recording() -> bool:
    """Return True if what happens here is to be recorded."""
    return get_settings().ENABLED and not is_suppressed()


@never_raise
def record(activity: Activity) -> None:
    """Take an activity: collect it in the request that runs here, or deliver it at once."""
    if not is_recording():
        return
    activity = apply_context(activity)
    scope = current_scope()
    if scope is not None and not scope.closed:
        scope.activities.append(activity)
    else:
        deliver([activity])


@never_raise
def flush(scope: Scope, itself: Activity | None) -> None:
    """Deliver everything that a request did, its own activity first, with one `send()`."""
    scope.closed = True
    scope.request_activity = itself
    token = enter_scope(scope)
    try:
        deliver([itself, *scope.activities] if itself else scope.activities)
    finally:
        leave_scope(token)


async def call_in_thread(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Call in a thread what may wait, or here where no event loop runs, or none any more."""
    try:
        return await sync_to_async(function)(*args, **kwargs)
    except RuntimeError:
        return function(*args, **kwargs)


def wrap_for_thread(function: Callable[P, R]) -> Callable[P, R | None]:
    """Return `function` for another thread, with what the backend needs to know of this one.

    It is called once, and raises nothing.
    """
    around = _thread_context() or nullcontext()

    @never_raise
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        with around:
            return function(*args, **kwargs)

    return call


@never_raise
def _thread_context() -> AbstractContextManager[None]:
    return get_backend().thread_context()


@never_raise
def deliver(activities: Sequence[Activity]) -> None:
    """Process activities and send what remains of them to the backend."""
    with suppress():
        ready = _process(activities)
        if not ready:
            return
        backend = get_backend()
        if backend.blocks and _in_event_loop():
            # Never waits there; the executor is joined before the loop's run() returns.
            loop = asyncio.get_running_loop()
            send = wrap_for_thread(_send_and_close)
            try:
                loop.run_in_executor(None, copy_context().run, send, backend, ready)
            except RuntimeError:
                # The executor has been shut down, and the loop is about to end.
                _send(backend, ready)
        else:
            _send(backend, ready)


def _process(activities: Iterable[Activity]) -> list[Activity]:
    ready = [
        processed for activity in activities if (processed := _run_processors(activity)) is not None
    ]
    scope = current_scope()
    if scope is not None and (scope.secrets or not scope.secrets.is_complete):
        # Something may have been found after an activity was masked.
        masked = [_mask_known_secrets(activity, scope.secrets) for activity in ready]
        return [activity for activity in masked if activity is not None]
    return ready


def _run_processors(activity: Activity) -> Activity | None:
    for processor in get_processors():
        try:
            processed = processor(activity)
        except Exception as error:  # noqa: BLE001 (a project's own code may stand in the list)
            named = getattr(processor, "__wrapped__", processor)
            name = getattr(named, "__qualname__", repr(named))
            report("failed", f"processor {name}: {summarize_error(error)}")
            # It may have been the one that hides something, so nothing that can hide it stays.
            return _without_payload(activity, f"the processor {name} failed")
        if processed is None:
            return None
        activity = processed
    return activity


def _mask_known_secrets(activity: Activity, found: KnownSecrets) -> Activity | None:
    try:
        return mask_known_secrets(activity, found)
    except Exception as error:  # noqa: BLE001 (one text must not cost the rows of a whole request)
        report("failed", f"mask_found: {summarize_error(error)}")
        return _without_payload(activity, "masking failed")


def _without_payload(activity: Activity, reason: str) -> Activity | None:
    try:
        return clean(without_payload(activity, reason))
    except Exception as error:  # noqa: BLE001 (one activity that nobody understands takes no other)
        report("dropped", f"{reason}; {summarize_error(error)}")
        return None


def _send(backend: BaseBackend, activities: Sequence[Activity]) -> None:
    try:
        backend.send(activities)
    except Exception as error:  # noqa: BLE001 (the end of the way: count it, say it, go on)
        report(
            "dropped", f"{type(backend).__name__}: {summarize_error(error)}", count=len(activities)
        )


@never_raise
def _send_and_close(backend: BaseBackend, activities: Sequence[Activity]) -> None:
    _send(backend, activities)
    # This thread serves one task now and another one then; it keeps no connection of ours.
    backend.close()


def _in_event_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
