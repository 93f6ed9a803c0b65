"""`track()` and `tracking()`: record a custom activity, at once or around a block."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from datetime import UTC, datetime
from time import perf_counter
from typing import Any, Self

from django.db.models import Model

from trackmate.activity import Activity, Target, as_plain_str, describe_actor
from trackmate.context.scope import current_scope
from trackmate.diagnostics import describe_exception
from trackmate.enums import Status
from trackmate.pipeline import call_in_thread, never_raise, record, wrap_for_thread
from trackmate.redaction.sanitizer import Sanitizer


def track(
    action: str,
    *,
    action_type: str = "",
    content_object: Model | None = None,
    remarks: str = "",
    reason: str = "",
    status: str = Status.SUCCESS,
    data: Any = None,
    changes: Any = None,
    extra: dict[str, Any] | None = None,
    actor: Any = None,
) -> None:
    """Record a custom activity at once.

    `action` is the stable name of the event, `content_object` the model instance it was done to,
    `actor` a user or the name of an actor that is no user (default: who made the request, or what
    `bind()` names), `reason` why it was done. `data`, `changes` and `extra` are kept as JSON,
    redacted.

    >>> track("report.exported", content_object=report, data={"rows": 1200})
    """
    activity = tracking(
        action,
        action_type=action_type,
        content_object=content_object,
        remarks=remarks,
        reason=reason,
        status=status,
        data=data,
        changes=changes,
        extra=extra,
        actor=actor,
    )
    _record_activity(activity._to_activity())


@dataclass(eq=False, repr=False)
class tracking:  # noqa: N801 (used as a verb, like contextlib.suppress)
    """Record a block as a custom activity, with the time that it takes; takes what `track()` does.

    If the block raises, the activity has the status Failed and the exception, which propagates.
    What is known only inside the block can be set there:

    >>> with tracking("sync.orders") as activity:
    ...     activity.data = {"orders": sync()}

    `async with` works the same. Without `with`, nothing is recorded.
    """

    action: str
    _: KW_ONLY
    action_type: str = ""
    content_object: Model | None = None
    remarks: str = ""
    reason: str = ""
    status: str = Status.SUCCESS
    data: Any = None
    changes: Any = None
    extra: dict[str, Any] | None = None
    actor: Any = None

    def __post_init__(self) -> None:
        self._start()

    def _start(self) -> None:
        self._action_time = datetime.now(UTC)
        self._started = perf_counter()

    def __enter__(self) -> Self:
        self._start()
        return self

    def __exit__(self, _type: object, error: BaseException | None, _traceback: object) -> None:
        _record_activity(self._finish(error))

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, _type: object, error: BaseException | None, _traceback: object
    ) -> None:
        activity = self._finish(error)
        if current_scope() is not None or isinstance(error, GeneratorExit):
            # A coroutine that is being closed cannot wait.
            _record_activity(activity)
        else:
            await call_in_thread(wrap_for_thread(_record_activity), activity)

    @never_raise
    def _finish(self, error: BaseException | None) -> Activity | None:
        seconds = perf_counter() - self._started
        if error is not None:
            self.status = Status.FAILED
            extra = self.extra if isinstance(self.extra, Mapping) else {"extra": self.extra}
            self.extra = {**(extra if self.extra else {}), "exception": describe_exception(error)}
        return self._to_activity(seconds)

    @never_raise
    def _to_activity(self, seconds: float | None = None) -> Activity:
        actor_id, actor_label = describe_actor(self.actor) if self.actor is not None else (None, "")
        # Copies: the caller may change its data before they are stored.
        data, changes, extra = (
            None if value is None else Sanitizer()(value)
            for value in (self.data, self.changes, self.extra)
        )
        return Activity.at(
            self._action_time,
            action=as_plain_str(self.action),
            action_type=as_plain_str(self.action_type),
            status=as_plain_str(self.status, Status.SUCCESS.value),
            execution_time=seconds,
            actor_id=actor_id,
            actor_label=actor_label,
            target=_target_of(self.content_object),
            remarks=as_plain_str(self.remarks),
            reason=as_plain_str(self.reason),
            data=data,
            changes=changes,
            extra=extra,
        )


@never_raise
def _target_of(instance: Model | None) -> Target | None:
    # On its own, so that an object that cannot be described does not cost the activity.
    return None if instance is None else Target.from_instance(instance)


def _record_activity(activity: Activity | None) -> None:
    if activity is not None:
        record(activity)
