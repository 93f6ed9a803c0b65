"""Model fields: a primary key that is a clock, and a time that is always aware."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.conf import settings
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
        return uuid7(aware(getattr(instance, self.clock)))


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
