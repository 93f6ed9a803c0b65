"""Recording one change of one object."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import DEFAULT_DB_ALIAS
from django.db.models import Model

from trackmate.activity import Activity, Target, label_of, safe_str
from trackmate.capture.actors import request_actor
from trackmate.capture.clients import describe_client
from trackmate.capture.model_changes.columns.plans import Part
from trackmate.capture.model_changes.columns.values import references
from trackmate.context.binding import apply_context
from trackmate.context.scope import current_scope
from trackmate.db.commitments import hold, release
from trackmate.db.keys import serialize_key
from trackmate.enums import ActionType, Source
from trackmate.pipeline import record_at_once, record_if_kept
from trackmate.registry import Registration
from trackmate.triggers.installed import has_triggers

TYPES = {
    "create": ActionType.CREATE.value,
    "update": ActionType.UPDATE.value,
    "delete": ActionType.DELETE.value,
}


def describe_part(part: Part, instance: Model) -> Target:
    """Return an object as one of a registered model: itself, or its parent."""
    target = Target.without_query(instance)
    model = label_of(part.registration.model)
    if model == target.model:
        return target
    return Target(
        model=model, object_id=safe_str(getattr(instance, part.key)), object_repr=target.object_repr
    )


class _NoName(str):
    """The name that an object of a database lacks."""

    using: str | None = None


def unnamed_target(model: type[Model], key: Any, using: str) -> Target:
    """Return an object of which only the key is known; it is named before it is delivered."""
    name = _NoName()
    name.using = _other_database(using)
    return Target(model=label_of(model), object_id=safe_str(key), object_repr=name)


def database_of(target: Target) -> str | None:
    """Return the database of an object without a name, or None if it is the default."""
    return getattr(target.object_repr, "using", None)


def _other_database(alias: str) -> str | None:
    return None if alias == DEFAULT_DB_ALIAS else alias


def target_of(instance: Model, registration: Registration) -> Target:
    """Return the target of an instance of a registered model."""
    named = Target.without_query(instance)
    return Target(
        model=label_of(registration.model),
        object_id=serialize_key(instance) or "",
        object_repr=named.object_repr,
    )


def record_change(
    registration: Registration,
    verb: str,
    target: Target | None,
    changes: Any,
    *,
    using: str,
    extra: dict[str, Any] | None = None,
) -> None:
    """Record a change, or a summary of several if there is no object."""
    if has_triggers(registration, using):
        return
    if using != DEFAULT_DB_ALIAS:
        for each in references(changes):
            each.using = using
    activity = Activity.now(
        source=Source.MODEL.value,
        action=f"{label_of(registration.model)}.{verb}",
        action_type=TYPES[verb],
        target=target,
        changes=changes or None,
        extra=extra,
    )
    if registration.options.guarantee == "transaction":
        record_at_once(_with_request(apply_context(activity)))
    else:
        record_if_kept(activity, using)


@contextmanager
def together(using: str) -> Iterator[None]:
    """Deliver what is recorded inside the block with one INSERT."""
    holder = object()
    hold(using, holder)
    try:
        yield
    finally:
        release(using, holder)


def _with_request(activity: Activity) -> Activity:
    """Return the activity with what is known of the request by now."""
    scope = current_scope()
    if scope is None:
        return activity
    known = describe_client(scope.request)
    if not activity.has_actor:
        actor_id, actor_label = request_actor(scope.request, scope.actor) or (None, "")
        known |= {"actor_id": actor_id, "actor_label": actor_label}
    return activity.replace(**known)
