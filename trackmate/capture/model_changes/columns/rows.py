"""The row of an instance as it is in the database, remembered without a query.

A registered class keeps the tuple that `from_db()` is given: a reference, no copy. Saving renews
it, and rolling the save back restores what was there before.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from copy import copy
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from types import NoneType
from typing import Any
from uuid import UUID
from weakref import ref

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.models import Model, QuerySet
from django.db.models.fields.files import FieldFile

from trackmate.db.commitments import Commitment
from trackmate.db.transactions import is_in_transaction
from trackmate.pipeline import never_raise

_ROW = "trackmate_row"
"""The attribute of `instance._state`, so that `vars(instance)` has nothing of ours."""


IMMUTABLE = frozenset(
    {
        NoneType, bool, int, float, complex, str, bytes,
        Decimal, datetime, date, time, timedelta, UUID,
    }
)  # fmt: skip
"""The types whose values cannot have been changed in place."""


class _Unknown:
    """The value of a column that has not been read."""

    def __repr__(self) -> str:
        return "UNKNOWN"

    def __reduce__(self) -> str:
        # The one and only, also in a copy or a pickle of an instance.
        return "UNKNOWN"


UNKNOWN = _Unknown()


class PartialRow(list[Any]):
    """The values of a row some of which are unknown."""


def remembered_row(instance: Model) -> Sequence[Any] | None:
    """Return the values of an instance's columns as they are in the database, in the order of
    `concrete_fields`, or None."""
    row: Any = getattr(instance._state, _ROW, None)
    if type(row) is dict:
        # By attribute, as in a copy or a pickle.
        fields = instance._meta.concrete_fields
        row = PartialRow(row.get(each.attname, UNKNOWN) for each in fields)
        setattr(instance._state, _ROW, row)
    return row  # type: ignore[no-any-return]


def remember_row(instance: Model, row: Sequence[Any] | None, alias: str) -> None:
    """Remember a row that was just written, until that is rolled back."""
    if is_in_transaction(connections[alias]):
        _RememberedRow(alias, instance)
    setattr(instance._state, _ROW, row)


class _RememberedRow(Commitment):
    """Restores what was remembered before a save, if it is rolled back."""

    def __init__(self, alias: str, instance: Model) -> None:
        super().__init__(alias)
        self._state_ref = ref(instance._state)
        self._row = remembered_row(instance)

    @property
    def is_over(self) -> bool:
        """Return True if the instance is gone."""
        return self._state_ref() is None

    def roll_back(self) -> None:
        super().roll_back()
        if (state := self._state_ref()) is not None:
            setattr(state, _ROW, self._row)


def stored_rows(model: type[Model], using: str) -> QuerySet[Any]:
    """Return all objects of a model that a database has; a manager of the project may hide some."""
    return QuerySet(model, using=using).order_by()


def watch_rows(model: type[Model]) -> Callable[[], None]:
    """Remember the rows of a class from now on; call the result to end that."""
    undo = [
        _replace(model, "from_db", _remembering_from_db),
        _replace(model, "refresh_from_db", _remembering_refresh),
        _replace(model, "__getstate__", _with_portable_row),
    ]

    def end() -> None:
        for each in undo:
            each()

    return end


def _replace(
    model: type[Model], name: str, wrap: Callable[[Callable[..., Any]], Any]
) -> Callable[[], None]:
    inherited = name not in model.__dict__
    found = model.__dict__.get(name)
    function = getattr(model, name)
    setattr(model, name, wrap(getattr(function, "__func__", function)))

    def undo() -> None:
        if inherited:
            delattr(model, name)
        else:
            setattr(model, name, found)

    return undo


def _remembering_from_db(function: Callable[..., Any]) -> Any:
    def from_db(
        cls: type[Model],
        /,
        db: str,
        field_names: Iterable[str],
        values: Sequence[Any],
        **kwargs: Any,
    ) -> Model:
        instance: Model = function(cls, db, field_names, values, **kwargs)
        if len(values) != len(cls._meta.concrete_fields):
            values = _aligned(cls, field_names, values)
        try:  # noqa: SIM105 (a context manager would slow down the loading of each row)
            setattr(instance._state, _ROW, values)
        except AttributeError:
            # A class may make something else of a row.
            pass
        return instance

    from_db.__doc__ = function.__doc__
    return classmethod(from_db)


def _aligned(cls: type[Model], field_names: Iterable[str], values: Sequence[Any]) -> Sequence[Any]:
    """Return the values in the order of all columns, those that were not read as unknown."""
    # As Django assigns them: in the order of the columns.
    names, found = {*field_names}, iter(values)
    return PartialRow(
        next(found) if each.attname in names else UNKNOWN for each in cls._meta.concrete_fields
    )


def _remembering_refresh(function: Callable[..., Any]) -> Any:
    def refresh_from_db(self: Model, *args: Any, **kwargs: Any) -> None:
        function(self, *args, **kwargs)
        # Unknown, should that fail.
        row = remembered_row(self)
        setattr(self._state, _ROW, None)
        _renew(self, row, kwargs.get("fields", args[1] if len(args) > 1 else None))

    refresh_from_db.__doc__ = function.__doc__
    return refresh_from_db


@never_raise
def _renew(instance: Model, row: Sequence[Any] | None, names: Iterable[str] | None) -> None:
    """Remember the columns that were read again; all of them if `names` is None."""
    fields = instance._meta.concrete_fields
    if row is None or len(row) != len(fields):
        row = [UNKNOWN] * len(fields)
    if names is not None and not isinstance(names, Collection):
        # An iterator, used up by now.
        names, row = (), [UNKNOWN] * len(fields)
    values = instance.__dict__
    renewed = PartialRow(
        as_stored(values.get(field.attname, UNKNOWN))
        if names is None or field.attname in names or field.name in names
        else old
        for field, old in zip(fields, row, strict=True)
    )
    if any(old is not new and old is not UNKNOWN for old, new in zip(row, renewed, strict=True)):
        # What was read may be rolled back.
        remember_row(instance, renewed, instance._state.db or DEFAULT_DB_ALIAS)
    else:
        setattr(instance._state, _ROW, renewed)


def _with_portable_row(function: Callable[..., Any]) -> Any:
    def getstate(self: Model) -> Any:
        state = function(self)
        row = remembered_row(self)
        if row is not None and type(state) is dict and "_state" in state:
            state["_state"] = copy(state["_state"])
            setattr(state["_state"], _ROW, _as_portable(self, row))
        return state

    getstate.__doc__ = function.__doc__
    return getstate


def _as_portable(instance: Model, row: Sequence[Any]) -> dict[str, Any]:
    """Return the values by attribute that any process can unpickle, whatever columns it has."""
    return {
        each.attname: value
        for each, value in zip(instance._meta.concrete_fields, row, strict=False)
        if type(value) in IMMUTABLE
    }


def is_built_in(field: Any) -> bool:
    """Return True for a field of Django's own, without those of its packages."""
    return type(field).__module__.startswith("django.db.models.fields")


def is_encrypted(field: Any) -> bool:
    """Return True for a field whose class says that it encrypts what is stored."""
    return any("encrypt" in each.__name__.lower() for each in type(field).__mro__)


def as_stored(value: Any) -> Any:
    """Return a value as it is remembered: of a file its name, since the file changes in place."""
    # By its type: asking a lazy object would evaluate it.
    return value.name if issubclass(type(value), FieldFile) else value
