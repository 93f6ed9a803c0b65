"""The objects that point to an object by a foreign key, also those that have been deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib.contenttypes.models import ContentType
from django.db.models import ForeignKey, Q

from trackmate.db.keys import serialize_key
from trackmate.enums import ActionType, Source
from trackmate.registry import registration_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from django.db.models import Model, QuerySet

    from trackmate.models.object_keys import ObjectKey

MAX_CHILDREN = 200
"""Objects of each foreign key whose activities are found, those with the highest keys."""
MAX_DELETIONS = 1_000
"""The newest deletions of such objects that are searched for those that pointed to the object."""


def about_children(parent: ObjectKey, rows: QuerySet[Any]) -> Q:
    """Return the condition for activities of the registered objects that point to `parent`.

    Those that were deleted are found in the newest deletions among `rows`, by their recorded
    foreign key or by the cause that the deletion names.
    """
    if parent.model is None:
        return Q(pk__in=())
    links = list(_links_to(parent.model))
    models = {link.model for link in links}
    types = {model: each.pk for model, each in ContentType.objects.get_for_models(*models).items()}
    condition = Q(pk__in=())
    for link in links:
        condition |= _about(types[link.model], _present_keys(link, parent))
    for model, keys in _deleted_keys(links, types, parent, rows).items():
        condition |= _about(types[model], keys)
    return condition


def _links_to(model: type[Model]) -> Iterator[ForeignKey[Any, Any]]:
    """Yield the foreign keys of registered models that point to a model or to its parents."""
    for relation in model._meta.get_fields(include_hidden=True):
        field: Any = getattr(relation, "field", None)
        is_link = relation.auto_created and not relation.concrete and isinstance(field, ForeignKey)
        if is_link and not field.model._meta.proxy and registration_of(field.model):
            yield field


def _about(content_type_id: int, keys: Iterable[str]) -> Q:
    return Q(content_type_id=content_type_id, object_id__in=sorted(keys))


def _present_keys(link: ForeignKey[Any, Any], parent: ObjectKey) -> set[str]:
    children = link.model._base_manager.filter(**{f"{link.name}__pk": parent.pk})
    found = children.only("pk").order_by("-pk")[:MAX_CHILDREN]
    return {key for child in found if (key := serialize_key(child)) is not None}


def _deleted_keys(
    links: list[ForeignKey[Any, Any]],
    types: dict[type[Model], int],
    parent: ObjectKey,
    rows: QuerySet[Any],
) -> dict[type[Model], set[str]]:
    """Return the keys of the deleted objects that pointed to `parent`, by model."""
    models = {content_type_id: model for model, content_type_id in types.items()}
    names: dict[type[Model], set[str]] = {}
    for link in links:
        names.setdefault(link.model, set()).update(_names_of(link))
    deletions = rows.filter(
        content_type_id__in=list(models), action_type=ActionType.DELETE, source=Source.MODEL
    )
    columns = deletions.order_by("-pk").values_list(
        "content_type_id", "object_id", "changes", "extra"
    )
    found: dict[type[Model], set[str]] = {}
    for content_type_id, key, changes, extra in columns[:MAX_DELETIONS]:
        model = models[content_type_id]
        keys = found.setdefault(model, set())
        if len(keys) < MAX_CHILDREN and _pointed_to(parent, names[model], changes, extra):
            keys.add(key)
    return found


def _names_of(link: ForeignKey[Any, Any]) -> set[str]:
    """Return the name of a foreign key, and its former ones."""
    registration = registration_of(link.model)
    renamed = registration.options.renamed if registration is not None else {}
    return {link.name, *(former for former, now in renamed.items() if now == link.name)}


def _pointed_to(parent: ObjectKey, names: set[str], changes: Any, extra: Any) -> bool:
    if isinstance(extra, dict) and extra.get("cause") == parent.label:
        return True
    if not isinstance(changes, dict):
        return False
    old = (change[0] for name in names if isinstance(change := changes.get(name), list) and change)
    return any(str(each["value"]) == parent.key for each in old if _is_reference(each))


def _is_reference(value: Any) -> bool:
    return isinstance(value, dict) and value.get("value") is not None
