"""`bind()` and `suppress()`: add values to activities, or record nothing, inside a block."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, overload

from trackmate.activity import Activity, describe_actor
from trackmate.context.blocks import ContextBlock
from trackmate.context.scope import current_scope

F = TypeVar("F", bound=Callable[..., Any])


class bind(ContextBlock):  # noqa: N801 (used as a verb, like contextlib.suppress)
    """Set the actor, the request id and extra values of everything recorded inside the block.

    `actor` is a user, or the name of an actor without a user; other keywords go to `extra`. Blocks
    nest, and the inner one wins. Also a decorator for functions and generators, sync and async.

    >>> with bind(actor="cron:nightly", job="invoices"):
    ...     send_invoices()
    """

    def __init__(self, *, actor: Any = None, request_id: str | None = None, **extra: Any) -> None:
        super().__init__()
        self._values: dict[str, Any] = {"extra": extra} if extra else {}
        if actor is not None:
            self._values["actor_id"], self._values["actor_label"] = describe_actor(actor)
        if request_id is not None:
            self._values["request_id"] = request_id

    def __enter__(self) -> None:
        scope = current_scope()
        if scope is not None and "request_id" in self._values:
            # For the whole request, even for what was recorded before.
            scope.request_id = self._values["request_id"]
        super().__enter__()


def _bound_values() -> dict[str, Any]:
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
    bound, scope = _bound_values(), current_scope()
    if not bound and scope is None:
        return activity
    values = {
        name: value
        for name, value in bound.items()
        if name != "extra" and not getattr(activity, name)
    }
    if activity.actor_label:
        # Not the key of one actor with the label of another.
        values.pop("actor_id", None)
    if "extra" in bound:
        values["extra"] = {**bound["extra"], **(activity.extra or {})}
    if scope is not None and not activity.request_id and "request_id" not in values:
        values["request_id"] = scope.request_id
    return activity.replace(**values)
