"""Recorded values as the fields of models have them, and the other way round."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from datetime import datetime, time
from typing import Any

from django.conf import settings
from django.db.models import FileField, JSONField
from django.db.models.fields.files import FieldFile
from django.utils.timezone import get_default_timezone, is_naive, make_aware, make_naive
from django.utils.translation import gettext as _

from trackmate.activity import safe_str
from trackmate.clock import aware
from trackmate.db.keys import UNREADABLE
from trackmate.history.values import is_cut, is_reference
from trackmate.redaction.known_secrets import MASK
from trackmate.redaction.redactor import URL_MASK
from trackmate.redaction.sanitizer import Sanitizer
from trackmate.redaction.text import REPLACEMENT

_URL_MASK = re.compile(rf"={URL_MASK}\b")
_OF_JSON = frozenset({"JSONField", "HStoreField"})


class UnknownValueError(Exception):
    """The log does not have a value as the field would need it; the message says why."""


def restore_value(field: Any, recorded: Any) -> Any:
    """Return a recorded value as the field has it. Raise UnknownValueError if that is not known."""
    if reason := _reason_against(recorded):
        raise UnknownValueError(reason)
    recorded = key_of_label(field, recorded)
    if recorded is None:
        return None
    try:
        value = _to_python(field, recorded)
    except (*UNREADABLE, AttributeError, LookupError):
        raise UnknownValueError(_("The recorded value does not fit the field any more.")) from None
    if isinstance(recorded, (dict, list)) and isinstance(value, str):
        raise UnknownValueError(_("The recorded value does not fit the field any more."))
    return value


def is_known(recorded: Any) -> bool:
    """Return True if the log has a value as a whole, unmasked."""
    return not _reason_against(recorded)


def key_of_label(field: Any, recorded: Any) -> Any:
    """Return the value of `{"value": 7, "label": "Tea"}`; other values as they are."""
    return recorded["value"] if is_reference(recorded) and not _is_json(field) else recorded


def holds_value(field: Any, present: Any, recorded: Any) -> bool:
    """Return True if a field has a recorded value. Raise UnknownValueError if that is not known.

    Both are compared as the log would have them: times of the same instant, numbers of another
    scale and other line breaks are the same.
    """
    value = restore_value(field, recorded)
    if normalize(field, present) == normalize(field, value):
        return True
    try:
        # Values of a project's own type may not be comparable.
        return bool(field.get_prep_value(present) == field.get_prep_value(value))
    except UNREADABLE:
        return False


def normalize(field: Any, value: Any) -> Any:
    """Return a value of a field in the form in which two of them can be compared."""
    if isinstance(field, FileField):
        return value.name or "" if isinstance(value, FieldFile) else value or ""
    if value is None:
        return None
    if isinstance(field, JSONField):
        # A decoder of the project may have made objects.
        value = json.loads(json.dumps(value, cls=field.encoder))
        return Sanitizer()(value)
    if isinstance(value, str):
        return Sanitizer()(value)
    if isinstance(value, memoryview):
        return bytes(value)
    return _in_utc(value) if isinstance(value, datetime) else value


def describe_value(field: Any, value: Any) -> Any:
    """Return a present value as the log would record it, without a label."""
    value = normalize(field, value)
    if value is None or isinstance(value, (str, bool, int, float, list, dict)):
        return Sanitizer()(value)
    if isinstance(value, bytes):
        return b64encode(value).decode()
    if isinstance(value, (datetime, time)) or hasattr(value, "isoformat"):
        return value.isoformat()
    return safe_str(value)


def _to_python(field: Any, recorded: Any) -> Any:
    if isinstance(field, JSONField):
        return json.loads(json.dumps(recorded), cls=field.decoder)
    base_field = getattr(field, "base_field", None)
    if base_field is not None and isinstance(recorded, list):
        return [restore_value(base_field, each) for each in recorded]
    value = field.to_python(recorded)
    if isinstance(value, datetime):
        value = _in_utc(value)
        # Not the time zone in which this person reads the log.
        return value if settings.USE_TZ else make_naive(value, get_default_timezone())
    return value


def _in_utc(value: datetime) -> datetime:
    if is_naive(value):
        value = make_aware(value, get_default_timezone())
    return aware(value)


def _is_json(field: Any) -> bool:
    return field.get_internal_type() in _OF_JSON


def _reason_against(recorded: Any) -> str:
    """Return why the log does not have a value; "" if it does."""
    if isinstance(recorded, str):
        if MASK in recorded or _URL_MASK.search(recorded):
            return _("The value is masked in the log.")
        if is_cut(recorded):
            return _("The value is cut in the log.")
        if REPLACEMENT in recorded:
            return _("The value has characters that the log cannot store.")
    if isinstance(recorded, dict):
        if any(isinstance(key, str) and key.endswith("…") for key in recorded):
            return _("The value is cut in the log.")
        return next(filter(None, map(_reason_against, (*recorded, *recorded.values()))), "")
    if isinstance(recorded, list):
        return next(filter(None, map(_reason_against, recorded)), "")
    return ""
