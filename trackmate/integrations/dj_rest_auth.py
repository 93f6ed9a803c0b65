"""Logins and logouts with dj-rest-auth, with and without a session."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from dj_rest_auth.views import LoginView, LogoutView
from django.apps import apps

from trackmate.integrations.token_requests import LOGIN, LOGOUT, TokenRequest, watch_method


def install() -> None:
    """Wrap the views: without `SESSION_LOGIN` there are no signals."""
    watch_method(LoginView, "post", LOGIN, _learn_user)
    # A login with a second factor comes here from another view.
    watch_method(LoginView, "get_response", LOGIN, _learn_user)
    watch_method(LogoutView, "logout", LOGOUT, _learn_who_leaves)
    if apps.is_installed("dj_rest_auth.mfa"):
        second_factor = import_module("dj_rest_auth.mfa.views").MFAVerifyView
        watch_method(second_factor, "post", LOGIN)


def _learn_user(request: TokenRequest, view: Any, _result: Any) -> None:
    # Whoever has a second factor has no token yet.
    if view.access_token or view.token:
        request.set_user(view.user)


def _learn_who_leaves(request: TokenRequest, view: Any, _response: Any) -> None:
    request.set_user(view.request.user)
