"""Logins, logouts and failed logins, from the signals of `django.contrib.auth`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest

from trackmate.activity import Activity, Target, describe_actor
from trackmate.capture.accounts import identify_account
from trackmate.capture.clients import describe_client
from trackmate.conf import get_settings
from trackmate.context import current_scope
from trackmate.enums import ActionType, Source, Status
from trackmate.pipeline import is_recording, never_raise, record


@never_raise
def on_login(*, user: Any = None, request: HttpRequest | None = None, **_kwargs: Any) -> None:
    """Record a login."""
    _record_auth_event("auth.login", ActionType.LOGIN, request, user=user)


@never_raise
def on_logout(*, user: Any = None, request: HttpRequest | None = None, **_kwargs: Any) -> None:
    """Record a logout, unless the user was anonymous."""
    if user is None or not is_recording():
        return
    scope = current_scope()
    if scope is not None:
        # The request ends as an anonymous one.
        scope.actor = describe_actor(user)
    _record_auth_event("auth.logout", ActionType.LOGOUT, request, user=user)


@never_raise
def on_login_failed(
    *,
    credentials: Mapping[str, Any] | None = None,
    request: HttpRequest | None = None,
    **_kwargs: Any,
) -> None:
    """Record a failed login, with its account as `FAILED_LOGIN_IDENTIFIER` allows."""
    if not _is_tracked():
        return
    label, account = identify_account(credentials or {})
    activity = _build_activity(
        request,
        action="auth.login",
        action_type=ActionType.LOGIN_FAILED,
        status=Status.FAILED,
        actor_label=label,
        target=Target.from_instance(account) if account is not None else None,
    )
    record(activity)


def _record_auth_event(
    action: str, action_type: str, request: HttpRequest | None, *, user: Any
) -> None:
    if not _is_tracked():
        return
    actor_id, actor_label = describe_actor(user) if user is not None else (None, "")
    values = {"action": action, "action_type": action_type}
    record(_build_activity(request, **values, actor_id=actor_id, actor_label=actor_label))


def _is_tracked() -> bool:
    return get_settings().TRACK_AUTH and is_recording()


def _build_activity(request: HttpRequest | None, **values: Any) -> Activity:
    if request is not None and current_scope() is None:
        # Without the middleware nothing else adds the client.
        values.update(describe_client(request))
    return Activity.now(source=Source.AUTH, **values)
