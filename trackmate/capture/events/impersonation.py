"""Impersonation: when somebody begins and ends to act as somebody else, and who it is meanwhile.

The packages for it log the account in, or the person back in. That is no login of either.
"""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from functools import lru_cache, wraps
from time import monotonic
from typing import Any

from django.contrib.auth import SESSION_KEY, get_user_model
from django.db.models import Model
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from trackmate.activity import Activity, Target, describe_actor, label_of
from trackmate.capture.accounts import account_with
from trackmate.capture.actors import read_session, request_user
from trackmate.capture.events.receivers import is_tracked, record_auth_event
from trackmate.conf import get_settings
from trackmate.context.scope import Scope, current_scope
from trackmate.db.keys import parse_key
from trackmate.enums import ActionType, Source, Status
from trackmate.pipeline import never_raise

BEGIN = "auth.impersonation.begin"
END = "auth.impersonation.end"

Person = tuple[Any, str]
"""Key and label of a user."""

_REMEMBERED = "trackmate_impersonator"
"""The session's key for the person's key and label, which no request has to query then."""

_LABEL_SECONDS = 300
"""How long a label is kept that a session does not have."""


@never_raise
def record_begin(
    request: HttpRequest | None, person: Person, account: Model, *, reason: str = ""
) -> None:
    """Record that a person has begun to act as an account."""
    _record(request, BEGIN, person, account, reason=reason)


@never_raise
def record_end(request: HttpRequest | None, person: Person, account: Model) -> None:
    """Record that a person no longer acts as an account."""
    _record(request, END, person, account)


def _record(
    request: HttpRequest | None, action: str, person: Person, account: Model, *, reason: str = ""
) -> None:
    if is_tracked():
        key, label = person
        record_auth_event(
            request,
            ActionType.ACTION,
            action=action,
            actor_id=key,
            actor_label=label,
            target=Target.without_query(account),
            reason=reason,
        )


def forget_event(action: str, user: Any) -> None:
    """Remove the latest login or logout of a user from the current request."""
    if (scope := current_scope()) is None:
        return
    found = [
        each
        for each in scope.activities
        if each.source == Source.AUTH and each.action == action and each.actor_id == user.pk
    ]
    if found:
        scope.change(lambda events: [each for each in events if each is not found[-1]])


def watch_attempts(view: Callable[..., Any], account_key: Callable[..., Any]) -> Callable[..., Any]:
    """Return a view with which impersonation begins, whose request has failed if it did not.

    Packages answer with a redirect to those who may not do it. `account_key` is called like the
    view, and returns the key of the account, or None.
    """

    @wraps(view)
    def watched(*args: Any, **kwargs: Any) -> Any:
        try:
            return view(*args, **kwargs)
        finally:
            _expect_begin(account_key, args, kwargs)

    return watched


@never_raise
def _expect_begin(
    account_key: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    scope = current_scope()
    if scope is None or not get_settings().TRACK_AUTH or _has_begun(scope):
        return
    # It comes from the client.
    key = parse_key(get_user_model(), account_key(*args, **kwargs))
    target = None if key is None else Target(model=label_of(get_user_model()), object_id=str(key))

    def describe(activity: Activity, _response: HttpResponseBase | None) -> Activity:
        return activity.replace(
            source=Source.AUTH.value,
            action=BEGIN,
            action_type=ActionType.ACTION.value,
            status=Status.FAILED.value,
            target=target,
        )

    scope.describe_outcome = describe


def _has_begun(scope: Scope) -> bool:
    return any(each.action == BEGIN for each in scope.activities)


def remember_person(session: MutableMapping[str, Any], person: Person, key: Any = None) -> None:
    """Keep the person in a session that is being changed anyway, for whoever looks for `key`.

    It is the person's own, unless the package only knows an account on the way.
    """
    session[_REMEMBERED] = [str(person[0] if key is None else key), str(person[0]), person[1]]


def remembered_person(session: Any, key: Any) -> Person | None:
    """Return the person that a session has for a key."""
    match session.get(_REMEMBERED):
        case [str() as known, str() as person, str() as label] if known == str(key):
            return get_user_model()._meta.pk.to_python(person), label
    return None


def find_person(session: Any, key: Any) -> Person:
    """Return the person with that key, whose label the session should have."""
    if (person := remembered_person(session, key)) is not None:
        return person
    value = get_user_model()._meta.pk.to_python(key)
    return value, _label_of(value, monotonic() // _LABEL_SECONDS) or ""


@never_raise
@lru_cache(maxsize=1_000)
def _label_of(key: Any, _slot: float) -> str:
    user = account_with("pk", key)
    return "" if user is None else describe_actor(user)[1]


def impersonated_session(request: HttpRequest) -> Any:
    """Return the data of the session that the request's user comes from, else an empty one.

    A request with a token may have somebody else's session.
    """
    session, user = read_session(request), request_user(request)
    meta = getattr(user, "_meta", None)
    if meta is None or session.get(SESSION_KEY) != meta.pk.value_to_string(user):
        return {}
    return session
