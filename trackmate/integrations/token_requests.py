"""Requests to the endpoints of token packages: what became of them is recorded when they end.

Whether a token was issued is certain only with the response: a view may still refuse it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, wraps
from types import SimpleNamespace
from typing import Any, NamedTuple

from django.contrib.auth import get_user_model
from django.db.models import Model

from trackmate.activity import Activity, Target, describe_actor
from trackmate.capture.accounts import account_with, identify_account
from trackmate.capture.events.merging import LOGINS
from trackmate.capture.events.receivers import is_tracked, record_auth_event
from trackmate.context.scope import Scope, current_scope
from trackmate.enums import FIRST_ERROR_STATUS, ActionType, Source, Status
from trackmate.integrations.wrapping import call_after
from trackmate.pipeline import never_raise

FIRST_SERVER_ERROR = 500


class Purpose(NamedTuple):
    """What a request to an endpoint of tokens is for."""

    action: str
    action_type: str


LOGIN = Purpose("auth.login", ActionType.LOGIN.value)
LOGOUT = Purpose("auth.logout", ActionType.LOGOUT.value)
REFRESH = Purpose("auth.token.refresh", ActionType.READ.value)
VERIFY = Purpose("auth.token.verify", ActionType.READ.value)


class TokenRequest:
    """A request that asks for a token, or sends one to be renewed, verified or revoked.

    Integrations set its attributes while it runs; it is called when it ends.
    """

    user: Any = None
    """The user of the token, or the name of an actor that is no user."""
    find_actor: Callable[[], tuple[Any, str]] | None = None
    """Returns the actor's key and label if `user` is unknown, with a query if need be."""
    client: Model | None = None
    """The application that the token is for."""
    details: Any = None
    """What the package knows about the request."""

    def __init__(self, purpose: Purpose) -> None:
        self.purpose = purpose

    def __call__(self, activity: Activity) -> None:
        """Record the outcome of the request that `activity` describes."""
        scope = current_scope()
        if scope is None:
            return
        if activity.status == Status.FAILED:
            self._record_refusal(scope, activity.status_code or FIRST_SERVER_ERROR)
        else:
            self._record_success(scope)

    def set_user(self, user: Any) -> None:
        """Set the user whose credentials or token were accepted."""
        if not getattr(user, "is_authenticated", False):
            return
        self.user = user
        if self.purpose is LOGIN and (scope := current_scope()) is not None:
            # The request has no user of its own.
            scope.actor = describe_actor(user)

    def _record_success(self, scope: Scope) -> None:
        action, action_type = self.purpose
        is_login = action_type in LOGINS
        if is_login and _has_event(scope, action_type):
            return  # Django's own signal was sent, too
        actor_id, actor_label = self._describe_actor()
        if is_login and actor_id is None and not actor_label:
            return  # nothing was issued or revoked
        is_for_client = self.client is not None and actor_id is not None
        record_auth_event(
            None,
            action_type,
            action=action,
            actor_id=actor_id,
            actor_label=actor_label,
            extra={"application": client_name(self.client)} if is_for_client else None,
        )

    def _describe_actor(self) -> tuple[Any, str]:
        if self.user is not None:
            return describe_actor(self.user)
        return self.find_actor() if self.find_actor is not None else (None, "")

    def _record_refusal(self, scope: Scope, status_code: int) -> None:
        action, action_type = self.purpose
        if self.purpose is LOGIN:
            action_type = ActionType.LOGIN_FAILED.value
            is_refused = FIRST_ERROR_STATUS <= status_code < FIRST_SERVER_ERROR
            if not is_refused or _has_event(scope, action_type):
                return
        record_auth_event(
            None, action_type, action=action, status=Status.FAILED, target=self._refused(scope)
        )

    def _refused(self, scope: Scope) -> Target | None:
        """Return the account or else the application whose request was refused."""
        account = self.user if isinstance(self.user, get_user_model()) else None
        if self.purpose is LOGIN and (account := account or scope.checked_account) is not None:
            # The password was right, so no signal was sent.
            name = {get_user_model().USERNAME_FIELD: account.get_username()}
            if (target := identify_account(name, account)) is not None:
                return target
        elif account is not None:
            return Target.without_query(account)
        return None if self.client is None else Target.without_query(self.client)


def _has_event(scope: Scope, action_type: str) -> bool:
    return any(
        each.source == Source.AUTH and each.action_type == action_type for each in scope.activities
    )


@never_raise
def begin_token_request(purpose: Purpose) -> TokenRequest | None:
    """Return the current request as one to an endpoint of tokens, or None if it is not recorded.

    What the request is for is decided by the first call.
    """
    scope = current_scope()
    if scope is None or scope.closed or not is_tracked():
        return None
    request = current_token_request()
    if request is None:
        request = scope.token_request = TokenRequest(purpose)
    return request


def current_token_request() -> TokenRequest | None:
    """Return the current request if it is one to an endpoint of tokens."""
    scope = current_scope()
    request = scope.token_request if scope is not None else None
    return request if isinstance(request, TokenRequest) else None


def client_name(client: Any) -> str:
    """Return the name of an application, or its public id."""
    return str(getattr(client, "name", "") or getattr(client, "client_id", ""))


Learn = Callable[[TokenRequest, Any, Any], None]


def watch_method(cls: type, name: str, purpose: Purpose | None, learn: Learn | None = None) -> None:
    """Let a method begin a token request, or with None for its purpose only belong to one.

    `learn(request, instance, result)` is called after the method, with None if it has raised.
    """
    own = cls.__dict__.get(name)
    learn = never_raise(learn) if learn is not None else None

    @wraps(getattr(cls, name))
    def watched(instance: Any, *args: Any, **kwargs: Any) -> Any:
        # An inherited method may come from a class that a subclass has added.
        method = own.__get__(instance) if own else getattr(super(cls, instance), name)
        request = begin_token_request(purpose) if purpose else current_token_request()
        result = None
        try:
            result = method(*args, **kwargs)
        finally:
            if request is not None and learn is not None:
                learn(request, instance, result)
        return result

    setattr(cls, name, watched)


def watch_web_tokens(token_class: Any, settings: Any) -> None:
    """Learn whose JSON web token was sent from the claims of a token that was found valid."""

    def learn(_result: Any, token: Any, *_args: Any, **_kwargs: Any) -> None:
        key = token.get(settings.USER_ID_CLAIM)
        if (request := current_token_request()) is not None and key is not None:
            request.find_actor = partial(_find_actor, settings.USER_ID_FIELD, key)

    call_after(token_class, "verify", learn)


def _find_actor(field: str, key: Any) -> tuple[Any, str]:
    """Return key and label of the user that a token names: one query, when the request ends."""
    if (user := account_with(field, key)) is not None:
        return describe_actor(user)
    primary_key = get_user_model()._meta.pk
    if field not in ("pk", primary_key.name, primary_key.attname):
        return None, ""
    return describe_actor(SimpleNamespace(pk=key, get_username=str))
