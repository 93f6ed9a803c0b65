"""Account names in login forms that no authentication signal was sent for."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from django.contrib.auth import get_user_model

from trackmate.activity import Activity
from trackmate.capture.accounts import (
    MAX_IDENTIFIER,
    find_account,
    mask_identifiers,
    mentions_password,
)
from trackmate.capture.events.merging import LOGINS
from trackmate.conf import get_settings
from trackmate.context.scope import Scope
from trackmate.redaction.detection.names import Sensitivity, words_of
from trackmate.redaction.detection.vocabulary import (
    LOGIN_NAMES,
    LOGIN_SECRETS,
    NOT_ACCOUNT_NAMES,
    PASSWORDS,
)
from trackmate.redaction.redactor import secret_names
from trackmate.redaction.text import clean_line

MAX_LOOKED_UP = 10
"""Maximum number of names looked up in one request; further ones count as unknown."""
MAX_FIELDS = 2_000
_encode = json.JSONEncoder(ensure_ascii=False).encode
MAX_DEPTH = 12


def mask_unknown_accounts(activity: Activity, scope: Scope, sent: Any) -> Activity:
    """Mask names next to a password if they belong to no account: they may be passwords, too.

    A blank password, a stale CSRF token and many token logins send no signal. If there was a
    signal, its receiver has masked the name. `sent` are the request's data, stored or not.
    """
    if (
        activity.actor_id is not None
        or get_settings().FAILED_LOGIN_IDENTIFIER == "full"
        or any(each.action_type in LOGINS for each in scope.activities)
    ):
        return activity
    query, referer = (activity.extra or {}).get("query", ""), _referer_query(activity)
    fields: list[tuple[str, str]] = []
    if sent and _may_contain_password(sent):
        fields += islice(_all_fields("", sent, MAX_DEPTH), MAX_FIELDS)
    if mentions_password(referer):
        fields += _query_fields(referer)
    if fields or mentions_password(query):
        fields += _query_fields(query)
    # Forms to sign up or to change a password have two.
    if len({name.lower() for name, _value in fields if _is_password(name)}) != 1:
        return activity
    # A word for a password is the name in a name-value pair, not a value.
    names = {
        value: name
        for name, value in fields
        if value and _is_account_name(name) and value.lower() not in PASSWORDS
    }
    unknown = [
        value
        for at, (value, name) in enumerate(names.items())
        if at >= MAX_LOOKED_UP or not _is_known(value, name)
    ]
    if not unknown:
        return activity
    scope.secrets.add(unknown)
    return mask_identifiers(unknown, activity)


def _referer_query(activity: Activity) -> str:
    headers = (activity.extra or {}).get("headers")
    referer = headers.get("Referer") if isinstance(headers, dict) else None
    try:
        return urlsplit(referer).query if isinstance(referer, str) else ""
    except ValueError:
        return ""


def _is_known(identifier: str, name: str) -> bool:
    if get_settings().FAILED_LOGIN_IDENTIFIER != "known":
        return False
    return find_account(clean_line(identifier.strip(), MAX_IDENTIFIER), name.lower()) is not None


def _may_contain_password(data: Any) -> bool:
    """Return False for data without the name of a password field."""
    try:
        return mentions_password(_encode(data))
    except (TypeError, ValueError, RecursionError):
        return True


def _is_password(name: str) -> bool:
    if secret_names().sensitivity(name) < Sensitivity.SECRET:
        return False
    words = words_of(name)
    if words[:1] == ("client",):
        # That of an application.
        return False
    return any(
        word in PASSWORDS or word in LOGIN_SECRETS or word.endswith(("password", "pass", "pw"))
        for word in (*words, "".join(words))
    )


def _is_account_name(name: str) -> bool:
    words = words_of(name)
    model = get_user_model()
    fields = (model.USERNAME_FIELD.lower(), getattr(model, "EMAIL_FIELD", "").lower())
    if not words or secret_names().sensitivity(name) >= Sensitivity.SECRET:
        return False
    if name.lower() in fields or words == ("log",):
        return True
    return words[-1] not in NOT_ACCOUNT_NAMES and (
        words[0] in LOGIN_NAMES or words[-1] in LOGIN_NAMES
    )


def _query_fields(query: str) -> list[tuple[str, str]]:
    fields: list[tuple[str, str]] = []
    for name, value in parse_qsl(query, keep_blank_values=True, errors="replace")[:MAX_FIELDS]:
        fields += _all_fields(name, value, MAX_DEPTH)
    return fields


def _all_fields(name: str, data: Any, depth: int) -> Iterator[tuple[str, str]]:
    """Yield the names and values of a form or of JSON."""
    if isinstance(data, Mapping):
        if depth:
            yield from _name_value_pair(data)
            for key, value in data.items():
                yield from _all_fields(str(key), value, depth - 1)
        elif name:
            yield name, ""
    elif isinstance(data, (list, tuple)):
        for each in data if depth else ():
            yield from _all_fields(name, each, depth - 1)
    elif isinstance(data, str):
        yield name, data
        yield from _inline_fields(data, depth)
    if name and not isinstance(data, str):
        yield name, ""


def _name_value_pair(data: Mapping[Any, Any]) -> Iterator[tuple[str, str]]:
    fields = {str(key).lower(): value for key, value in data.items()} if len(data) <= 4 else {}  # noqa: PLR2004 (a pair with metadata)
    if isinstance(fields.get("name"), str) and isinstance(fields.get("value"), str):
        yield fields["name"], fields["value"]


def _inline_fields(text: str, depth: int) -> Iterator[tuple[str, str]]:
    """Yield the fields of JSON, a form or a GraphQL query within a text."""
    if not mentions_password(text):
        return
    if text[:1] in "{[" and depth:
        try:
            yield from _all_fields("", json.loads(text), depth - 1)
        except (ValueError, RecursionError):
            pass
        else:
            return
    if "=" in text and " " not in text:
        yield from parse_qsl(text, errors="replace")
    for found in _INLINE.finditer(text):
        yield found[1], found[2] or found[3] or found[4] or ""


# GraphQL: login(username: "...", password: "..."), mutation($username: String = "...")
_INLINE = re.compile(
    r"(?<!\w)(\w{1,64}+)[\"']?\s{0,3}(?::\s{0,3}\w{1,64}+!?\s{0,3}=|[:=])\s{0,3}"
    r"(?:\"\"\"([^\"]{0,255}+)\"\"\"|\"((?:[^\"\\]|\\.){0,255}+)\"|'((?:[^'\\]|\\.){0,255}+)'"
    r"|\$?\w)"
)
