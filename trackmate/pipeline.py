"""The pipeline from capture to the backend. It never raises and never records itself."""

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
from trackmate.conf import DEFAULT_PROCESSORS, get_settings, per_settings
from trackmate.context.binding import apply_context, is_suppressed, suppress
from trackmate.context.scope import Scope, current_scope, enter_scope, leave_scope
from trackmate.db.commitments import (
    Commitment,
    deliver_afterwards,
    deliver_waiting,
    deliver_when_kept,
)
from trackmate.diagnostics import report, summarize_error
from trackmate.processors import clean, get_processors, mask_known_secrets, without_payload
from trackmate.redaction.known_secrets import KnownSecrets

P = ParamSpec("P")
R = TypeVar("R")

MAX_WAITING = 500
"""So many activities of one transaction are stored within it, so that a long one takes no memory
for all of them."""


@per_settings
def get_backend() -> BaseBackend:
    """Return the configured backend. Raise ImportError or TypeError if it is invalid."""
    settings = get_settings()
    backend = import_string(settings.BACKEND)(**settings.BACKEND_OPTIONS)
    if not isinstance(backend, BaseBackend):
        raise TypeError(f'TRACKMATE["BACKEND"]: {settings.BACKEND} is not a BaseBackend')
    return backend


def never_raise(function: Callable[P, R]) -> Callable[P, R | None]:
    """Decorate a function so that it reports errors and returns None instead of raising them."""

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R | None:
        try:
            return function(*args, **kwargs)
        except Exception as error:  # noqa: BLE001 (recording must not break the project)
            report("failed", f"{function.__qualname__}: {summarize_error(error)}")
            return None

    return call


def is_recording() -> bool:
    """Return True unless recording is disabled or suppressed."""
    return get_settings().ENABLED and not is_suppressed()


@never_raise
def record(activity: Activity) -> None:
    """Add an activity to the current request, or deliver it at once outside of one."""
    if not is_recording():
        return
    activity = apply_context(activity)
    scope = current_scope()
    if scope is None or not scope.add(activity):
        deliver([activity])


finishers: list[Callable[[list[Activity]], list[Activity]]] = []
"""What merges the activities of a request or transaction before they are delivered."""


@never_raise
def record_if_kept(activity: Activity, alias: str) -> None:
    """Record what was done on a database when its request ends or its transaction commits, unless
    it is rolled back."""
    if not is_recording():
        return
    activity, scope = apply_context(activity), current_scope()
    if scope is not None and not scope.closed:
        scope.commitments[activity.id] = Commitment(alias)
        if scope.add(activity):
            return
    is_own = alias == get_settings().DATABASE
    deliver_when_kept(alias, activity, _finish_and_deliver if is_own else _deliver_afterwards)
    if is_own:
        # They are rolled back with the transaction.
        deliver_waiting(alias, at_least=MAX_WAITING)


@never_raise
def record_at_once(activity: Activity) -> None:
    """Deliver an activity now, within the transaction of the project if there is one."""
    if is_recording():
        deliver(finish([activity]))


def _deliver_afterwards(activities: list[Activity]) -> None:
    # What is kept in one database must not be rolled back with the transaction of another.
    deliver_afterwards(get_settings().DATABASE, activities, _finish_and_deliver)


def _finish_and_deliver(activities: list[Activity]) -> None:
    deliver(finish(activities))


def finish(activities: list[Activity]) -> list[Activity]:
    """Return the activities of a request or transaction as they are delivered."""
    for finisher in finishers:
        finished = never_raise(finisher)(activities)
        activities = activities if finished is None else finished
    return activities


@never_raise
def flush(scope: Scope, request_activity: Activity | None) -> None:
    """Deliver the activities of a request with one `send()`, the request's own first."""
    activities = scope.close(request_activity)
    token = enter_scope(scope)
    try:
        deliver([request_activity, *activities] if request_activity else activities)
    finally:
        leave_scope(token)


