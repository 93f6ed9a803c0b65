"""Account names in logins: which account they belong to, and whether they may be stored.

People type passwords into the wrong field, so only the name of an existing account is no secret.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any
from unicodedata import normalize
from urllib.parse import parse_qsl, urlencode

from django.contrib.auth import get_user_model
from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.db import router
from django.db.models import Model, Q

from trackmate.activity import HASHED, Activity, Target, label_of, safe_str
from trackmate.conf import get_settings
from trackmate.context.scope import current_scope
from trackmate.db.time_limits import limit_time
from trackmate.db.transactions import protected_transactions
from trackmate.pipeline import never_raise
from trackmate.redaction.detection.vocabulary import LOGIN_NAMES, PASSWORDS
from trackmate.redaction.known_secrets import MASK, KnownSecrets
from trackmate.redaction.sanitizer import Sanitizer
from trackmate.redaction.text import clean_line, keyed_hash

MAX_IDENTIFIER = 255


def identify_account(credentials: Mapping[str, Any], account: Model | None = None) -> Target | None:
    """Return the account of a failed login as `FAILED_LOGIN_IDENTIFIER` allows.

    `account` is the one that they belong to, if that is known. One that does not exist, or that
    must not be named, has a hash as its key and its name.
    """
    mode = get_settings().FAILED_LOGIN_IDENTIFIER
    name, value = _find_identifier(credentials)
    identifier = clean_line(safe_str(value), MAX_IDENTIFIER) if value is not None else ""
    if mode == "none":
        _mask_in_request(identifier)
        return None
    if mode in ("known", "full"):
        account = (
            account
            or _take_checked_account()
            or (find_account(identifier, name) if identifier else None)
        )
        if account is not None:
            return Target.from_instance(account)
    if not identifier:
        return None
    if mode == "full":
        return Target(model=label_of(get_user_model()), object_id="", object_repr=identifier)
    _mask_in_request(identifier)
    hashed = f"{HASHED}{keyed_hash(identifier.casefold(), 'identifier')}"
    return Target(model=label_of(get_user_model()), object_id=hashed, object_repr=hashed)


def _take_checked_account() -> Model | None:
    """Return the user whose password a backend has just checked in this request."""
    if (scope := current_scope()) is None:
        return None
    account: Model | None = scope.checked_account
    scope.checked_account = None
    # `authenticate()` gives a backend to those whom it accepts: another login has failed.
    return None if hasattr(account, "backend") else account


def _find_identifier(credentials: Mapping[str, Any]) -> tuple[str, Any]:
    """Return the name and the value of the credential that identifies the account."""
    fields = filter(_is_user_field, credentials)
    for name in (get_user_model().USERNAME_FIELD, *LOGIN_NAMES, *fields):
        if credentials.get(name):
            return name, credentials[name]
    return "", None


@never_raise
def find_account(identifier: str, name: str = "") -> Model | None:
    """Return the user with that identifier in the field `name`, as username or e-mail address."""
    model = get_user_model()
    condition = Q(**{model.USERNAME_FIELD: identifier})
    if name != model.USERNAME_FIELD and _is_user_field(name):
        condition |= Q(**{name: identifier})
    email = getattr(model, "EMAIL_FIELD", "")
    if email and "@" in identifier:
        # Case-insensitive matching would need an index.
        local, _sign, domain = identifier.rpartition("@")
        normal = f"{local}@{domain.lower()}"  # as Django stores it
        condition |= Q(**{f"{email}__in": {identifier, identifier.lower(), normal}})
    return _first_account(condition)


@never_raise
def account_with(field: str, value: Any) -> Model | None:
    """Return the user with that value in a field, by one query."""
    return _first_account(Q(**{field: value}))


def _first_account(condition: Q) -> Model | None:
    model = get_user_model()
    alias = router.db_for_read(model)
    try:
        with protected_transactions(), limit_time(alias, get_settings().WRITE_TIMEOUT):
            return model._base_manager.using(alias).filter(condition).first()
    except (ValueError, TypeError, ValidationError):
        return None  # invalid for this field


def _is_user_field(name: str) -> bool:
    if "password" in name:
        return False
    try:
        field = get_user_model()._meta.get_field(name)
    except FieldDoesNotExist:
        return False
    return bool(field.concrete) and not field.is_relation


def _mask_in_request(identifier: str) -> None:
    """Mask the account name in the activity of the request, too."""
    if identifier and (scope := current_scope()) is not None:
        scope.secrets.add(identifier)
        scope.enrichments.append(lambda activity: mask_identifiers([identifier], activity))


def mask_identifiers(identifiers: Collection[str], activity: Activity) -> Activity:
    """Return an activity with account names masked in its data, query and headers."""
    normalized = {_normalize(each) for each in identifiers}
    secrets = KnownSecrets()
    secrets.add(list(identifiers))

    def mask(text: str) -> str:
        if _normalize(text) in normalized:
            return MASK
        # A form, JSON or a GraphQL query within a text.
        return secrets.mask(text) if mentions_password(text) else text

    data = Sanitizer(text=mask)(activity.data)
    extra = activity.extra
    if extra and "query" in extra:
        pairs = parse_qsl(extra["query"], keep_blank_values=True, errors="replace")
        masked = [(name, mask(value)) for name, value in pairs]
        if masked != pairs:
            extra = {**extra, "query": urlencode(masked, errors="replace")}
    if extra and isinstance(headers := extra.get("headers"), dict):
        texts = {
            name: secrets.mask(value) if mentions_password(value) else value
            for name, value in headers.items()
        }
        extra = {**extra, "headers": texts}
    return activity.replace(data=data, extra=extra)


def mentions_password(text: str) -> bool:
    """Return True if a text may contain the name of a password field."""
    return bool(text) and _PASSWORD_STEM.search(text.lower()) is not None


_STEMS = ("pass", "pin", "pw", "secret")
_OTHER_WORDS = sorted(word for word in PASSWORDS if not any(map(word.count, _STEMS)))
# Every word for a password contains one of these.
_PASSWORD_STEM = re.compile("|".join((*_STEMS, *_OTHER_WORDS)))


def _normalize(identifier: str) -> str:
    # As form fields do.
    return clean_line(normalize("NFKC", identifier).strip(), MAX_IDENTIFIER).casefold()
