"""`bind()` and `suppress()`: what is added to activities, or not recorded, inside a block."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, overload

from trackmate.activity import Activity, describe_actor
from trackmate.context.blocks import ContextBlock
from trackmate.context.scope import current_scope

F = TypeVar("F", bound=Callable[..., Any])


class bind(ContextBlock):  # noqa: N801 (used as a verb, like contextlib.suppress)
    """Name, for everything recorded inside the block, its actor, its request id and extra facts.

    `actor` is a user, or the name of an actor that is no user; other keywords go to `extra`.
    Blocks nest; the inner one wins. As a decorator it works on functions, sync and async, and on
    generators of both kinds.

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
            # It is the id of the whole request, whenever the project comes to know it.
            scope.request_id = self._values["request_id"]
        super().__enter__()


def _bound_values() -> dict[str, Any]:
    """Return what is bound here, by name; inner blocks win."""
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
    """Record nothing of what happens inside the block, or inside the function it decorates.

    As a decorator, bare or called, it works on functions, sync and async, and on generators of
    both kinds.

    >>> with suppress():
    ...     rebuild_everything()
    """
    return Suppression() if function is None else Suppression()(function)


def is_suppressed() -> bool:
    """Return True if the code that runs is inside `suppress()`."""
    return bool(Suppression.active())


def apply_context(activity: Activity) -> Activity:
    """Return `activity` with what is bound here and with the id of the request it belongs to."""
    bound, scope = _bound_values(), current_scope()
    if not bound and scope is None:
        return activity
    values = {
        name: value
        for name, value in bound.items()
        if name != "extra" and not getattr(activity, name)
    }
    if activity.actor_label:
        # An activity that names its actor does not get half of another one.
        values.pop("actor_id", None)
    if "extra" in bound:
        values["extra"] = {**bound["extra"], **(activity.extra or {})}
    if scope is not None and not activity.request_id and "request_id" not in values:
        values["request_id"] = scope.request_id
    return activity.replace(**values)
