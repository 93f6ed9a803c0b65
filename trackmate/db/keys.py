"""Primary keys of any model as text."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Model

MAX_KEY = 255
"""Maximum length of a key in a row."""

SURROGATE = re.compile("[\ud800-\udfff]")

MAX_INT = 2**63
"""Integers from here on do not fit any database."""

UNREADABLE = (ValidationError, ValueError, TypeError, OverflowError, ArithmeticError)
"""What fields raise for an invalid value."""


def serialize_key(instance: Model) -> str | None:
    """Return the primary key of an object as text, or None if it has none."""
    key = instance.pk
    if key is None or (isinstance(key, tuple) and None in key):
        return None
    if isinstance(key, (tuple, bytes, bytearray, memoryview)):
        # As Django's serializers do: JSON for composite keys, Base64 for bytes.
        return str(instance._meta.pk.value_to_string(instance))[:MAX_KEY]
    return str(key)[:MAX_KEY]


def key_to_text(key: Any) -> str:
    """Return a primary key as text, for people to read."""
    if isinstance(key, (bytes, bytearray, memoryview)):
        return b64encode(bytes(key)).decode()[:MAX_KEY]
    text = json.dumps(key, default=str) if isinstance(key, tuple) else str(key)
    return text[:MAX_KEY]


def parse_key(model: type[Model], text: Any) -> Any:
    """Return the primary key of `model` for a text, or None if the text is invalid."""
    try:
        key = _hashable(model._meta.pk.to_python(text))
        hash(key)
    except UNREADABLE:
        return None
    return key if _is_storable(key) else None


def _hashable(key: Any) -> Any:
    if isinstance(key, memoryview):
        return bytes(key)
    return tuple(key) if isinstance(key, list) else key


def _is_storable(key: Any) -> bool:
    """Return True if a database accepts this key as a parameter."""
    if isinstance(key, tuple):
        return all(map(_is_storable, key))
    if isinstance(key, int):
        return -MAX_INT <= key < MAX_INT
    if not isinstance(key, str):
        return True
    return "\0" not in key and not SURROGATE.search(key)
