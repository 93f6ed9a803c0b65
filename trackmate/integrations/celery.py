"""Celery: each run of a task, with the actor of whoever has published it."""

from __future__ import annotations

import sys
from typing import Any

from celery import signals, states
from celery.exceptions import Reject

from trackmate.capture.events.tasks import (
    HEADER,
    begin_task,
    current_origin,
    end_task,
    is_running,
    record_lost_task,
)
from trackmate.pipeline import never_raise

FAILURES = frozenset({states.FAILURE, states.RETRY, states.REJECTED})


def install() -> None:
    """Connect Celery's signals."""
    signals.before_task_publish.connect(_on_publish, dispatch_uid="trackmate.publish")
    signals.task_prerun.connect(_on_start, dispatch_uid="trackmate.start")
    signals.task_postrun.connect(_on_end, dispatch_uid="trackmate.end")
    signals.task_failure.connect(_on_failure, dispatch_uid="trackmate.failure")
    signals.task_revoked.connect(_on_revoked, dispatch_uid="trackmate.revoked")


@never_raise
def _on_publish(*, headers: dict[str, Any] | None = None, **_kwargs: Any) -> None:
    if headers is not None and (origin := current_origin()):
        headers[HEADER] = origin


@never_raise
def _on_start(*, task: Any, task_id: str, **_kwargs: Any) -> None:
    begin_task(task.name, task_id, **_describe(task.request))


@never_raise
def _on_end(*, task_id: str, retval: Any = None, state: str | None = None, **_kwargs: Any) -> None:
    if state is None:
        # An exception that Celery passes on, such as SystemExit.
        end_task(task_id, sys.exc_info()[1])
    elif state in FAILURES:
        end_task(task_id, _cause(retval), state=state if state != states.FAILURE else "")
    else:
        end_task(task_id, state=state if state != states.SUCCESS else "")


def _cause(error: Any) -> BaseException:
    """Return the exception for which a task is tried again, or the one that it has raised."""
    cause = getattr(error, "exc", None) or error
    return cause if isinstance(cause, BaseException) else RuntimeError(str(cause))


@never_raise
def _on_failure(
    *, sender: Any, task_id: str, exception: BaseException | None = None, **_kwargs: Any
) -> None:
    # In the process that runs the task, the end of the run records it. In the parent, the process
    # has been killed: by a time limit, or for its memory.
    if not is_running(task_id) and not isinstance(exception, Reject):
        record_lost_task(sender.name, task_id, exception, **_describe(sender.request))


@never_raise
def _on_revoked(*, sender: Any, request: Any, expired: bool = False, **_kwargs: Any) -> None:
    record_lost_task(
        sender.name, request.id, state=states.REVOKED, expired=expired, **_describe(request)
    )


def _describe(request: Any) -> dict[str, Any]:
    return {
        "origin": getattr(request, HEADER, None),
        "queue": (request.delivery_info or {}).get("routing_key"),
        "attempt": (request.retries or 0) + 1,
    }
