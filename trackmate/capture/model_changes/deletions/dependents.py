"""The objects that point to what is deleted, by the foreign keys that nothing else follows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import Any

from django.db import models
from django.db.models import Field, ForeignKey, Model

from trackmate.capture.model_changes.columns.rows import stored_rows
from trackmate.registry import Registration, concrete_model, registrations

MAX_KEYS = 500
"""Keys in one query."""

DATABASE_CASCADE = getattr(models, "DB_CASCADE", None)
"""How a foreign key is followed by the database itself (Django 6.1)."""


def find_objects(model: type[Model], using: str, name: str, keys: Sequence[Any]) -> Iterator[Model]:
    """Yield the objects whose field `name` has one of some values."""
    for start in range(0, len(keys), MAX_KEYS):
        chunk = keys[start : start + MAX_KEYS]
        yield from stored_rows(model, using).filter(**{f"{name}__in": chunk})


def models_of(model: type[Model]) -> list[type[Model]]:
    """Return a model and those that it inherits from."""
    concrete = concrete_model(model)
    return [concrete, *concrete._meta.all_parents]


def foreign_keys_of(model: type[Model]) -> list[ForeignKey[Any, Any]]:
    """Return those to other objects: one to a parent is to the same."""
    return [
        each
        for each in model._meta.concrete_fields
        if isinstance(each, ForeignKey) and not each.remote_field.parent_link
    ]


@cache
def keys_to(model: type[Model]) -> tuple[tuple[Registration, ForeignKey[Any, Any]], ...]:
    """Return the foreign keys of registered models to a model that nothing else records: those that
    are unset, and those that the database follows."""
    return tuple(_find_keys(model))


def _find_keys(model: type[Model]) -> Iterator[tuple[Registration, ForeignKey[Any, Any]]]:
    for registration in registrations():
        fields: Iterable[Field[Any, Any]] = registration.fields
        for each in fields:
            if (
                isinstance(each, ForeignKey)
                and concrete_model(each.related_model) is model
                and each.remote_field.on_delete not in _RECORDED
            ):
                yield registration, each
        if DATABASE_CASCADE is not None:
            yield from _database_cascades(registration, model)


_RECORDED = (
    models.CASCADE,
    models.PROTECT,
    models.RESTRICT,
    models.DO_NOTHING,
    DATABASE_CASCADE,
)


def _database_cascades(
    registration: Registration, model: type[Model]
) -> Iterator[tuple[Registration, ForeignKey[Any, Any]]]:
    for each in foreign_keys_of(registration.model):
        if (
            each.remote_field.on_delete is DATABASE_CASCADE
            and concrete_model(each.related_model) is model
        ):
            yield registration, each
