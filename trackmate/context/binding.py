"""`bind()` and `suppress()`: add values to activities, or record nothing, inside a block."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self, TypeVar, overload

from trackmate.activity import Activity, describe_actor
from trackmate.context.blocks import ContextBlock
from trackmate.context.correlation import current_trace
from trackmate.context.scope import current_scope
from trackmate.enums import ActionType

F = TypeVar("F", bound=Callable[..., Any])


_OF_REQUEST = ("tenant", "reason", "impersonator_id", "impersonator_label")
"""The bound values that the row of the request gets, too."""


class bind(ContextBlock):  # noqa: N801 (used as a verb, like contextlib.suppress)
    """Set the actor and other values of everything recorded inside the block.

    `actor` is a user, or the name of an actor without a user, `impersonator` whoever acts as the
    actor; `reason` says why. Other keywords go to `extra`. Within a request, its own row gets the
    request id, the tenant, the reason and the impersonator. Blocks nest, and the inner one wins.
    Also a decorator for functions and generators, sync and async.

    >>> with bind(actor="cron:nightly", job="invoices"):
    ...     send_invoices()
    """

    def __init__(
        self,
        *,
        actor: Any = None,
        impersonator: Any = None,
        tenant: str | None = None,
        reason: str = "",
        request_id: str | None = None,
        trace_id: str | None = None,
        **extra: Any,
    ) -> None:
        super().__init__()
        values: dict[str, Any] = {
            "tenant": tenant or None,
            "reason": reason or None,
            "request_id": request_id,
            "trace_id": trace_id,
            "extra": extra or None,
        }
        self._values = {name: value for name, value in values.items() if value is not None}
        for name, person in (("actor", actor), ("impersonator", impersonator)):
            if person is not None:
                key, label = describe_actor(person)
                self._values |= {f"{name}_id": key, f"{name}_label": label}

    @classmethod
    def of_values(cls, values: dict[str, Any]) -> Self:
        """Return a block that binds an activity's fields; a person's key and label together."""
        block = cls()
        block._values = values
        return block

    def __enter__(self) -> None:
        scope = current_scope()
        if scope is not None and not scope.closed:
            if "request_id" in self._values:
                # For the whole request, even for what was recorded before.
                scope.request_id = self._values["request_id"]
            scope.bound.update(
                {name: self._values[name] for name in _OF_REQUEST if name in self._values}
            )
        super().__enter__()


def bound_values() -> dict[str, Any]:
    """Return the bound values by field name; inner blocks win."""
    values: dict[str, Any] = {}
    for block in bind.active():
        extra = {**values.get("extra", {}), **block._values.get("extra", {})}
        values = {**values, **block._values}
        if extra:
            values["extra"] = extra
    return values


class Suppression(ContextBlock):
    """A block in which nothing is recorded."""


@overload
def suppress() -> Suppression: ...
@overload
def suppress(function: F, /) -> F: ...


def suppress(function: Any = None, /) -> Any:
    """Record nothing inside the block, or inside the decorated function.

    As a decorator, with or without parentheses, it works on functions and generators, sync and
    async.

    >>> with suppress():
    ...     rebuild_everything()
    """
    return Suppression() if function is None else Suppression()(function)


def is_suppressed() -> bool:
    """Return True inside `suppress()`."""
    return bool(Suppression.active())


def apply_context(activity: Activity) -> Activity:
    """Return `activity` with the bound values and the id of the current request."""
    bound, scope = bound_values(), current_scope()
    trace = activity.trace_id or bound.get("trace_id") or (scope and scope.trace_id)
    if not trace and (trace := current_trace()):
        activity = activity.replace(trace_id=trace)
    if not bound and scope is None:
        return activity
    values = {
        name: value
        for name, value in bound.items()
        if name != "extra" and not getattr(activity, name)
    }
    for name in ("actor", "impersonator"):
        if getattr(activity, f"{name}_label") or (
            name == "actor" and activity.action_type == ActionType.LOGIN_FAILED
        ):
            # Not the key of one person with the label of another. Failed logins have no actor.
            values.pop(f"{name}_id", None)
            values.pop(f"{name}_label", None)
    if "extra" in bound:
        values["extra"] = {**bound["extra"], **(activity.extra or {})}
    if scope is not None and not activity.request_id and "request_id" not in values:
        values["request_id"] = scope.request_id
    return activity.replace(**values) if values else activity
