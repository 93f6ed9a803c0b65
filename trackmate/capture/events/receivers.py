"""Receivers of signals: logins, logouts, failed logins, unhandled exceptions and exports."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.http import HttpRequest

from trackmate.activity import Activity, describe_actor
from trackmate.capture.accounts import identify_account
from trackmate.capture.actors import request_impersonator, request_user
from trackmate.capture.clients import describe_client
from trackmate.clock import aware
from trackmate.conf import get_settings
from trackmate.context.scope import current_scope
from trackmate.enums import ActionType, Source, Status
from trackmate.pipeline import is_recording, never_raise, record


@never_raise
def on_login(*, user: Any = None, request: HttpRequest | None = None, **_kwargs: Any) -> None:
    """Record a login."""
    if (scope := current_scope()) is not None:
        scope.checked_account = None
    if is_tracked():
        record_auth_event(request, ActionType.LOGIN, action="auth.login", **_actor(user))


@never_raise
def on_logout(*, user: Any = None, request: HttpRequest | None = None, **_kwargs: Any) -> None:
    """Record a logout, unless the user was anonymous."""
    if user is None or not is_recording():
        return
    if (scope := current_scope()) is not None:
        # The request ends as an anonymous one.
        scope.actor = describe_actor(user)
    if is_tracked():
        # The session is gone when the request ends.
        found = request_impersonator(request, user.pk) if request is not None else None
        values = {**_actor(user), **(found or {})}
        record_auth_event(request, ActionType.LOGOUT, action="auth.logout", **values)


@never_raise
def on_login_failed(
    *,
    credentials: Mapping[str, Any] | None = None,
    request: HttpRequest | None = None,
    **_kwargs: Any,
) -> None:
    """Record a failed login, with its account as `FAILED_LOGIN_IDENTIFIER` allows."""
    if not is_tracked():
        return
    action = "auth.login"
    if (scope := current_scope()) is not None:
        action, scope.failed_login_action = scope.failed_login_action, action
    record_auth_event(
        request,
        ActionType.LOGIN_FAILED,
        action=action,
        status=Status.FAILED,
        target=identify_account(credentials or {}),
    )


@never_raise
def on_exception(**_kwargs: Any) -> None:
    """Store the exception in the scope of its request."""
    if (scope := current_scope()) is not None:
        scope.exception = sys.exc_info()[1]


@never_raise
def on_export(
    *,
    request: HttpRequest,
    filters: dict[str, str],
    since: datetime | None,
    until: datetime,
    format: str,  # noqa: A002 (the name in the signal)
    rows: int,
    is_complete: bool,
    **_kwargs: Any,
) -> None:
    """Record an export with its filters and number of rows."""
    activity = Activity.now(
        action="trackmate.export",
        action_type="Export",
        data={
            "filters": filters,
            "since": since and aware(since).isoformat(),
            "until": aware(until).isoformat(),
            "format": format,
            "rows": rows,
            "is_complete": is_complete,
        },
        **_actor(request_user(request)),
        **describe_client(request),
    )
    # The response is being streamed, outside of the scope of its request.
    record(activity)


def is_tracked() -> bool:
    """Return True if logins and events of accounts are recorded."""
    return get_settings().TRACK_AUTH and is_recording()


def _actor(user: Any) -> dict[str, Any]:
    actor_id, actor_label = describe_actor(user) if user is not None else (None, "")
    return {"actor_id": actor_id, "actor_label": actor_label}


def record_auth_event(request: HttpRequest | None, action_type: str, **values: Any) -> None:
    """Record an event of an account, with the client of a request that no middleware has seen."""
    if request is not None and current_scope() is None:
        # Without the middleware nothing else adds the client.
        values.update(describe_client(request))
    record(Activity.now(source=Source.AUTH, action_type=action_type, **values))
