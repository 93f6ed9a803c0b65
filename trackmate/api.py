"""`track()`: record an activity of one's own, at once or around a block."""

from __future__ import annotations

from contextvars import copy_context
from datetime import UTC, datetime
from time import perf_counter
from types import TracebackType
from typing import Any, Self
from weakref import finalize

from django.db.models import Model

from trackmate.activity import Activity, Target, actor_of, plain
from trackmate.context import current_scope
from trackmate.enums import Status
from trackmate.pipeline import call_in_thread, carried, guarded, record
from trackmate.redaction import Sanitizer
from trackmate.reporting import exception_of


class track:  # noqa: N801 (used as a verb)
    """Record a custom activity: when called, or timed when used as a context manager.

    `action` is the stable name of the event, `content_object` the model instance it was done to,
    `actor` a user or the name of an actor that is no user (default: who made the request, or what
    `bind()` names). `data`, `changes` and `extra` are kept as JSON, redacted.

    >>> track("report.exported", content_object=report, data={"rows": 1200})

    Around a block the activity gets the time the block took and, if it raises, the status Failed
    and the exception, which goes on its way. What is known only inside can be set there:

    >>> with track("sync.orders") as activity:
    ...     activity.data = {"orders": sync()}

    `async with` works the same. A call that nobody uses as a context manager is recorded as soon
    as its result is dropped, which for a bare statement is at once.
    """

    def __init__(
        self,
        action: str,
        /,
        *,
        action_type: str = "",
        content_object: Model | None = None,
        remarks: str = "",
        status: str = Status.SUCCESS,
        data: Any = None,
        changes: Any = None,
        extra: dict[str, Any] | None = None,
        actor: Any = None,
    ) -> None:
        self.action = action
        self.action_type = action_type
        self.content_object = content_object
        self.remarks = remarks
        self.status = status
        self.data = data
        self.changes = changes
        self.extra = extra
        self.actor = actor
        self._moment = datetime.now(UTC)
        self._started = perf_counter()
        # Only what happens next tells a call from a block; at the latest the program's end does.
        # By then another request may run here; the context of this one is kept for it.
        self._call = finalize(self, copy_context().run, _record, self._describe())

    def __enter__(self) -> Self:
        self._call.detach()
        self._moment = datetime.now(UTC)
        self._started = perf_counter()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        _record(self._finish(error))

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        activity = self._finish(error)
        if current_scope() is not None or kind is GeneratorExit:
            # A coroutine that is being closed must not wait any more.
            _record(activity)
        else:
            await call_in_thread(carried(_record), activity)

    def _finish(self, error: BaseException | None) -> Activity | None:
        seconds = perf_counter() - self._started
        if error is not None:
            self.status = Status.FAILED
            self.extra = {**(self.extra or {}), "exception": exception_of(error)}
        return self._describe(seconds)

    @guarded
    def _describe(self, seconds: float | None = None) -> Activity:
        actor_id, actor_label = actor_of(self.actor) if self.actor is not None else (None, "")
        # Copies, since what the project does with its own data afterwards is its own business.
        data, changes, extra = (
            None if value is None else Sanitizer()(value)
            for value in (self.data, self.changes, self.extra)
        )
        return Activity.at(
            self._moment,
            action=plain(self.action),
            action_type=plain(self.action_type),
            status=plain(self.status, Status.SUCCESS.value),
            execution_time=seconds,
            actor_id=actor_id,
            actor_label=actor_label,
            target=_target_of(self.content_object),
            remarks=plain(self.remarks),
            data=data,
            changes=changes,
            extra=extra,
        )


@guarded
def _target_of(instance: Model | None) -> Target | None:
    # What is no model instance costs the activity its object, and nothing else.
    return None if instance is None else Target.of(instance)


# The first one registers what it does at exit. Handlers that the project registers after that run
# before it, so what they track is recorded.
finalize(track, int)


def _record(activity: Activity | None) -> None:
    if activity is not None:
        record(activity)
