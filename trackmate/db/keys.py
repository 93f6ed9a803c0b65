"""Primary keys as text, in which the log names objects of any model."""

from __future__ import annotations

import re
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Model

MAX_KEY = 255
"""Characters of a key that a row holds."""

SURROGATE = re.compile("[\ud800-\udfff]")

MAX_INT = 2**63
"""No database has a wider integer."""

UNREADABLE = (ValidationError, ValueError, TypeError, OverflowError, ArithmeticError)
"""What a field raises for a text that is no key of its model."""


def serialize_key(instance: Model) -> str | None:
    """Return the primary key of an object as text, or None for one that has none yet."""
    key = instance.pk
    if key is None or (isinstance(key, tuple) and None in key):
        return None
    if isinstance(key, (tuple, bytes, bytearray, memoryview)):
        # As Django's serializers write what is more than a value, or no text: JSON, or Base64.
        return str(instance._meta.pk.value_to_string(instance))[:MAX_KEY]
    return str(key)[:MAX_KEY]


def parse_key(model: type[Model], text: Any) -> Any:
    """Return the primary key that a text names, or None if it names none of this model."""
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
    """Return True if a database can be asked for it."""
    if isinstance(key, tuple):
        return all(map(_is_storable, key))
    if isinstance(key, int):
        return -MAX_INT <= key < MAX_INT
    if not isinstance(key, str):
        return True
    return "\0" not in key and not SURROGATE.search(key)
