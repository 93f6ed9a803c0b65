"""RQ: each run of a job, with the actor of whoever has enqueued it."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from rq.job import Job

from trackmate.capture.events.tasks import HEADER, begin_task, current_origin, end_task
from trackmate.integrations.wrapping import call_after
from trackmate.pipeline import never_raise


def install() -> None:
    """Wrap the methods that make and run a job; RQ has no signals."""
    call_after(Job, "create", _add_origin)
    Job.perform = _recorded(Job.perform)


def _add_origin(job: Any, *_args: Any, **_kwargs: Any) -> None:
    if origin := current_origin():
        # Not into the dictionary of the caller, who may use it again.
        job.meta = {**job.meta, HEADER: origin}


def _recorded(perform: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(perform)
    def recorded(job: Any, /, *args: Any, **kwargs: Any) -> Any:
        _begin(job)
        try:
            result = perform(job, *args, **kwargs)
        except BaseException as error:
            end_task(job.id, error)
            raise
        end_task(job.id)
        return result

    return recorded


@never_raise
def _begin(job: Any) -> None:
    begin_task(
        job.func_name,
        job.id,
        origin=job.meta.get(HEADER),
        queue=job.origin,
        attempt=_attempt(job),
    )


def _attempt(job: Any) -> int | None:
    """Return the number of the attempt, or None where RQ knows only how many are left."""
    if job.number_of_retries:
        return int(job.number_of_retries) + 1
    return None if job.retries_left is not None else 1