async def call_in_thread(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Call a blocking function in a thread, or directly if no event loop is running."""
    try:
        return await sync_to_async(function)(*args, **kwargs)
    except RuntimeError:
        return function(*args, **kwargs)


def wrap_for_thread(function: Callable[P, R]) -> Callable[P, R | None]:
    """Return `function` to be called once in another thread, within the backend's thread context.

    It raises nothing.
    """
    context = _thread_context() or nullcontext()

    @never_raise
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        with context:
            return function(*args, **kwargs)

    return call


@never_raise
def _thread_context() -> AbstractContextManager[None]:
    return get_backend().thread_context()


@never_raise
def deliver(activities: Sequence[Activity]) -> None:
    """Process activities and send the remaining ones to the backend."""
    with suppress():
        ready = _process(activities)
        if not ready:
            return
        backend = get_backend()
        if backend.blocks and _in_event_loop():
            # asyncio.run() waits for the executor, so nothing is lost.
            loop = asyncio.get_running_loop()
            send = wrap_for_thread(_send_and_close)
            try:
                loop.run_in_executor(None, copy_context().run, send, backend, ready)
            except RuntimeError:
                # The executor is shut down: the loop is ending.
                _send(backend, ready)
        else:
            _send(backend, ready)


def _process(activities: Iterable[Activity]) -> list[Activity]:
    scope = current_scope()
    if scope is None:
        return [each for each in map(_run_processors, activities) if each is not None]
    ready: list[Activity] = []
    counts: list[int] = []
    secrets = scope.secrets
    for activity in activities:
        if (processed := _run_processors(activity)) is not None:
            ready.append(processed)
            counts.append(len(secrets))
    if secrets or not secrets.is_complete:
        # Later activities may have revealed secrets of earlier ones. A processor of the project may
        # have added texts after `redact`.
        is_masked = get_settings().PROCESSORS == DEFAULT_PROCESSORS
        masked = [
            activity
            if is_masked and count == len(secrets) and secrets.is_complete
            else _mask_known_secrets(activity, secrets)
            for activity, count in zip(ready, counts, strict=True)
        ]
        return [activity for activity in masked if activity is not None]
    return ready


def _run_processors(activity: Activity) -> Activity | None:
    for processor in get_processors():
        try:
            processed = processor(activity)
        except Exception as error:  # noqa: BLE001 (custom processors)
            function = getattr(processor, "__wrapped__", processor)
            name = getattr(function, "__qualname__", repr(function))
            report("failed", f"processor {name}: {summarize_error(error)}")
            # It may have been the one that masks secrets.
            return _without_payload(activity, f"the processor {name} failed")
        if processed is None:
            return None
        activity = processed
    return activity


def _mask_known_secrets(activity: Activity, secrets: KnownSecrets) -> Activity | None:
    try:
        return mask_known_secrets(activity, secrets)
    except Exception as error:  # noqa: BLE001 (must not cost the other activities)
        report("failed", f"mask_known_secrets: {summarize_error(error)}")
        return _without_payload(activity, "masking failed")


def _without_payload(activity: Activity, reason: str) -> Activity | None:
    try:
        return clean(without_payload(activity, reason))
    except Exception as error:  # noqa: BLE001 (must not cost the other activities)
        report("dropped", f"{reason}; {summarize_error(error)}")
        return None


def _send(backend: BaseBackend, activities: Sequence[Activity]) -> None:
    try:
        backend.send(activities)
    except Exception as error:  # noqa: BLE001 (counted and logged as dropped)
        reason = f"{type(backend).__name__}: {summarize_error(error)}"
        report("dropped", reason, count=len(activities))


@never_raise
def _send_and_close(backend: BaseBackend, activities: Sequence[Activity]) -> None:
    _send(backend, activities)
    # Threads of an executor are shared; leave no connection open in them.
    backend.close()


def _in_event_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
