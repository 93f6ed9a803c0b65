"""The values of model fields: whether two are the same, and how one is stored as JSON."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from itertools import chain
from types import SimpleNamespace
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import (
    BooleanField,
    CharField,
    DecimalField,
    Field,
    FileField,
    ForeignKey,
    IntegerField,
    JSONField,
    Model,
    TextField,
)
from django.utils.duration import duration_iso_string
from django.utils.timezone import get_default_timezone, is_aware, is_naive, make_aware

from trackmate.activity import Target, as_plain_str, label_of, safe_str
from trackmate.capture.model_changes.columns.rows import UNKNOWN, as_stored, is_built_in
from trackmate.db.transactions import no_queries
from trackmate.redaction.keys import has_secret_keys, visible_key
from trackmate.redaction.known_secrets import MASK

MAX_CHOICES = 1_000

_AS_IT_IS = {CharField: str, TextField: str, IntegerField: int, BooleanField: bool}
"""The fields whose values need no conversion if they are of this type."""


class Reference(dict[str, Any]):
    """A related object: `{"value": 7, "label": "Tea"}`; its label may be found later."""

    def __init__(self, model: type[Model], key: Any, to_field: str, label: str | None) -> None:
        super().__init__(value=visible_key(model, _as_json(key)))
        if has_secret_keys(model):
            label = MASK
        self.model = model
        self.key = key
        self.to_field = to_field
        """The name of the field that the key is a value of."""
        self.using: str | None = None
        """The database that it was found in, if it is not the default."""
        if label is not None:
            self["label"] = label

    @property
    def identity(self) -> tuple[str, str, str]:
        """Model, field and key."""
        return label_of(self.model), self.to_field, str(self.key)


def references(changes: Any) -> Iterator[Reference]:
    """Yield the related objects in `changes`."""
    if not isinstance(changes, dict):
        return
    for change in changes.values():
        # [old, new], or {"added": [...], "removed": [...]}.
        parts = chain.from_iterable(change.values()) if isinstance(change, dict) else change or ()
        for each in parts:
            if type(each) is Reference:
                yield each


def is_expression(value: Any) -> bool:
    """Return True for `F("copies") + 1`, a default of the database and the like."""
    # By its type: asking a lazy object would evaluate it.
    return hasattr(type(value), "resolve_expression")


def is_same(field: Field[Any, Any], old: Any, new: Any, *, is_plain: bool = False) -> bool:
    """Return True if a field that holds `old` would hold the same if `new` was saved."""
    if old is new:
        return True
    if isinstance(field, JSONField):
        return _is_same_json(field, old, new)
    if is_plain and (type(old) is type(new) or old is None or new is None):
        return bool(old == new)
    converters = [_as_it_is, _comparable, _as_json_of]
    if not is_built_in(field):
        converters.insert(2, _prepared)
    for convert in converters:
        with suppress(Exception):  # values of other packages, such as arrays of numpy
            if bool(convert(field, old) == convert(field, new)):
                return True
    return False


def _as_it_is(_field: Field[Any, Any], value: Any) -> Any:
    return value


def _prepared(field: Field[Any, Any], value: Any) -> Any:
    return field.get_prep_value(value)


def _as_json_of(field: Field[Any, Any], value: Any) -> Any:
    return _as_json(value, field)


def _comparable(field: Field[Any, Any], value: Any) -> Any:
    value = as_stored(value)
    if isinstance(field, FileField):
        return value or ""
    if isinstance(value, datetime) and settings.USE_TZ and is_naive(value):
        # As Django does, which has already warned about it.
        return make_aware(value, get_default_timezone())
    if isinstance(value, memoryview | bytearray):
        return bytes(value)
    base: Any = getattr(field, "base_field", None)
    if base is not None and isinstance(value, list | tuple):
        # Of an array, each item.
        return [_comparable(base, each) for each in value]
    value = field.get_prep_value(field.to_python(value))
    if isinstance(field, DecimalField):
        return _quantized(field, value)
    return None if value == "" and field.get_internal_type() in _EMPTY_IS_NULL else value


_EMPTY_IS_NULL = frozenset({"GenericIPAddressField", "IPAddressField"})
"""The fields that store NULL for an empty text."""


def _is_same_json(field: JSONField, old: Any, new: Any) -> bool:
    # As text: `true` and 1 are equal in Python.
    try:
        old, new = (_json_text(field, each) for each in (old, new))
    except (TypeError, ValueError, RecursionError):
        return False
    return bool(old == new)


def _json_text(field: JSONField, value: Any) -> str:
    try:
        return json.dumps(value, cls=field.encoder, sort_keys=True)
    except TypeError:
        # Keys of several types, such as 1 and "a", cannot be sorted before they are texts.
        return json.dumps(json.loads(json.dumps(value, cls=field.encoder)), sort_keys=True)


def _parsed_json(field: JSONField, value: Any) -> Any:
    if value is None or type(value) in (bool, int, str):
        return value
    return json.loads(_json_text(field, value))


def _quantized(field: DecimalField[Any, Any], value: Any) -> Any:
    if isinstance(value, Decimal) and field.decimal_places is not None:
        with suppress(InvalidOperation):
            return value.quantize(Decimal(1).scaleb(-field.decimal_places), context=field.context)
    return value


def serialize_value(field: Field[Any, Any], value: Any, instance: Model | None = None) -> Any:
    """Return the value of a field as it is stored in `changes`.

    The label of a foreign key is that of the related object that `instance` has loaded; otherwise
    it is missing yet.
    """
    try:
        return _serialize(field, value, instance)
    except Exception:  # noqa: BLE001 (a value of a field of another package)
        return safe_str(value)


def _serialize(field: Field[Any, Any], value: Any, instance: Model | None) -> Any:
    value = as_stored(value)
    if value is None or value is UNKNOWN:
        return None
    if _AS_IT_IS.get(type(field)) is type(value) and not field.choices:
        return value
    if isinstance(field, FileField):
        return value or None
    if isinstance(field, ForeignKey):
        return reference(field, value, instance)
    if isinstance(field, JSONField):
        return _parsed_json(field, value)
    with suppress(Exception):  # a value that the database has accepted, but not the field
        value = _comparable(field, value)
    if field.choices and (label := _choice_label(field, value)):
        return {"value": _as_json(value), "label": label}
    return _as_json(value, field)


def reference(field: ForeignKey[Any, Any], key: Any, instance: Model | None) -> Reference:
    """Return the object that a foreign key refers to."""
    related = _cached(field, instance)
    to_field = field.target_field
    is_it = related is not None and getattr(related, to_field.attname, None) == key
    label = Target.without_query(related).object_repr if is_it and related is not None else None
    return Reference(field.related_model, key, to_field.attname, label)


def _cached(field: ForeignKey[Any, Any], instance: Model | None) -> Model | None:
    if instance is None:
        return None
    related: Model | None = field.get_cached_value(instance, default=None)
    return related


def _choice_label(field: Field[Any, Any], value: Any) -> str:
    try:
        with no_queries():
            choices = field.flatchoices
    except Exception:  # noqa: BLE001 (a function of the project, or a query)
        return ""
    for each, label in choices[:MAX_CHOICES]:
        if each == value or str(each) == str(value):
            return as_plain_str(label)
    return ""


def _as_json(value: Any, field: Field[Any, Any] | None = None) -> Any:
    """Return a value as JSON has it: text, number, boolean, null, list or mapping of such."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return as_plain_str(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value)
    if isinstance(value, datetime):
        return (value.astimezone(UTC) if is_aware(value) else value).isoformat()
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return duration_iso_string(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return b64encode(bytes(value)).decode()
    if isinstance(value, list | tuple | set | frozenset):
        return [_as_json(each) for each in value]
    if isinstance(value, Mapping):
        return {str(key): _as_json(each) for key, each in value.items()}
    if isinstance(value, Decimal | UUID) or field is None:
        return safe_str(value)
    return _as_text(field, value)


def _as_text(field: Field[Any, Any], value: Any) -> str:
    """Return what Django's serializers write for a value of another package's field."""
    try:
        return as_plain_str(field.value_to_string(SimpleNamespace(**{field.attname: value})))  # type: ignore[arg-type]
    except Exception:  # noqa: BLE001 (a field of another package)
        return safe_str(value)
