"""What activities are about: an object, whether it still exists or not."""

from __future__ import annotations

from typing import Any, NamedTuple, Self

from django.apps import apps
from django.contrib.contenttypes.models import ContentType
from django.db.models import Model, Q

from trackmate.db.keys import parse_key, serialize_key
from trackmate.registry import concrete_model


class ObjectKey(NamedTuple):
    """The content type and the key of an object, as activities have them."""

    content_type_id: int
    key: str
    model: type[Model] | None = None
    """Its concrete model; None if the project no longer has it."""
    parent_type_ids: tuple[int, ...] = ()
    """The content types of the parents that share its key (multi-table inheritance)."""

    @classmethod
    def of(cls, obj: Any) -> Self | None:
        """Return the key of an object; None for one that is not saved.

        An object is a model instance, a pair `(Model, pk)`, or an activity, which stands for its
        object. Raise TypeError for anything else.
        """
        if isinstance(obj, cls):
            return obj
        if isinstance(obj, tuple) and len(obj) == 2 and isinstance(obj[0], type):  # noqa: PLR2004
            return cls.of_key(*obj)
        if not isinstance(obj, Model):
            raise TypeError(
                f"Expected a model instance, an activity or a pair (Model, pk), got {obj!r}."
            )
        model = obj.__class__  # of a lazy object, such as `request.user`, too
        if concrete_model(model) is apps.get_model("trackmate", "ActivityLog"):
            return cls.of_activity(obj)
        key = serialize_key(obj)
        return None if key is None else cls._build(model, key)

    @classmethod
    def of_key(cls, model: type[Model], pk: Any) -> Self | None:
        """Return the key for a model and a primary key; None if that is not valid."""
        parsed = None if pk is None else parse_key(model, pk)
        key = None if parsed is None else serialize_key(model(pk=parsed))
        return None if key is None else cls._build(model, key)

    @classmethod
    def of_activity(cls, row: Any) -> Self | None:
        """Return the key of the object of an activity."""
        if row.content_type_id is None or row.object_id is None:
            return None
        try:
            content_type = ContentType.objects.get_for_id(row.content_type_id)
        except ContentType.DoesNotExist:
            return cls(row.content_type_id, row.object_id)
        return cls.of_type(content_type, row.object_id)

    @classmethod
    def of_type(cls, content_type: ContentType, key: str) -> Self:
        """Return the key for a content type and a key as text, whether it is valid or not."""
        model = content_type.model_class()
        return cls(content_type.pk, key) if model is None else cls._build(model, key)

    @classmethod
    def _build(cls, model: type[Model], key: str) -> Self:
        model = concrete_model(model)
        own = ContentType.objects.get_for_model(model)
        parents = [each for each in model._meta.all_parents if _shares_key(model, each)]
        types = [ContentType.objects.get_for_model(each).pk for each in parents]
        return cls(own.pk, key, model, tuple(types))

    @property
    def pk(self) -> Any:
        """The primary key as the model has it; None without a model, or for an invalid key."""
        return None if self.model is None else parse_key(self.model, self.key)

    @property
    def label(self) -> str:
        """The object as other activities name it: "shop.order/42"; "" without a model."""
        return "" if self.model is None else f"{self.model._meta.label_lower}/{self.key}"

    @property
    def condition(self) -> Q:
        """Matches the activities about the object."""
        if not self.parent_type_ids:
            return Q(content_type_id=self.content_type_id, object_id=self.key)
        types = [self.content_type_id, *self.parent_type_ids]
        return Q(content_type_id__in=types, object_id=self.key)


def _shares_key(model: type[Model], parent: type[Model]) -> bool:
    """Return True if an object of a model has the same key as its part in a parent's table."""
    link = model._meta.get_ancestor_link(parent)
    return link is not None and link.primary_key
