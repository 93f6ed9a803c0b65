"""What a request did, as its login, the admin's log or the framework of its view describe it.

The first of them wins, in the order of `apply_outcome()`; nothing is guessed from the words of an
address.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from django.db.models import Model
from django.http.response import HttpResponseBase

from trackmate.activity import Activity, label_of
from trackmate.capture.events.merging import (
    LOGINS,
    join_entries,
    merge_documents,
    merge_events,
    object_of,
)
from trackmate.context.scope import Scope, enter_scope, leave_scope
from trackmate.enums import FIRST_ERROR_STATUS, ActionType, Source, Status
from trackmate.pipeline import finish, never_raise
from trackmate.processors import is_excluded

PageDescriber = Callable[[Activity, Scope, HttpResponseBase | None], Activity | None]

_SESSION_TYPES = frozenset({ActionType.LOGIN.value, ActionType.LOGOUT.value})
_OF_LOGIN = ("source", "action", "action_type", "status", "actor_id", "actor_label", "target")

page_describers: list[PageDescriber] = []
"""Functions of integrations that know a request by its route: they return its activity, or None.

They may add to `scope.activities`, which holds what has not been rolled back.
"""


def action_name(model: type[Model], verb: str) -> str:
    """Return the name of an action on a model: "shop.order.update"."""
    return f"{label_of(model)}.{verb}"


@never_raise
def apply_outcome(activity: Activity, scope: Scope, response: HttpResponseBase | None) -> Activity:
    """Return the activity of a request with what is known about it.

    A login, logout or account event of the request comes first, then the admin's log, then the
    framework of the view, and last the method and the status code. What is folded into the activity
    of the request is removed from the scope.
    """
    if scope.commitments:
        scope.change(lambda events: finish([each for each in events if _is_kept(each, scope)]))
    activity = _describe_by_view(activity, scope, response) or activity
    activity = _describe_by_page(activity, scope, response) or activity
    _record_token_request(activity, scope)
    if not scope.activities:
        return activity
    scope.change(lambda events: merge_events(join_entries(events)))
    if is_excluded(activity.method, scope.request.path_info, scope):
        # The events are recorded without the request's data.
        return activity
    events = _describing_events(scope.activities, activity)
    if (event := _main_event(events)) is not None:
        return _fold(activity, scope, event)
    if events:
        return _summarize(activity, events)
    return _describe_by_changes(activity, scope.activities)


@never_raise
def _describe_by_view(
    activity: Activity, scope: Scope, response: HttpResponseBase | None
) -> Activity | None:
    describe = scope.describe_outcome
    return describe(activity, response) if describe is not None else None


@never_raise
def _describe_by_page(
    activity: Activity, scope: Scope, response: HttpResponseBase | None
) -> Activity | None:
    for describe in page_describers:
        if (described := describe(activity, scope, response)) is not None:
            return described
    return None


@never_raise
def _record_token_request(activity: Activity, scope: Scope) -> None:
    if scope.token_request is None:
        return
    token = enter_scope(scope)
    try:
        scope.token_request(activity)
    finally:
        leave_scope(token)


def _is_kept(activity: Activity, scope: Scope) -> bool:
    commitment = scope.commitments.get(activity.id)
    return commitment is None or commitment.is_kept


def _describing_events(events: Sequence[Activity], request: Activity) -> list[Activity]:
    """Return the events that describe the request: those of accounts, else the admin's."""
    has_failed = (request.status_code or FIRST_ERROR_STATUS) >= FIRST_ERROR_STATUS
    # A request that has failed after an event is another thing than the event.
    events = [each for each in events if each.status == Status.FAILED or not has_failed]
    auth = [each for each in events if each.source == Source.AUTH]
    return auth or [each for each in events if each.source == Source.ADMIN]


def _describe_by_changes(request: Activity, activities: Sequence[Activity]) -> Activity:
    """Return the activity of a request that has changed one object in one way, as that change.

    The change itself stays an activity of its own. What the framework says about the same object
    may be more exact.
    """
    changes = [each for each in activities if each.source == Source.MODEL]
    acts = {(each.action, object_of(each)) for each in changes}
    if len(acts) != 1 or (request.status_code or FIRST_ERROR_STATUS) >= FIRST_ERROR_STATUS:
        return request
    change = changes[0]
    if change.target is None or (request.target is not None or request.action != request.route):
        return request
    return request.replace(
        action=change.action, action_type=change.action_type, target=change.target
    )


def _main_event(events: Sequence[Activity]) -> Activity | None:
    """Return the event that the request was made for, or None."""
    if logins := [each for each in events if each.action_type in LOGINS]:
        return logins[-1]
    return events[0] if len({object_of(each) for each in events}) == 1 else None


def _fold(request: Activity, scope: Scope, event: Activity) -> Activity:
    """Return the activity of a request with the values of its event."""
    folded = [event, *_with_same_meaning(scope.activities, event)]
    scope.change(lambda events: [each for each in events if each not in folded])
    values: dict[str, Any] = {
        name: getattr(event, name)
        for name in ("action", "action_type", "target", "reason")
        if getattr(event, name)
    }
    if event.status == Status.FAILED:
        values["status"] = event.status
    if event.action_type == ActionType.LOGIN_FAILED:
        # Nothing else is known about the account.
        values["target"] = event.target
    values |= {**_actor_values(event), **_impersonator_values(request, event)}
    values["remarks"] = next((each.remarks for each in folded if each.remarks), request.remarks)
    for name in ("changes", "extra"):
        documents = [getattr(request, name), *(getattr(each, name) for each in folded)]
        values[name] = merge_documents(documents) or None
    return request.replace(source=event.source, **values)


def _with_same_meaning(events: Sequence[Activity], event: Activity) -> list[Activity]:
    """Return the repetitions of a login, and the admin's entries about the object of an event."""
    others = [each for each in events if each is not event]
    # knox, and those who call `login()` before it, send the same signal for the same login.
    repeated = [each for each in others if _is_same_login(each, event)]
    if event.target is None:
        return repeated
    about_same = (each for each in others if object_of(each) == object_of(event))
    return [*repeated, *(each for each in about_same if each.source == Source.ADMIN)]


def _actor_values(event: Activity) -> dict[str, Any]:
    if event.action_type == ActionType.LOGIN_FAILED:
        # Whoever tried it is unknown.
        return {"actor_id": None, "actor_label": ""}
    if event.has_actor:
        return {"actor_id": event.actor_id, "actor_label": event.actor_label}
    return {}


def _impersonator_values(request: Activity, event: Activity) -> dict[str, Any]:
    if event.has_impersonator:
        key, label = event.impersonator_id, event.impersonator_label
    elif event.actor_id is not None and event.actor_id == request.impersonator_id:
        # The person themselves, who has just begun to act as somebody else.
        key, label = None, ""
    else:
        return {}
    return {"impersonator_id": key, "impersonator_label": label}


def _is_same_login(activity: Activity, event: Activity) -> bool:
    # Each failed login counts: a request can try many passwords.
    return event.action_type in _SESSION_TYPES and all(
        getattr(activity, name) == getattr(event, name) for name in _OF_LOGIN
    )


def _summarize(request: Activity, events: Sequence[Activity]) -> Activity:
    """Return the activity of a request that did one thing to several objects, each with a row."""
    names = {(each.action, each.action_type) for each in events}
    if len(names) != 1:
        return request
    ((action, action_type),) = names
    # A page may know of more objects than have a row.
    extra = {"objects": len(events), **(request.extra or {})}
    return request.replace(action=action, action_type=action_type, target=None, extra=extra)
