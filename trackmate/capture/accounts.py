"""The name of an account beside a password: whose it is, and whether it may be kept.

People type their password where the name belongs, so only a name that exists is no secret.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from unicodedata import normalize
from urllib.parse import parse_qs, parse_qsl, urlencode

from django.contrib.auth import get_user_model
from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.db import router
from django.db.models import Model, Q

from trackmate.activity import Activity, text_of
from trackmate.conf import get_settings
from trackmate.context import Scope, current_scope
from trackmate.deadlines import limited
from trackmate.enums import Source
from trackmate.pipeline import guarded
from trackmate.redaction import MASK, Sanitizer, clean_line, keyed_hash
from trackmate.redaction.vocabulary import PASSWORDS
from trackmate.transactions import protected_transactions

MAX_IDENTIFIER = 255
NAMES = ("username", "email", "login", "user", "mail", "account", "identifier")
"""What forms call the name of an account, beside the fields of the user model."""


def identify(credentials: Mapping[str, Any]) -> tuple[str, Model | None]:
    """Return the label of a failed login and, if it names an existing user, that user."""
    mode = get_settings().FAILED_LOGIN_IDENTIFIER
    name, given = _name_among(credentials)
    if given is None:
        return "", None
    identifier = clean_line(text_of(given), MAX_IDENTIFIER)
    if mode == "none":
        _mask_in_request(identifier)
        return "", None
    if mode == "full":
        return identifier, None
    account = find_account(identifier, name) if mode == "known" else None
    if account:
        return identifier, account
    _mask_in_request(identifier)
    return f"sha256:{keyed_hash(identifier.casefold(), 'identifier')}", None


def _name_among(credentials: Mapping[str, Any]) -> tuple[str, Any]:
    """Return what a project logs in with: the name of a credential and its value."""
    candidates = (get_user_model().USERNAME_FIELD, *NAMES, *filter(_is_user_field, credentials))
    return next(
        ((name, credentials[name]) for name in candidates if credentials.get(name)), ("", None)
    )


@guarded
def find_account(identifier: str, name: str = "") -> Model | None:
    """Return the user of that name: by the field `name`, the user name or the e-mail address."""
    model = get_user_model()
    condition = Q(**{model.USERNAME_FIELD: identifier})
    if name != model.USERNAME_FIELD and _is_user_field(name):
        condition |= Q(**{name: identifier})
    email = getattr(model, "EMAIL_FIELD", "")
    if email and "@" in identifier:
        # Not regardless of case: that would read all users where no index is made for it.
        condition |= Q(**{f"{email}__in": {identifier, identifier.lower()}})
    alias = router.db_for_read(model)
    try:
        with protected_transactions(), limited(alias, get_settings().WRITE_TIMEOUT):
            return model._base_manager.using(alias).filter(condition).first()
    except (ValueError, TypeError, ValidationError):
        return None  # no value of such a field


def _is_user_field(name: str) -> bool:
    if "password" in name:
        return False
    try:
        field = get_user_model()._meta.get_field(name)
    except FieldDoesNotExist:
        return False
    return bool(field.concrete) and not field.is_relation


def _mask_in_request(identifier: str) -> None:
    """Let the request's own activity not contain in clear what the failed login does not."""
    if (scope := current_scope()) is not None:
        scope.secrets.add(identifier)
        scope.enrichments.append(lambda activity: _without(identifier, activity))


# --- a form that no login has judged -------------------------------------------------------------


def mask_unjudged_names(activity: Activity, scope: Scope) -> Activity:
    """Mask a name beside a password that belongs to no account.

    A blank password or a stale CSRF token sends no signal, and neither do many logins by token.
    Where a login was tried, its signal has settled what may be seen.
    """
    if not isinstance(activity.data, dict) or _is_judged(activity, scope):
        return activity
    if not _may_name_a_password(activity.data):
        return activity
    fields = list(_fields(activity.data))
    if not any(_is_password(name) for name, _value in fields):
        return activity
    query = parse_qs((activity.extra or {}).get("query", ""), errors="replace")
    candidates = {
        value: name for name, value in (*fields, *_fields(query)) if value and _is_name(name)
    }
    for value, name in list(candidates.items())[:MAX_VALUES]:
        if not _is_known(value, name):
            scope.secrets.add(value)
            activity = _without(value, activity)
    return activity


