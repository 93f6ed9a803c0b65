"""Tokens of django-oauth-toolkit: who gets one, revokes one, or sends one with a request.

Its signal is not sent for devices and refusals, and does not have the user at hand.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial, wraps
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import Model
from oauth2_provider.models import AbstractAccessToken, AbstractRefreshToken
from oauth2_provider.oauth2_backends import OAuthLibCore
from oauth2_provider.oauth2_validators import OAuth2Validator
from oauth2_provider.views import IntrospectTokenView, RevokeTokenView, TokenView

from trackmate.activity import describe_actor
from trackmate.context.scope import current_scope
from trackmate.enums import ActionType
from trackmate.integrations.token_requests import (
    LOGIN,
    LOGOUT,
    REFRESH,
    VERIFY,
    Purpose,
    TokenRequest,
    client_name,
    current_token_request,
    watch_method,
)
from trackmate.integrations.wrapping import call_after, call_before
from trackmate.pipeline import never_raise

POLL = Purpose("auth.token.poll", ActionType.READ.value)
"""A device asks whether its user has agreed yet."""
PENDING = ("authorization_pending", "slow_down")
BAD_REQUEST = 400


def install() -> None:
    """Wrap the endpoints, and what authenticates clients and tokens."""
    watch_method(TokenView, "post", LOGIN, _learn_issued)
    watch_method(RevokeTokenView, "post", LOGOUT, _learn_client)
    for name in ("get", "post"):
        watch_method(IntrospectTokenView, name, VERIFY)
    for name in ("client_authentication_required", "authenticate_client"):
        setattr(OAuth2Validator, name, _remember_request(getattr(OAuth2Validator, name)))
    for model in (AbstractAccessToken, AbstractRefreshToken):
        # The answer is the same if there was no token.
        call_before(model, "revoke", _remember_owner)
    # The views of the package leave the request without a user.
    call_after(OAuthLibCore, "verify_request", _remember_bearer)


def _learn_issued(request: TokenRequest, view: Any, response: Any) -> None:
    _learn_client(request, view, response)
    sent = request.details
    grant = getattr(sent, "grant_type", None) or view.request.POST.get("grant_type")
    if grant == "refresh_token":
        request.purpose = REFRESH
    elif _is_pending(response):
        request.purpose = POLL
    # Its attributes may as well be parameters that the client has sent.
    if isinstance(user := getattr(sent, "user", None), get_user_model()):
        request.set_user(user)
    elif request.client is not None:
        request.find_actor = partial(describe_actor, _client_label(request.client))


def _learn_client(request: TokenRequest, _view: Any, _response: Any) -> None:
    if isinstance(client := getattr(request.details, "client", None), Model):
        request.client = client


def _is_pending(response: Any) -> bool:
    if response is None or response.status_code != BAD_REQUEST:
        return False
    content = json.loads(response.content or "{}")
    return isinstance(content, dict) and content.get("error") in PENDING


def _client_label(client: Model) -> str:
    return f"oauth:{client_name(client)}"


def _remember_request(check: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a method of the validator that gets the request, which learns client and user."""

    @wraps(check)
    def watched(validator: Any, sent: Any, *args: Any, **kwargs: Any) -> Any:
        if (request := current_token_request()) is not None:
            request.details = sent
        result = check(validator, sent, *args, **kwargs)
        if result and check.__name__ == "authenticate_client":
            _remember_client(sent)
        return result

    return watched


@never_raise
def _remember_client(sent: Any) -> None:
    """Make the client the actor of a request to a resource, unless there is a user."""
    scope = current_scope()
    if scope is not None and scope.actor is None and current_token_request() is None:
        _set_actor(sent)


def _remember_bearer(result: tuple[bool, Any], *_args: Any, **_kwargs: Any) -> None:
    is_valid, sent = result
    if is_valid:
        _set_actor(sent)


def _set_actor(sent: Any) -> None:
    if (scope := current_scope()) is None:
        return
    if isinstance(user := getattr(sent, "user", None), get_user_model()):
        scope.actor = describe_actor(user)
    elif isinstance(client := getattr(sent, "client", None), Model):
        scope.actor = None, _client_label(client)


def _remember_owner(token: Any, *_args: Any, **_kwargs: Any) -> None:
    request = current_token_request()
    if request is not None and getattr(token, "revoked", None) is None:
        request.find_actor = partial(_find_owner, token, request)


def _find_owner(token: Any, request: TokenRequest) -> tuple[Any, str]:
    """Return key and label of a token's user, else of its client."""
    if token.user_id is not None:
        return describe_actor(token.user)
    return describe_actor(_client_label(request.client) if request.client is not None else "")
