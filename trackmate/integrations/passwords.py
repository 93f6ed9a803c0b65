"""Whose password was checked in a request: the account of a failed login.

Only the project's authentication backends know by what they find an account: a phone number, a
secondary e-mail address, a membership card.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.contrib.auth.base_user import AbstractBaseUser

from trackmate.capture.actors import loaded_user
from trackmate.context.scope import current_scope


def install() -> None:
    """Wrap the methods of users that check a password; there is no signal for it."""
    for name in ("check_password", "acheck_password"):
        setattr(AbstractBaseUser, name, _remember_user(getattr(AbstractBaseUser, name)))


def _remember_user(check: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(check)
    def watched(user: AbstractBaseUser, *args: Any, **kwargs: Any) -> Any:
        scope = current_scope()
        # Whoever is logged in confirms it to the view, and not to a backend.
        if scope is not None and loaded_user(scope.request) is not user:
            scope.checked_account = user
        return check(user, *args, **kwargs)

    return markcoroutinefunction(watched) if iscoroutinefunction(check) else watched