def _is_judged(activity: Activity, scope: Scope) -> bool:
    return (
        activity.actor_id is not None
        or get_settings().FAILED_LOGIN_IDENTIFIER == "full"
        or any(each.source == Source.AUTH for each in scope.activities)
    )


def _is_known(identifier: str, name: str) -> bool:
    if get_settings().FAILED_LOGIN_IDENTIFIER != "known":
        return False
    return find_account(clean_line(identifier, MAX_IDENTIFIER), name) is not None


def _may_name_a_password(data: dict[str, Any]) -> bool:
    """Return False at a glance for most forms and JSON, which need not be searched closely."""
    try:
        text = json.dumps(data, ensure_ascii=False).lower()
    except (TypeError, ValueError, RecursionError):
        return True
    return any(stem in text for stem in _STEMS)


def _is_password(name: str) -> bool:
    """Return True for the password of a login; "password1" is that of somebody who signs up."""
    last = _LAST_WORD.search(name)
    return last is not None and (last[0] in PASSWORDS or last[0].endswith(("password", "pass")))


def _is_name(name: str) -> bool:
    last = _LAST_WORD.search(name)
    model = get_user_model()
    usual = (model.USERNAME_FIELD.lower(), getattr(model, "EMAIL_FIELD", "").lower(), *NAMES)
    return last is not None and bool(last[0]) and (last[0] in usual or name in usual)


def _fields(data: Any, depth: int = 3) -> Iterator[tuple[str, str]]:
    """Yield the names in a form or in JSON, in lower case, with the texts behind them."""
    for name, value in data.items() if isinstance(data, dict) else ():
        for each in value[:MAX_VALUES] if isinstance(value, list) else (value,):
            if isinstance(each, dict) and depth:
                yield from _fields(each, depth - 1)
            elif each is None or isinstance(each, str):
                yield str(name).lower(), each or ""
                for found in _INLINE.finditer(each or ""):
                    yield found[1].lower(), found[3]


MAX_VALUES = 10
_LAST_WORD = re.compile(r"[^\W_]*$")
# As in GraphQL: login(username: "...", password: "...")
_INLINE = re.compile(r"(\w{1,64}+)[\"']?\s{0,3}[:=]\s{0,3}([\"'])((?:(?!\2)[^\\]|\\.){0,255}+)\2")
# One of them is in every word for a password.
_STEMS = (
    "pass",
    "pw",
    *sorted(each for each in PASSWORDS if "pass" not in each and "pw" not in each),
)


def _without(identifier: str, activity: Activity) -> Activity:
    folded = _folded(identifier)

    def mask(text: str) -> str:
        if _folded(text) == folded:
            return MASK
        if identifier not in text:
            return text
        return _INLINE.sub(
            lambda found: _with_value(found, MASK) if found[3] == identifier else found[0], text
        )

    data = Sanitizer(text=mask)(activity.data)
    extra = activity.extra
    if extra and "query" in extra:
        pairs = parse_qsl(extra["query"], keep_blank_values=True, errors="replace")
        if any(_folded(value) == folded for _name, value in pairs):
            masked = [(name, mask(value)) for name, value in pairs]
            extra = {**extra, "query": urlencode(masked, errors="replace")}
    return activity.with_(data=data, extra=extra)


def _with_value(found: re.Match[str], value: str) -> str:
    start, end = found.start(3) - found.start(), found.end(3) - found.start()
    return f"{found[0][:start]}{value}{found[0][end:]}"


def _folded(identifier: str) -> str:
    # As forms do with what is typed.
    return clean_line(normalize("NFKC", identifier).strip(), MAX_IDENTIFIER).casefold()
