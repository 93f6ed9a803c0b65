"""What becomes of the changes of a request or transaction before they are stored.

Many-to-many changes become the net of them, what is too much becomes a summary, and references get
the names that they lack.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

from django.apps import apps
from django.db import router
from django.db.models import Model

from trackmate.activity import Activity, Target, type_and_key
from trackmate.capture.events.merging import net_members
from trackmate.capture.model_changes.columns.rows import stored_rows
from trackmate.capture.model_changes.columns.values import references
from trackmate.capture.model_changes.deletions.deletion import Deletion, GroupedExtra
from trackmate.capture.model_changes.recording import database_of
from trackmate.db.keys import parse_key
from trackmate.db.transactions import protected_transactions
from trackmate.enums import ActionType, Source
from trackmate.pipeline import never_raise
from trackmate.registry import registration_of

_Identity = tuple[str | None, str, str, str]
"""Database, if it is not the default, model, field and key."""

MAX_NAMES = 500
"""Objects of one model that are named."""

MAX_SAMPLE = 10
"""Keys of objects in a summary."""


def finish_changes(activities: list[Activity]) -> list[Activity]:
    """Return the activities of a request or transaction with the changes of models finished."""
    if not any(each.source == Source.MODEL for each in activities):
        return activities
    return _with_names(_join_unseen(_summarize(_merge_members(activities))))


def _merge_members(activities: Sequence[Activity]) -> list[Activity]:
    """Return the activities with one for each many-to-many field of an object: what was added and
    removed in all; none for what is as before."""
    merged: dict[Any, Activity] = {}
    for each in activities:
        name = _member_field(each)
        key = (each.target.identity, name) if name and each.target else each.id
        if key in merged and name:
            earlier = merged[key]
            members = net_members(earlier.changes[name], each.changes[name])
            merged[key] = earlier.replace(changes={name: members})
        else:
            merged[key] = each
    return [each for each in merged.values() if not _is_nothing(each)]


def _member_field(activity: Activity) -> str:
    changes = activity.changes
    is_update = activity.source == Source.MODEL and activity.action_type == ActionType.UPDATE
    if not is_update or not isinstance(changes, dict) or len(changes) != 1:
        return ""
    ((name, change),) = changes.items()
    return name if isinstance(change, dict) else ""


def _is_nothing(activity: Activity) -> bool:
    name = _member_field(activity)
    return bool(name) and not any(activity.changes[name].values())


def _summarize(activities: Sequence[Activity]) -> list[Activity]:
    """Return the activities with a summary in place of those of a deletion that are too many."""
    summaries: dict[Any, Activity] = {}
    found = []
    for each in activities:
        key = _too_many(each)
        if key is None:
            found.append(each if each.extra else each.replace(extra=None))
        elif key in summaries:
            sample = summaries[key].extra["sample"]
            if len(sample) < MAX_SAMPLE and each.target is not None:
                sample.append(each.target.object_id)
        else:
            summaries[key] = _summary(each)
            found.append(summaries[key])
    return found


def _too_many(activity: Activity) -> Any:
    extra = activity.extra
    if not isinstance(extra, GroupedExtra) or activity.target is None:
        return None
    key = _count_key(activity)
    registration = registration_of(apps.get_model(activity.target.model))
    limit = registration.options.bulk_limit if registration else 0
    return (id(extra.deletion), *key) if extra.deletion.counts[key] > limit else None


def _count_key(activity: Activity) -> tuple[str, str]:
    label, _dot, verb = activity.action.rpartition(".")
    return label, verb


def _summary(activity: Activity) -> Activity:
    deletion: Deletion = activity.extra.deletion
    target = activity.target
    model = apps.get_model(target.model) if target else None
    extra = {
        **activity.extra,
        "table": model._meta.db_table if model else "",
        "verb": "DELETE" if activity.action.endswith(".delete") else "UPDATE",
        "count": deletion.counts[_count_key(activity)],
        "sample": [target.object_id] if target else [],
    }
    return activity.replace(target=None, changes=None, extra=extra)


def _join_unseen(activities: Sequence[Activity]) -> list[Activity]:
    """Return the activities with one for all unseen writes to a table at one place."""
    joined: dict[Any, Activity] = {}
    for each in activities:
        extra = each.extra
        if not (each.source == Source.MODEL and extra and extra.get("unseen")):
            joined[each.id] = each
            continue
        key = (extra["table"], extra["verb"], extra["place"])
        if key in joined:
            first = joined[key].extra
            first["statements"] += extra["statements"]
            first["rows"] = _sum(first["rows"], extra["rows"])
        else:
            joined[key] = each
    return list(joined.values())


def _sum(rows: int | None, more: int | None) -> int | None:
    return None if rows is None or more is None else rows + more


def _with_names(activities: Sequence[Activity]) -> list[Activity]:
    """Return the activities with the names of objects that only their keys were known of."""
    names: dict[_Identity, str] = {
        (None, *_identity(each.target)): each.target.object_repr
        for each in activities
        if each.target is not None and each.target.object_repr
    }
    nameless = [
        each
        for activity in activities
        if activity.source == Source.MODEL
        for each in references(activity.changes)
        if "label" not in each
    ]
    unnamed = [each.target for each in activities if _is_unnamed(each) and each.target]
    wanted: dict[tuple[type[Model], str | None, str], set[Any]] = {}
    for each in nameless:
        if (each.using, *each.identity) not in names:
            wanted.setdefault((each.model, each.using, each.to_field), set()).add(each.key)
    for target in unnamed:
        using = database_of(target)
        if (using, *_identity(target)) not in names:
            model = apps.get_model(target.model)
            if (key := parse_key(model, target.object_id)) is not None:
                field = _key_of(target.model)
                wanted.setdefault((model, using, field), set()).add(key)
    for (model, using, field), keys in wanted.items():
        names |= _find_names(model, using, field, keys) or {}
    for each in nameless:
        if label := names.get((each.using, *each.identity)):
            each["label"] = label
    return [_named(each, names) if _is_unnamed(each) else each for each in activities]


def _identity(target: Target) -> tuple[str, str, str]:
    return target.model, _key_of(target.model), target.object_id


@cache
def _key_of(label: str) -> str:
    """Return the name of a model's primary key as references have it, "" for no model."""
    try:
        return str(apps.get_model(label)._meta.pk.attname)
    except (LookupError, ValueError):
        return ""


