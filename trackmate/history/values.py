"""Values of fields: as activities record them, and as Python has them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

from django.conf import settings
from django.db.models import Field, JSONField, Model
from django.utils import timezone

from trackmate.db.keys import UNREADABLE
from trackmate.redaction.known_secrets import MASK

_CUT = re.compile(r"… \[\d{1,20} more\]\Z")
_MARKER = re.compile(
    r"\[(?:too deep|too much|\d{1,20} more|\d{1,20} bytes|integer of \d{1,20} bits)\]\Z"
    r"|\[withheld: "
)
"""What the log has in place of a value that it does not hold as a whole."""


@dataclass(frozen=True, slots=True)
class RelatedObject:
    """An object that a foreign key or a many-to-many field pointed to."""

    key: Any
    """The value of the foreign key."""
    label: str = field(default="", compare=False)
    """The name of the object at the time; "" if it is not known. Two references to one object are
    equal, whatever their labels."""

    def __str__(self) -> str:
        return self.label or str(self.key)


class MaskedText(str):
    """What was recorded in place of a secret value."""

    __slots__ = ()


class CutText(str):
    """The beginning of a text that was too long to be recorded, and how much is missing."""

    __slots__ = ()


class FieldValues(dict[str, Any]):
    """Values of an object by the name of the field, in the order of the model's fields."""

    def __init__(self, *args: Any, **values: Any) -> None:
        super().__init__(*args, **values)
        self.gone: set[str] = set()
        """Fields that the model no longer has, by the name under which they were recorded."""
        self.labels: dict[str, str] = {}
        """The labels that values of fields with choices had, by field."""
        self.versions: dict[str, object] = {}
        """By field, something that differs once a change of it was recorded."""

    @classmethod
    def between(cls, then: FieldValues | None, later: FieldValues | None) -> Self:
        """Return `{field: [then, later]}` for the fields whose values differ."""
        differences = cls()
        for name in dict.fromkeys((*(then or ()), *(later or ()))):
            if (then is not None and name not in then) or (later is not None and name not in later):
                continue  # on one side the value is not known
            pair = [side.get(name) if side is not None else None for side in (then, later)]
            versions = [
                side.versions.get(name) if side is not None else None for side in (then, later)
            ]
            if _differ(*pair) or (versions[0] != versions[1] and not is_complete(pair)):
                differences[name] = pair
        for side in (then, later):
            if side is not None:
                differences.gone |= side.gone & differences.keys()
        return differences


def _differ(then: Any, later: Any) -> bool:
    # Without an object there are no related objects either.
    return then != later and not (then in (None, []) and later in (None, []))


def is_complete(value: Any) -> bool:
    """Return False if a value, or a part of it, is masked or cut and cannot be used again."""
    if isinstance(value, str):
        return not (MASK in value or is_cut(value))
    if isinstance(value, dict):
        return all(is_complete(each) for pair in value.items() for each in pair)
    if isinstance(value, (list, tuple)):
        return all(map(is_complete, value))
    return True


def is_cut(text: str) -> bool:
    """Return True if the log has only the beginning of a value, or a marker in its place."""
    return bool(_CUT.search(text) or _MARKER.match(text))


def is_reference(value: Any) -> bool:
    """Return True for a recorded foreign key or choice: `{"value": 7, "label": "Tea"}`."""
    return isinstance(value, dict) and "value" in value and value.keys() <= {"value", "label"}


def is_members_change(change: Any) -> bool:
    """Return True for a recorded change of a many-to-many field."""
    return isinstance(change, dict) and bool(change) and change.keys() <= {"added", "removed"}


def is_pair(change: Any) -> bool:
    """Return True for a recorded `[old, new]`."""
    return isinstance(change, list) and len(change) == 2  # noqa: PLR2004 (old and new)


def label_of_value(value: Any) -> str:
    """Return the label that a value was recorded with; "" for none."""
    return str(value.get("label") or "") if is_reference(value) else ""


def parse_value(field: Field[Any, Any] | None, value: Any) -> Any:
    """Return a recorded value as Python has it; as it was recorded if it is not a valid one.

    `field` is None for a field that the model no longer has.
    """
    if field is None:
        return parse_reference(None, value) if is_reference(value) else mark_text(value)
    if field.is_relation:
        return None if value is None else parse_reference(target_field_of(field), value)
    if is_reference(value) and not isinstance(field, JSONField):
        value = value["value"]
    return _parse(field, value)


def parse_reference(target: Field[Any, Any] | None, value: Any) -> Any:
    """Return a recorded foreign key, or a member of a many-to-many field, as a RelatedObject.

    `target` is the field that its key is a value of, None if that is not known.
    """
    key = value["value"] if is_reference(value) else value
    if isinstance(key, (dict, list)) or not is_complete(key):
        return mark_text(key)
    return RelatedObject(key if target is None else _parse(target, key), label_of_value(value))


def target_field_of(field: Any) -> Field[Any, Any] | None:
    """Return the field that a foreign key points to; None for a relation to any model.

    The key of a child in multi-table inheritance is a foreign key itself.
    """
    target: Field[Any, Any] | None = getattr(field, "target_field", None)
    return target_field_of(target) if target is not None and target.is_relation else target


def key_of_model(model: type[Model]) -> Field[Any, Any] | None:
    """Return the field that primary keys of a model are values of."""
    pk: Field[Any, Any] = model._meta.pk
    return target_field_of(pk) if pk.is_relation else pk


def mark_text(value: Any) -> Any:
    """Return a text that is masked or cut as one that can be recognized."""
    if value == MASK:
        return MaskedText(value)
    return CutText(value) if isinstance(value, str) and _CUT.search(value) else value


def _parse(field: Field[Any, Any], value: Any) -> Any:
    marked = mark_text(value)
    if value is None or isinstance(marked, (MaskedText, CutText)):
        return marked
    try:
        parsed = field.to_python(value)
    except UNREADABLE:
        return value
    if isinstance(parsed, datetime) and not settings.USE_TZ and timezone.is_aware(parsed):
        return timezone.make_naive(parsed)
    return parsed
