"""Logins, refreshes and logouts with django-ninja-jwt."""

from __future__ import annotations

from functools import cache
from typing import Any

from ninja.params.models import ParamModel
from ninja_jwt import schema
from ninja_jwt.schema_control import SchemaControl
from ninja_jwt.settings import api_settings
from ninja_jwt.tokens import Token

from trackmate.integrations.token_requests import (
    LOGIN,
    LOGOUT,
    REFRESH,
    VERIFY,
    Purpose,
    TokenRequest,
    begin_token_request,
    watch_method,
    watch_web_tokens,
)
from trackmate.integrations.wrapping import call_before

CONFIGURED = SchemaControl(api_settings)
PURPOSES: dict[type, Purpose] = {
    schema.TokenInputSchemaMixin: LOGIN,
    schema.TokenRefreshInputSchema: REFRESH,
    schema.TokenRefreshSlidingInputSchema: REFRESH,
    schema.TokenVerifyInputSchema: VERIFY,
    schema.TokenBlacklistInputSchema: LOGOUT,
    CONFIGURED.obtain_pair_refresh_schema: REFRESH,
    CONFIGURED.obtain_sliding_refresh_schema: REFRESH,
    CONFIGURED.verify_schema: VERIFY,
    CONFIGURED.blacklist_schema: LOGOUT,
}
"""What an endpoint that takes one of these schemas is for."""


def install() -> None:
    """Wrap what reads the input of an operation: the schemas do their work in validators."""
    call_before(ParamModel, "resolve", _note_input)
    watch_method(schema.TokenInputSchemaMixin, "authenticate", LOGIN, _learn_user)
    watch_web_tokens(Token, api_settings)


def _note_input(params: type[ParamModel], *_args: Any, **_kwargs: Any) -> None:
    if (purpose := _purpose_of(params)) is not None:
        begin_token_request(purpose)


@cache
def _purpose_of(params: type[ParamModel]) -> Purpose | None:
    for field in params.model_fields.values():
        for base in getattr(field.annotation, "__mro__", ()):
            if base in PURPOSES:
                return PURPOSES[base]
    return None


def _learn_user(request: TokenRequest, credentials: Any, _result: Any) -> None:
    request.set_user(credentials._user)
