"""Model fields: a key that is a clock, a time that is aware, a link that crosses databases."""

from __future__ import annotations

from datetime import datetime
from typing import Any, cast

from django.conf import settings
from django.contrib.contenttypes.fields import GenericForeignKey
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import ObjectDoesNotExist
from django.db import models

from trackmate.clock import aware, naive, uuid7


class UUIDv7Field(models.UUIDField):  # type: ignore[type-arg]
    """A UUID made from the instance's `clock` field, so that the primary key sorts by it."""

    def __init__(self, *args: Any, clock: str, **kwargs: Any) -> None:
        self.clock = clock
        super().__init__(*args, **kwargs)

    def deconstruct(self) -> Any:
        name, path, args, kwargs = super().deconstruct()
        return name, path, args, {**kwargs, "clock": self.clock}

    def get_pk_value_on_save(self, instance: models.Model) -> Any:
        """Return a new identifier of the instance's own moment."""
        clock = cast("models.DateTimeField[Any, Any]", instance._meta.get_field(self.clock))
        # As for any field, a text may stand for the time.
        return uuid7(aware(clock.to_python(getattr(instance, self.clock))))


class AwareDateTimeField(models.DateTimeField):  # type: ignore[type-arg]
    """A time that takes a naive value, as of `datetime.now()`, in the current time zone.

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
    """A generic relation to objects that need not live in the database of the row.

    Django looks for the content type and the object beside the row, where a log in a database of
    its own has neither; this looks where the project's routers say.
    """

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
            return _Far(ContentType.objects.get_for_id(id))
        except ContentType.DoesNotExist:
            return _Far(ContentType(pk=id))


class _Far:
    """A content type that fetches objects from where they live, whatever it is told."""

    def __init__(self, content_type: ContentType) -> None:
        self._content_type = content_type

    def __getattr__(self, name: str) -> Any:
        return getattr(self._content_type, name)

    def get_object_for_this_type(self, using: str | None = None, **lookups: Any) -> models.Model:
        if self._content_type.model_class() is None:
            # The type or its model is gone; what is left of the object is its name in the row.
            raise ObjectDoesNotExist
        return self._content_type.get_object_for_this_type(**lookups)
