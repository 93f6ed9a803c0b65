"""The names that related objects had at a time."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from trackmate.activity import safe_str
from trackmate.db.keys import parse_key
from trackmate.history.values import FieldValues, RelatedObject
from trackmate.models.object_keys import ObjectKey
from trackmate.redaction.known_secrets import MASK

if TYPE_CHECKING:
    from uuid import UUID

    from django.db.models import Model, QuerySet

    from trackmate.models import ActivityLog

MAX_LOOKUPS = 100
"""Names that are looked up in the log for one state; the rest are the present ones."""
MAX_LABEL = 255


def add_labels(
    values: FieldValues,
    models: dict[str, type[Model]],
    rows: QuerySet[ActivityLog],
    bound: UUID,
    *,
    with_present: bool,
) -> None:
    """Give a label to the references that have none: the name at that time in the log, by one
    query each, else the present one, by one query for each model.

    `models` are the models that fields point to.
    """
    nameless: dict[type[Model], dict[Any, str]] = {}
    for name, model in models.items():
        for each in _references(values.get(name)):
            if not each.label:
                nameless.setdefault(model, {})[each.key] = ""
    left = MAX_LOOKUPS
    for model, labels in nameless.items():
        for key in list(labels)[:left]:
            labels[key] = _label_in_log(ObjectKey.of_key(model, key), rows, bound)
        left = max(0, left - len(labels))
        if with_present:
            _add_present_names(model, labels)
    for name, model in models.items():
        if model in nameless and name in values:
            values[name] = _with_labels(values[name], nameless[model])


def _references(value: Any) -> list[RelatedObject]:
    each = value if isinstance(value, list) else [value]
    return [item for item in each if isinstance(item, RelatedObject)]


def _label_in_log(about: ObjectKey | None, rows: QuerySet[ActivityLog], bound: UUID) -> str:
    if about is None:
        return ""
    named = rows.filter(about.condition, pk__lt=bound).exclude(object_repr__in=["", MASK])
    return named.order_by("-pk").values_list("object_repr", flat=True).first() or ""


def _add_present_names(model: type[Model], labels: dict[Any, str]) -> None:
    unnamed = [key for key, label in labels.items() if not label]
    missing = [key for key in unnamed if parse_key(model, key) is not None]
    if missing:
        for key, instance in model._base_manager.in_bulk(missing).items():
            labels[key] = safe_str(instance)[:MAX_LABEL]


def _with_labels(value: Any, labels: dict[Any, str]) -> Any:
    if isinstance(value, list):
        return [_with_labels(each, labels) for each in value]
    if isinstance(value, RelatedObject) and not value.label:
        return replace(value, label=labels.get(value.key, ""))
    return value
