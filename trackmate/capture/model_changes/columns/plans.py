"""What is to be compared when an instance of a class is saved, worked out once for each class."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from django.db import models
from django.db.models import Field, JSONField, Model

from trackmate.capture.model_changes.columns.rows import is_built_in, is_encrypted
from trackmate.db.tables import table_name
from trackmate.registry import Registration, concrete_model, registration_of
from trackmate.triggers.installed import has_triggers

_PLAIN = frozenset(
    {
        models.CharField, models.TextField, models.SlugField, models.BooleanField,
        models.IntegerField, models.BigIntegerField, models.SmallIntegerField,
        models.PositiveIntegerField, models.PositiveSmallIntegerField, models.DateField,
        models.UUIDField,
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class RecordedColumn:
    """A column of a class."""

    index: int
    """Its place in `concrete_fields`."""
    attname: str
    field: Field[Any, Any]
    is_mutable: bool
    """Whether its values can change in place: those of JSON, arrays, and fields of others."""
    is_plain: bool
    """Whether a value of its type differs from another one exactly if it is not equal."""
    is_masked: bool
    is_silent: bool
    """Whether a change of it alone is none: a time that each save sets."""


@dataclass(frozen=True, slots=True)
class Part:
    """What a class has of one registered model: of itself, or of a parent."""

    registration: Registration
    columns: tuple[RecordedColumn, ...]
    key: str
    """The attribute with the primary key of that model."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is recorded of the instances of a class."""

    model: type[Model]
    parts: tuple[Part, ...]
    columns: tuple[RecordedColumn, ...]
    """The columns of all parts."""
    has_mutable: bool
    reads_stored: bool
    """Whether old values always come from the database."""
    generated: tuple[RecordedColumn, ...]
    """Those that the database computes."""
    keys: tuple[tuple[int, str], ...]
    """Places and attributes of the primary key."""
    width: int
    """How many columns a row has."""
    tables: frozenset[str]
    """The tables that a row is in, with those of parents."""


@cache
def plan_for(model: type[Model]) -> Plan | None:
    """Return the plan of a class, or None if neither it nor a parent is registered."""
    concrete = concrete_model(model)
    models = [concrete, *concrete._meta.all_parents]
    found = [each for each in map(registration_of, models) if each is not None]
    if not found:
        return None
    parts = tuple(_part(concrete, each) for each in found)
    columns = {column.index: column for part in reversed(parts) for column in part.columns}
    return Plan(
        model=concrete,
        parts=parts,
        columns=tuple(columns[index] for index in sorted(columns)),
        has_mutable=any(column.is_mutable for column in columns.values()),
        reads_stored=any(each.options.old == "stored" for each in found),
        generated=tuple(each for each in columns.values() if _is_generated(each.field)),
        keys=tuple(
            (index, each.attname)
            for index, each in enumerate(concrete._meta.concrete_fields)
            if each in concrete._meta.pk_fields
        ),
        width=len(concrete._meta.concrete_fields),
        tables=frozenset(table_name(each._meta.db_table) for each in models),
    )


def is_left_to_triggers(plan: Plan, alias: str) -> bool:
    """Return True if triggers of a database record all that is recorded of a class."""
    return all(has_triggers(each.registration, alias) for each in plan.parts)


def _part(model: type[Model], registration: Registration) -> Part:
    places = {each: index for index, each in enumerate(model._meta.concrete_fields)}
    return Part(
        registration,
        tuple(
            RecordedColumn(
                index=places[each],
                attname=each.attname,
                field=each,
                is_mutable=_is_mutable(each),
                is_plain=type(each) in _PLAIN,
                is_masked=each.name in registration.options.mask or is_encrypted(each),
                is_silent=registration.is_silent(each),
            )
            for each in registration.fields
        ),
        key=registration.model._meta.pk.attname,
    )


def _is_mutable(field: Field[Any, Any]) -> bool:
    return isinstance(field, JSONField) or not is_built_in(field)


def _is_generated(field: Field[Any, Any]) -> bool:
    return bool(getattr(field, "generated", False))
