"""Model fields: a key made from a time, an aware time, a relation across databases."""

from __future__ import annotations

from datetime import datetime
from typing import Any, cast

from django.conf import settings
from django.contrib.contenttypes.fields import GenericForeignKey
from django.contrib.contenttypes.models import ContentType
from django.db import models

from trackmate.clock import aware, naive, uuid7
from trackmate.db.keys import parse_key, serialize_key


class UUIDv7Field(models.UUIDField):  # type: ignore[type-arg]
    """A UUID made from the instance's `clock` field, so that the primary key sorts by it."""

    def __init__(self, *args: Any, clock: str, **kwargs: Any) -> None:
        self.clock = clock
        super().__init__(*args, **kwargs)

    def deconstruct(self) -> Any:
        name, path, args, kwargs = super().deconstruct()
        return name, path, args, {**kwargs, "clock": self.clock}

    def get_pk_value_on_save(self, instance: models.Model) -> Any:
        """Return a new identifier for the time of the instance."""
        clock = cast("models.DateTimeField[Any, Any]", instance._meta.get_field(self.clock))
        # As for any field, a text may stand for the time.
        return uuid7(aware(clock.to_python(getattr(instance, self.clock))))


class AwareDateTimeField(models.DateTimeField):  # type: ignore[type-arg]
    """A time that accepts naive values, such as `datetime.now()`, in the current time zone.

    Where the project runs with `USE_TZ = False`, the database gets the naive local time that
    Django expects there.
    """

    def get_prep_value(self, value: Any) -> Any:
        if value is None or hasattr(value, "resolve_expression"):
            return super().get_prep_value(value)
        if not isinstance(value, datetime):
            value = self.to_python(value)
        return aware(value) if settings.USE_TZ else naive(value)


class FarGenericForeignKey(GenericForeignKey):
    """A generic relation to objects that may be in another database than the row.

    Django looks for the content type and the object in the row's database; this uses the project's
    routers.
    """

    def contribute_to_class(  # type: ignore[override]
        self, cls: type[models.Model], name: str, **kwargs: Any
    ) -> None:
        super().contribute_to_class(cls, name, **kwargs)
        setattr(cls, name, FarObject(self))

    def get_content_type(
        self,
        obj: Any = None,
        id: Any = None,  # noqa: A002 (Django's own name)
        using: Any = None,
        model: Any = None,
    ) -> Any:
        """Return the content type of an object or model, or the one with a key."""
        if obj is not None or model is not None:
            return super().get_content_type(obj=obj, model=model)
        try:
            return ContentType.objects.get_for_id(id)
        except ContentType.DoesNotExist:
            return ContentType(pk=id)


class FarObject:
    """The attribute of a row that returns its object, or None if there is none.

    It never raises. A content type, a model or an object may have been deleted, and a key may not
    be valid for today's model; the row still has the object's name.
    """

    def __init__(self, field: FarGenericForeignKey) -> None:
        self.field = field

    def __get__(self, row: Any, cls: Any = None) -> Any:
        if row is None:
            return self
        found = self.field.get_cached_value(row, default=None)
        if found is None and self.is_cached(row):
            return None
        if found is None or not self._matches(row, found):
            mode = getattr(row._state, "fetch_mode", None)  # Django 6.1
            self.fetch_one(row) if mode is None else mode.fetch(self, row)
        return self.field.get_cached_value(row)

    def __set__(self, row: Any, value: models.Model | None) -> None:
        content_type = None if value is None else self.field.get_content_type(obj=value)
        setattr(row, self.field.ct_field, content_type)
        setattr(row, self.field.fk_field, None if value is None else serialize_key(value))
        self.field.set_cached_value(row, value)

    def is_cached(self, row: Any) -> bool:
        """Return True if the object is cached, or that there is none."""
        return self.field.is_cached(row)

    def fetch_one(self, row: Any) -> None:
        """Fetch the object of one row."""
        model, key = self._target_of(row)
        found = None
        if model is not None:
            objects = _objects_of(model, row).filter(pk=key)
            found = next(iter(objects[:1]), None)
        self.field.set_cached_value(row, found)

    def fetch_many(self, rows: Any) -> None:
        """Fetch the objects of several rows."""
        missing = [row for row in rows if not self.is_cached(row)]
        models.prefetch_related_objects(missing, self.field.name)

    def get_prefetch_querysets(self, rows: Any, querysets: Any = None) -> Any:
        """Fetch the objects of several rows by one query for each model, for prefetch_related()."""
        given = {each.model._meta.concrete_model: each for each in querysets or ()}
        keys: dict[type[models.Model], dict[Any, None]] = {}
        for row in rows:
            model, key = self._target_of(row)
            if model is not None:
                keys.setdefault(model, {})[key] = None
        found: list[Any] = []
        for model, wanted in keys.items():
            objects = given[model] if model in given else _objects_of(model, rows[0])
            found += objects.filter(pk__in=list(wanted))
        return found, self._identity, self._target_of, True, self.field.name, False

    def _identity(self, instance: models.Model) -> tuple[Any, Any]:
        concrete = instance._meta.concrete_model or type(instance)
        return concrete, parse_key(concrete, serialize_key(instance))

    def _target_of(self, row: Any) -> tuple[Any, Any]:
        """Return model and key of a row's object, or None twice."""
        type_id, text = self._columns_of(row)
        if type_id is None or text is None:
            return None, None
        model = self.field.get_content_type(id=type_id).model_class()
        key = None if model is None else parse_key(model, text)
        return (None, None) if key is None else (model, key)

    def _matches(self, row: Any, instance: models.Model) -> bool:
        """Return True if a cached object is still that of the row."""
        type_id, text = self._columns_of(row)
        if type_id != self.field.get_content_type(obj=instance).pk:
            return False
        return serialize_key(instance) == (None if text is None else str(text))

    def _columns_of(self, row: Any) -> tuple[Any, Any]:
        """Return the key of the content type, and the object's key as text."""
        return getattr(row, f"{self.field.ct_field}_id"), getattr(row, self.field.fk_field)


def _objects_of(model: type[models.Model], row: Any) -> Any:
    """Return the objects of a model from its database, with the row's fetch mode."""
    objects: Any = model._base_manager.get_queryset()
    mode = getattr(row._state, "fetch_mode", None)
    return objects if mode is None else objects.fetch_mode(mode)
