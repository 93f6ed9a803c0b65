"""Primary keys that are secrets themselves, as those of tokens and sessions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trackmate.redaction.redactor import secret_names
from trackmate.redaction.text import keyed_hash

if TYPE_CHECKING:
    from django.db.models import Model


def has_secret_keys(model: type[Model]) -> bool:
    """Return True for a model such as a token, whose keys and names are secrets."""
    return str(model._meta.model_name) in secret_names()


def visible_key(model: type[Model], key: Any) -> Any:
    """Return the key of an object, or its hash: the same wherever the object is named."""
    return hide_key(key) if has_secret_keys(model) else key


def hide_key(key: Any) -> Any:
    """Return the hash of a secret key; a number is none."""
    text = str(key)
    return key if text.isdigit() else keyed_hash(text, "object")
