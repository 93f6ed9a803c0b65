"""Whose password was checked in a request: the account of a failed login.

Only the project's authentication backends know by what they find an account: a phone number, a
secondary e-mail address, a membership card.
"""

from __future__ import annotations

from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser

from trackmate.capture.actors import loaded_user
from trackmate.context.scope import current_scope
from trackmate.integrations.wrapping import call_before


def install() -> None:
    """Wrap the methods of users that check a password; there is no signal for it."""
    for name in ("check_password", "acheck_password"):
        call_before(AbstractBaseUser, name, _remember_user)


def _remember_user(user: AbstractBaseUser, *_args: Any, **_kwargs: Any) -> None:
    scope = current_scope()
    # Whoever is logged in confirms it to the view, and not to a backend.
    if scope is not None and loaded_user(scope.request) is not user:
        scope.checked_account = user