def _is_unnamed(activity: Activity) -> bool:
    target = activity.target
    return activity.source == Source.MODEL and target is not None and not target.object_repr


def _named(activity: Activity, names: Mapping[_Identity, str]) -> Activity:
    target = activity.target
    if target is None or not (name := names.get((database_of(target), *_identity(target)))):
        return activity
    return activity.replace(target=replace(target, object_repr=name))


@never_raise
def _find_names(
    model: type[Model], using: str | None, field: str, keys: Iterable[Any]
) -> dict[_Identity, str]:
    """Return the names that objects have now, by database, model, field and key.

    One query, and a second one if a name contains that of another object, as a permission's does.
    """
    wanted = list(keys)[:MAX_NAMES]
    is_there = using is not None and router.allow_migrate_model(using, model)
    rows = stored_rows(model, using if using and is_there else router.db_for_read(model))
    rows = rows.filter(**{f"{field}__in": wanted})
    with protected_transactions():
        named = [(each, Target.without_query(each).object_repr) for each in rows]
        related = [each.name for each in model._meta.concrete_fields if each.many_to_one]
        if related and any(name == type_and_key(each) for each, name in named):
            rows = rows.select_related(*related)
            named = [(each, Target.without_query(each).object_repr) for each in rows]
    label = model._meta.label_lower
    return {(using, label, field, str(getattr(each, field))): name for each, name in named}
