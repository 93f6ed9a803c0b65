"""Recording that a change was put back, where saving it is not recorded anyway."""

from __future__ import annotations

from typing import Any

from django.db.models import Model
from django.http import HttpRequest

from trackmate.activity import Activity, Target, label_of
from trackmate.capture.clients import describe_client
from trackmate.context.scope import current_scope
from trackmate.enums import ActionType, Source
from trackmate.pipeline import never_raise, record_if_kept
from trackmate.registry import registration_of


@never_raise
def on_undo(
    *,
    sender: type[Model],
    request: HttpRequest,
    activity: Any,
    instance: Model,
    using: str,
    changes: dict[str, Any],
    **_kwargs: Any,
) -> None:
    """Record it for a model that is not registered, or not with these fields.

    The actor, the reason and what was undone are bound by the sender.
    """
    is_creation = activity.action_type == ActionType.DELETE
    if _is_recorded(sender, changes, "create" if is_creation else "update"):
        return
    # Without the middleware nothing else adds the client.
    client = describe_client(request) if current_scope() is None else {}
    undone = Activity.now(
        source=Source.MODEL,
        action=f"{label_of(sender)}.{'create' if is_creation else 'update'}",
        action_type=ActionType.CREATE if is_creation else ActionType.UPDATE,
        target=Target.from_instance(instance),
        changes=changes,
        **client,
    )
    record_if_kept(undone, using)


def _is_recorded(model: type[Model], changes: dict[str, Any], verb: str) -> bool:
    """Return True if saving these changes is recorded by itself."""
    registration = registration_of(model)
    if registration is None:
        return False
    on = registration.options.on
    names = {each.name for each in registration.fields} if verb in on else set()
    if "m2m" in on:
        names |= {each.name for each in registration.m2m_fields}
    return not names.isdisjoint(changes)
