"""Accounts that django-axes locks: the failed login is the one that has locked them."""

from __future__ import annotations

from typing import Any

from axes.signals import user_locked_out
from django.http import HttpRequest

from trackmate.capture.accounts import identify_account
from trackmate.capture.events.receivers import is_tracked, record_auth_event
from trackmate.context.scope import current_scope
from trackmate.enums import ActionType, Status
from trackmate.pipeline import never_raise

_ACTION = "auth.lockout"


def install() -> None:
    """Connect the signal."""
    user_locked_out.connect(_on_lockout, dispatch_uid="trackmate.axes")


@never_raise
def _on_lockout(*, request: HttpRequest | None = None, username: Any = None, **_kw: Any) -> None:
    """Give the failed login its name: axes and trackmate learn of it by the same signal."""
    if not is_tracked():
        return
    scope = current_scope()
    if scope is None:
        record_auth_event(
            request,
            ActionType.LOGIN_FAILED,
            action=_ACTION,
            status=Status.FAILED.value,
            target=identify_account({"username": username}),
        )
        return
    last = scope.activities[-1] if scope.activities else None
    if last and (last.action, last.action_type) == ("auth.login", ActionType.LOGIN_FAILED):
        scope.activities[-1] = last.replace(action=_ACTION)
    else:
        # Depends on the order in INSTALLED_APPS.
        scope.failed_login_action = _ACTION
