"""Adding the values of the request to the activities recorded during it."""

from __future__ import annotations

from typing import Any

from trackmate.activity import Activity
from trackmate.context.scope import current_scope
from trackmate.enums import ActionType

_FACTS = (
    "ip_address",
    "user_agent",
    "session_hash",
    "method",
    "path",
    "route",
    "tenant",
    "trace_id",
    "reason",
)


def enrich(activity: Activity) -> Activity:
    """Add the request's actor and client to the other activities of that request."""
    scope = current_scope()
    if scope is None or scope.request_activity is None or activity is scope.request_activity:
        return activity
    request = scope.request_activity
    missing: dict[str, Any] = {
        name: getattr(request, name) for name in _FACTS if not getattr(activity, name)
    }
    if activity.request_id in ("", scope.id.hex, scope.received_id):
        # The project may have bound another id since.
        missing["request_id"] = request.request_id
    if not activity.has_actor and activity.action_type != ActionType.LOGIN_FAILED:
        missing.update(actor_id=request.actor_id, actor_label=request.actor_label)
    is_same_actor = missing.get("actor_id", activity.actor_id) == request.actor_id
    if is_same_actor and not activity.has_impersonator:
        missing.update(
            impersonator_id=request.impersonator_id, impersonator_label=request.impersonator_label
        )
    return activity.replace(**missing)
