"""Background tasks: what travels from a request to the worker, and the activity of each run."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError

from trackmate.activity import Activity, as_plain_str
from trackmate.capture.actors import (
    loaded_user,
    request_actor,
    request_impersonator,
    tenant_without_query,
)
from trackmate.capture.reasons import sent_reason
from trackmate.conf import get_settings
from trackmate.context.binding import bind, bound_values
from trackmate.context.correlation import current_trace
from trackmate.context.scope import Scope, current_scope
from trackmate.db.transactions import no_queries
from trackmate.diagnostics import describe_exception
from trackmate.enums import ActionType, Source, Status
from trackmate.pipeline import never_raise, record
from trackmate.redaction.redactor import get_redactor
from trackmate.redaction.text import clean_line

HEADER = "trackmate"
"""The name under which the origin of a task is kept in its message."""

MAX_LENGTHS = {
    "actor_label": 255,
    "impersonator_label": 255,
    "request_id": 64,
    "tenant": 64,
    "trace_id": 32,
    "reason": 1_000,
}
"""The texts of an origin, with their maximum lengths."""

_TRACE_ID = re.compile(r"[0-9a-f]{32}")
_PERSONS = ("actor", "impersonator")


# --- what travels


@never_raise
def current_origin() -> dict[str, Any]:
    """Return who starts a task now, in which request and why, as JSON-ready data.

    The values of `bind()` come before those of the request. It runs no query: the user of the
    request is known once something has read `request.user`.
    """
    scope = current_scope()
    values = {**(_values_of(scope) if scope is not None else {}), **bound_values()}
    origin: dict[str, Any] = {
        name: clean_line(as_plain_str(values[name]), length)
        for name, length in MAX_LENGTHS.items()
        if values.get(name)
    }
    if "reason" in origin:
        reason = get_redactor().mask_text(origin["reason"])
        origin["reason"] = clean_line(reason, MAX_LENGTHS["reason"])
    for person in _PERSONS:
        if (key := values.get(f"{person}_id")) is not None:
            origin[f"{person}_id"] = key if isinstance(key, int) else str(key)
    return origin


def _values_of(scope: Scope) -> dict[str, Any]:
    if (activity := scope.request_activity) is not None:
        names = (*MAX_LENGTHS, "actor_id", "impersonator_id")
        return {name: getattr(activity, name) for name in names}
    request = scope.request
    values: dict[str, Any] = {
        "request_id": scope.request_id,
        "trace_id": scope.trace_id or current_trace(),
        "reason": sent_reason(request, None),
        "tenant": tenant_without_query(request),
    }
    with no_queries():
        actor = request_actor(request, scope.actor, find_user=loaded_user)
    values["actor_id"], values["actor_label"] = actor or (None, "")
    if loaded_user(request) is not None:
        # Else nobody has read the session, which knows the impersonator.
        values |= request_impersonator(request, values["actor_id"]) or {}
    return {**values, **scope.bound}


def read_origin(header: Any) -> dict[str, Any]:
    """Return the values of an origin that a message has brought, without whatever is invalid."""
    if not isinstance(header, Mapping):
        return {}
    origin: dict[str, Any] = {
        name: text
        for name, length in MAX_LENGTHS.items()
        if isinstance(text := header.get(name), str) and 0 < len(text) <= length
    }
    if not _TRACE_ID.fullmatch(origin.get("trace_id", "")):
        origin.pop("trace_id", None)
    for person in _PERSONS:
        if (key := header.get(f"{person}_id")) is None:
            continue
        if _is_key_of_user(key):
            origin[f"{person}_id"] = key
        else:
            # The label is that of another person then.
            origin.pop(f"{person}_label", None)
    return origin


def _is_key_of_user(key: Any) -> bool:
    if isinstance(key, bool) or not isinstance(key, (int, str)):
        return False
    field: Any = get_user_model()._meta.pk
    while field.remote_field:
        # The key of a parent model, whose existence would be queried.
        field = field.target_field
    try:
        field.clean(key, None)
    except (ValidationError, ValueError, TypeError, OverflowError):
        return False
    return True


# --- the run


@dataclass(frozen=True, slots=True)
class TaskRun:
    """A task that is running."""

    task_id: str
    activity: Activity
    started: float
    """On the monotonic clock, in seconds."""
    block: bind


_runs: ContextVar[tuple[TaskRun, ...]] = ContextVar("trackmate_runs", default=())
"""The running tasks of this context; a task may run another one within itself."""


@never_raise
def begin_task(
    name: str, task_id: str, *, origin: Any = None, queue: Any = None, attempt: int | None = None
) -> None:
    """Bind the origin of a task to everything that is recorded until `end_task()`."""
    if is_running(task_id):
        # Known already: a queue that runs the tasks of another package.
        return
    activity = _describe_run(name, task_id, origin=origin, queue=queue, attempt=attempt)
    values = {name: value for name in MAX_LENGTHS if (value := getattr(activity, name))}
    for person in _PERSONS:
        key, label = getattr(activity, f"{person}_id"), getattr(activity, f"{person}_label")
        if key is not None or label:
            values |= {f"{person}_id": key, f"{person}_label": label}
    block = bind.of_values({**values, "extra": {"task": name}})
    run = TaskRun(task_id, activity, perf_counter(), block)
    block.__enter__()
    _runs.set((*_runs.get(), run))


def is_running(task_id: str) -> bool:
    """Return True if a task is running in this context."""
    return any(run.task_id == task_id for run in _runs.get())


@never_raise
def end_task(task_id: str, error: BaseException | None = None, **outcome: Any) -> None:
    """Record the run of a task that has begun, with its error and with more about its outcome."""
    run = next((each for each in reversed(_runs.get()) if each.task_id == task_id), None)
    if run is None:
        return
    _runs.set(tuple(each for each in _runs.get() if each is not run))
    run.block.__exit__(None, None, None)
    _record_run(run.activity, error, perf_counter() - run.started, outcome)


@never_raise
def record_lost_task(
    name: str,
    task_id: str,
    error: BaseException | None = None,
    *,
    origin: Any = None,
    queue: Any = None,
    attempt: int | None = None,
    **outcome: Any,
) -> None:
    """Record the failure of a task that never ran, or whose process was killed."""
    activity = _describe_run(name, task_id, origin=origin, queue=queue, attempt=attempt)
    _record_run(activity.replace(status=Status.FAILED.value), error, None, outcome)


def _describe_run(
    name: str, task_id: str, *, origin: Any, queue: Any, attempt: int | None
) -> Activity:
    extra = {"task_id": task_id, "attempt": attempt, "queue": queue}
    activity = Activity.now(
        source=Source.TASK.value,
        action=name,
        action_type=ActionType.ACTION.value,
        extra={name: value for name, value in extra.items() if value},
    )
    if current_scope() is not None:
        # It runs within the request that has started it, which knows its actor when it ends.
        return activity
    values = read_origin(origin)
    # Ties together what one run records.
    request_id = values.get("request_id") or bound_values().get("request_id")
    return activity.replace(**{**values, "request_id": request_id or activity.id.hex})


def _record_run(
    activity: Activity, error: BaseException | None, seconds: float | None, outcome: dict[str, Any]
) -> None:
    wanted = get_settings().TRACK_TASKS
    if wanted is False or (wanted is not True and activity.action not in wanted):
        return
    extra = {**activity.extra, **{name: value for name, value in outcome.items() if value}}
    if error is not None:
        extra["exception"] = describe_exception(error)
        activity = activity.replace(status=Status.FAILED.value)
    record(activity.replace(execution_time=seconds, extra=extra))
