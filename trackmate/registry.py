"""The models whose changes are recorded, and how.

Only the names: capture connects what it needs, and the pages about an object read how its fields
were called before.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal, Protocol, get_type_hints

from django.contrib.auth import get_user_model
from django.db.models import AutoField, Field, ManyToManyField, Model, QuerySet

from trackmate.conf import accepts

Verb = Literal["create", "update", "delete", "m2m"]

VERBS: frozenset[str] = frozenset({"create", "update", "delete", "m2m"})

BULK_LIMIT = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What is recorded of a model, the keywords of `register()`."""

    fields: Collection[str] | None = None
    """The fields to record; None means all."""
    exclude: Collection[str] = ()
    """Fields that are not recorded."""
    mask: Collection[str] = ()
    """Fields whose changes are recorded without their values."""
    m2m: Collection[str] | None = None
    """The many-to-many fields to record; None means those among `fields`."""
    on: Collection[str] = VERBS
    """What to record: "create", "update", "delete", "m2m"."""
    old: Literal["loaded", "stored"] = "loaded"
    """Where old values come from: the instance as it was loaded, or a query before each update and
    deletion."""
    guarantee: Literal["close", "transaction"] = "close"
    """When changes are stored: with the activities of the request, or of the transaction; or at
    once, within the transaction that makes them."""
    triggers: bool = False
    """Whether triggers of the database record its changes (PostgreSQL), once they are installed."""
    renamed: Mapping[str, str] = field(default_factory=dict)
    """Former names of fields, each with the name that it has now."""
    bulk_limit: int = BULK_LIMIT
    """A bulk operation on more objects than this becomes one summary."""

    def __post_init__(self) -> None:
        """Raise TypeError for a value that an option does not take."""
        for name, hint in option_types().items():
            if not accepts(value := getattr(self, name), hint):
                raise TypeError(f"{name} cannot be {value!r}.")


@cache
def option_types() -> dict[str, Any]:
    """Return each option's name with its type."""
    return get_type_hints(Options)


@dataclass(frozen=True, slots=True)
class Registration:
    """A registered model with its options."""

    model: type[Model]
    options: Options

    @property
    def fields(self) -> tuple[Field[Any, Any], ...]:
        """The recorded fields with a column, those of its parents included.

        A key that the database makes, or that a child shares with its parent, is the object's.
        """
        return tuple(
            each
            for each in self.model._meta.concrete_fields
            if self._records(each.name) and not _is_given_key(each)
        )

    @property
    def m2m_fields(self) -> tuple[ManyToManyField[Any, Any], ...]:
        """The recorded many-to-many fields, those of its parents included."""
        return tuple(each for each in self.model._meta.many_to_many if self.records_m2m(each.name))

    def records_m2m(self, name: str) -> bool:
        """Return True for the name of a recorded many-to-many field, or of one that points here."""
        named = self.options.m2m
        return "m2m" in self.options.on and (
            self._records(name) if named is None else name in named
        )

    def is_silent(self, field: Field[Any, Any]) -> bool:
        """Return True if a change of a field alone is not recorded: a time that each save sets."""
        # A login has an activity of its own.
        is_login = field.name == "last_login" and issubclass(get_user_model(), field.model)
        is_automatic = is_login or bool(getattr(field, "auto_now", False))
        return is_automatic and field.name not in (self.options.fields or ())

    def _records(self, name: str) -> bool:
        wanted = self.options.fields
        return (wanted is None or name in wanted) and name not in self.options.exclude


def concrete_model(model: type[Model]) -> type[Model]:
    """Return the model whose table holds the objects of a model: of a proxy, its original."""
    return model._meta.concrete_model or model


def _is_given_key(field: Field[Any, Any]) -> bool:
    is_link = bool(field.remote_field and getattr(field.remote_field, "parent_link", False))
    return is_link or (field.primary_key and isinstance(field, AutoField))


_registrations: dict[type[Model], Registration] = {}


def registration_of(model: type[Model]) -> Registration | None:
    """Return the registration of a model, or of the one that it is a proxy of, or None."""
    return _registrations.get(concrete_model(model))


def registrations() -> Iterator[Registration]:
    """Yield the registrations, in the order in which they were made."""
    yield from tuple(_registrations.values())


class RecordBulk(Protocol):
    """Runs a bulk operation of a queryset and records what it does."""

    def __call__(
        self,
        queryset: QuerySet[Any],
        operation: str,
        run: Callable[..., Any],
        *args: Any,
        **kwargs: Any,
    ) -> Any:
        """Return the result of `run(*args, **kwargs)`."""


class _Hooks:
    record_bulk: RecordBulk | None = None


hooks = _Hooks()
"""What capture sets, since querysets are below it."""


def add_registration(model: type[Model], options: Options) -> Registration:
    """Keep the registration of a model, in place of an earlier one."""
    registration = Registration(model, options)
    _registrations[model] = registration
    return registration


def remove_registration(model: type[Model]) -> Registration | None:
    """Forget the registration of a model."""
    return _registrations.pop(model, None)
