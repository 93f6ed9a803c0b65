"""Logins with django-rest-knox.

It sends Django's signals for what succeeds; without them, refusals would look like any request.
"""

from __future__ import annotations

from typing import Any

from knox.views import LoginView

from trackmate.integrations.token_requests import LOGIN, TokenRequest, watch_method


def install() -> None:
    """Wrap the view for users who are refused a further token."""
    watch_method(LoginView, "post", LOGIN, _learn_user)


def _learn_user(request: TokenRequest, view: Any, _response: Any) -> None:
    request.set_user(view.request.user)
