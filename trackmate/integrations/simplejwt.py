"""Logins, refreshes and logouts with djangorestframework-simplejwt.

Its views leave all of it to serializers, which projects also use in views of their own.
"""

from __future__ import annotations

from typing import Any

from rest_framework_simplejwt import serializers
from rest_framework_simplejwt.tokens import Token

from trackmate.integrations.token_requests import (
    LOGIN,
    LOGOUT,
    REFRESH,
    VERIFY,
    TokenRequest,
    current_token_request,
    watch_method,
    watch_web_tokens,
)
from trackmate.integrations.wrapping import call_before

PURPOSES = {
    serializers.TokenObtainSerializer: LOGIN,
    serializers.TokenRefreshSerializer: REFRESH,
    serializers.TokenRefreshSlidingSerializer: REFRESH,
    serializers.TokenVerifySerializer: VERIFY,
    serializers.TokenBlacklistSerializer: LOGOUT,
}


def install() -> None:
    """Wrap the validation of the serializers; there are no signals."""
    for serializer, purpose in PURPOSES.items():
        watch_method(serializer, "run_validation", purpose, _learn_user)
    # The object that the serializers use: a change of settings makes another one.
    settings = serializers.api_settings  # type: ignore[attr-defined]
    watch_web_tokens(Token, settings)
    # The one place where a refresh shows the user that it has loaded, which saves a query.
    call_before(settings, "USER_AUTHENTICATION_RULE", _learn_from_rule)


def _learn_user(request: TokenRequest, serializer: Any, _result: Any) -> None:
    request.set_user(getattr(serializer, "user", None))


def _learn_from_rule(user: Any) -> None:
    if (request := current_token_request()) is not None:
        request.set_user(user)
