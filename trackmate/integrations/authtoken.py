"""Logins with the tokens of Django REST framework."""

from __future__ import annotations

from typing import Any

from rest_framework.authtoken.serializers import AuthTokenSerializer
from rest_framework.authtoken.views import ObtainAuthToken

from trackmate.integrations.token_requests import LOGIN, TokenRequest, watch_method


def install() -> None:
    """Wrap the view, and the serializer for views of projects; there are no signals."""
    watch_method(AuthTokenSerializer, "run_validation", LOGIN, _learn_user)
    # Also called to draw up a schema.
    watch_method(ObtainAuthToken, "get_serializer", None, _remember_serializer)
    watch_method(ObtainAuthToken, "post", LOGIN, _learn_user_of_serializer)


def _learn_user(request: TokenRequest, _serializer: Any, validated: Any) -> None:
    if validated is not None:
        request.set_user(validated.get("user"))


def _remember_serializer(request: TokenRequest, _view: Any, serializer: Any) -> None:
    request.details = serializer


def _learn_user_of_serializer(request: TokenRequest, _view: Any, _response: Any) -> None:
    # The public property raises an error if the data are not validated.
    _learn_user(request, None, getattr(request.details, "_validated_data", None))
