"""Logins, logouts and failed logins, from the signals of `django.contrib.auth`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from typing import Any
from unicodedata import normalize
from urllib.parse import parse_qs, parse_qsl, urlencode

from django.contrib.auth import get_user_model
from django.db import router, transaction
from django.db.models import Model
from django.http import HttpRequest

from trackmate.activity import Activity, Target, actor_of, text_of
from trackmate.capture.clients import facts_of
from trackmate.conf import get_settings
from trackmate.context import Scope, current_scope
from trackmate.enums import ActionType, Source, Status
from trackmate.pipeline import guarded, is_recording, record
from trackmate.redaction import MASK, Walk, clean_line, keyed_hash, redactor

MAX_IDENTIFIER = 255


@guarded
def on_login(*, user: Any = None, request: HttpRequest | None = None, **_kwargs: Any) -> None:
    """Record a login."""
    _record("auth.login", ActionType.LOGIN, request, user=user)


@guarded
def on_logout(*, user: Any = None, request: HttpRequest | None = None, **_kwargs: Any) -> None:
    """Record a logout, unless nobody was logged in."""
    if user is None or not is_recording():
        return
    scope = current_scope()
    if scope is not None:
        # At its end the request is anonymous, yet it was this user who made it.
        scope.actor = actor_of(user)
    _record("auth.logout", ActionType.LOGOUT, request, user=user)


@guarded
def on_login_failed(
    *,
    credentials: Mapping[str, Any] | None = None,
    request: HttpRequest | None = None,
    **_kwargs: Any,
) -> None:
    """Record a failed login, naming the account that was tried as the settings allow."""
    if not _is_wanted():
        return
    label, account = _identify(credentials or {})
    activity = _activity(
        request,
        action="auth.login",
        action_type=ActionType.LOGIN_FAILED,
        status=Status.FAILED,
        actor_label=label,
        target=Target.of(account) if account is not None else None,
    )
    record(activity)


def _record(action: str, action_type: str, request: HttpRequest | None, *, user: Any) -> None:
    if not _is_wanted():
        return
    actor_id, actor_label = actor_of(user) if user is not None else (None, "")
    values = {"action": action, "action_type": action_type}
    record(_activity(request, **values, actor_id=actor_id, actor_label=actor_label))


def _is_wanted() -> bool:
    return get_settings().TRACK_AUTH and is_recording()


def _activity(request: HttpRequest | None, **values: Any) -> Activity:
    if request is not None and current_scope() is None:
        # No middleware of ours will add where it came from.
        values.update(facts_of(request))
    return Activity.now(source=Source.AUTH, **values)


# --- who was tried ---------------------------------------------------------------------------


def _identify(credentials: Mapping[str, Any]) -> tuple[str, Model | None]:
    """Return the label of a failed login and, if it names an existing user, that user."""
    mode = get_settings().FAILED_LOGIN_IDENTIFIER
    given = _name_among(credentials)
    if given is None:
        return "", None
    identifier = clean_line(text_of(given), MAX_IDENTIFIER)
    if mode == "none":
        _hide_from_request(identifier)
        return "", None
    if mode == "full":
        return identifier, None
    account = _account_named(identifier) if mode == "known" else None
    # People type their password where the name belongs; only a name that exists is no secret.
    if account:
        return identifier, account
    _hide_from_request(identifier)
    return f"sha256:{_hash(identifier)}", None


def _name_among(credentials: Mapping[str, Any]) -> Any:
    return next((credentials[name] for name in _names() if credentials.get(name)), None)


def _names() -> tuple[str, ...]:
    """Return what the name of an account is called, the likeliest first."""
    return (get_user_model().USERNAME_FIELD, "username", "email")


def _hide_from_request(identifier: str) -> None:
    """Let the request's own activity not say in clear what the failed login does not."""
    scope = current_scope()
    if scope is None:
        return
    redactor(scope.secrets).hide(identifier)

    scope.enrichments.append(lambda activity: _without(identifier, activity))


def without_refused_name(activity: Activity, scope: Scope) -> Activity:
    """Mask the name beside a password that nobody has judged: the form was refused before.

    A blank password or a stale CSRF token sends no signal, and the name may be a password all the
    same. Where a login was tried, the signal has settled what may be seen.
    """
    if activity.actor_id is not None or not isinstance(activity.data, dict):
        return activity
    if _was_judged(activity, scope):
        return activity
    fields = list(_fields(activity.data)) if _may_name_a_password(activity.data) else []
    if not any(name == "password" for name, _value in fields):
        return activity
    query = (activity.extra or {}).get("query", "")
    names = {name.lower() for name in _names()}
    for name, value in (*fields, *_fields(parse_qs(query, errors="replace"))):
        if name in names and value:
            activity = _without(value, activity)
    return activity


def _was_judged(activity: Activity, scope: Scope) -> bool:
    return (
        activity.status_code in _TAKEN
        or get_settings().FAILED_LOGIN_IDENTIFIER == "full"
        or any(each.source == Source.AUTH for each in scope.activities)
    )


def _may_name_a_password(data: dict[str, Any]) -> bool:
    """Say at a glance whether a form or JSON has to be looked at closely: most need not."""
    try:
        return "password" in json.dumps(data).lower()
    except (TypeError, ValueError, RecursionError):
        return True


def _fields(data: Any, depth: int = 3) -> Iterator[tuple[str, str]]:
    """Yield the last word of each name in a form or in JSON, with the texts behind it."""
    for name, value in data.items() if isinstance(data, dict) else ():
        for each in value[:MAX_VALUES] if isinstance(value, list) else (value,):
            if isinstance(each, dict) and depth:
                yield from _fields(each, depth - 1)
            elif each is None or isinstance(each, str):
                yield _LAST_WORD.search(str(name).lower())[0], each or ""  # type: ignore[index]


MAX_VALUES = 10
_LAST_WORD = re.compile(r"[^\W_]*$")  # always found, if only at the end

_TAKEN = frozenset({201, 204, 301, 302, 303, 307, 308})
"""Status codes of a form that was accepted."""


def _without(identifier: str, activity: Activity) -> Activity:
    folded = _folded(identifier)

    def mask(text: str) -> str:
        return MASK if _folded(text) == folded else text

    data = Walk(text=mask)(activity.data)
    extra = activity.extra
    if extra and "query" in extra:
        pairs = parse_qsl(extra["query"], keep_blank_values=True, errors="replace")
        if any(_folded(value) == folded for _name, value in pairs):
            masked = [(name, mask(value)) for name, value in pairs]
            extra = {**extra, "query": urlencode(masked, errors="replace")}
    return activity.with_(data=data, extra=extra)


def _folded(identifier: str) -> str:
    # As forms do with what is typed.
    return clean_line(normalize("NFKC", identifier).strip(), MAX_IDENTIFIER).casefold()


@guarded
def _account_named(identifier: str) -> Model | None:
    model = get_user_model()
    users = model._base_manager
    alias = router.db_for_read(model)
    in_transaction = transaction.get_connection(alias).in_atomic_block
    with transaction.atomic(using=alias) if in_transaction else nullcontext():
        return users.using(alias).filter(**{model.USERNAME_FIELD: identifier}).first()


def _hash(identifier: str) -> str:
    return keyed_hash(identifier.casefold(), "identifier")
