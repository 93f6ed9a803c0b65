"""Entries of the logs that Django's admin and Wagtail keep, as activities."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.contrib.contenttypes.models import ContentType
from django.db import DEFAULT_DB_ALIAS
from django.db.models import Model

from trackmate.activity import Activity, Target, as_plain_str, describe_actor, label_of
from trackmate.capture.actors import loaded_user
from trackmate.clock import aware
from trackmate.context.scope import current_scope
from trackmate.db.transactions import protected_transactions
from trackmate.enums import Source
from trackmate.pipeline import record_if_kept


def record_entry(entry: Any, *, time: Any, verb: str, target: Target | None, **values: Any) -> None:
    """Record an entry with a `user` as an activity, unless it is rolled back.

    Without an object the action starts with the app of the entry: "admin.update".
    """
    of = target.model if target else entry._meta.app_label
    activity = Activity.at(
        aware(time if isinstance(time, datetime) else datetime.now(UTC)),
        source=Source.ADMIN.value,
        action=f"{of}.{verb}",
        target=target,
        **_actor(entry),
        **values,
    )
    record_if_kept(activity, entry._state.db or DEFAULT_DB_ALIAS)


def entry_target(entry: Any, key: Any, name: str, *, content_type_id: Any = None) -> Target | None:
    """Return the object of an entry, as it was called then.

    Its model is that of the entry's `content_type`, unless another is given.
    """
    model = _model_label(entry, content_type_id or entry.content_type_id)
    if model is None:
        return None
    object_id = "" if key is None else str(key)
    return Target(model=model, object_id=object_id, object_repr=as_plain_str(name))


def _model_label(entry: Any, content_type_id: Any) -> str | None:
    if content_type_id is None:
        return None
    is_cached = entry._meta.get_field("content_type").is_cached(entry)
    if is_cached and content_type_id == entry.content_type_id:
        content_type = entry.content_type
    else:
        # Django caches it for the life of the process.
        with protected_transactions():
            content_type = ContentType.objects.get_for_id(content_type_id)
    model = content_type.model_class()
    return label_of(model) if model else f"{content_type.app_label}.{content_type.model}"


def _actor(entry: Any) -> dict[str, Any]:
    """Return the actor of an entry, unless that is the user of the request."""
    if entry.user_id is None:
        return {}
    scope = current_scope()
    if scope is not None and not scope.closed:
        user = loaded_user(scope.request)
        if str(getattr(user, "pk", None)) == str(entry.user_id):
            return {}
    label = ""
    if entry._meta.get_field("user").is_cached(entry) and isinstance(entry.user, Model):
        label = describe_actor(entry.user)[1]
    return {"actor_id": entry.user_id, "actor_label": label}
