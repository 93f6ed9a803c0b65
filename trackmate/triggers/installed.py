"""Which models the triggers of a database record."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db import connections, models
from django.db.models import ForeignKey, Model

from trackmate.registry import Registration
from trackmate.triggers.names import PREFIX, VERBS

_TRIGGERS_SQL = """
SELECT count(*) FROM pg_trigger
WHERE tgrelid = to_regclass(%s) AND tgname = ANY (%s) AND tgenabled IN ('O', 'A')
"""

_NAMES = [f"{PREFIX}{verb}" for verb in VERBS]

_found: dict[tuple[str, str, type[Model]], bool] = {}


def has_triggers(registration: Registration, alias: str) -> bool:
    """Return True if triggers record the changes of a model, so that nothing else has to.

    That is what they were when this was first called for a database and its schema: a process
    notices an installation of another one when it is started again.
    """
    if not registration.options.triggers:
        return False
    connection: Any = connections[alias]
    if connection.vendor != "postgresql":
        return False
    schema = str(getattr(connection, "schema_name", None) or "")
    key = alias, schema, registration.model
    found = _found.get(key)
    if found is None:
        found = _find(connection, registration.model)
        if found is None:
            return False
        _found[key] = found
    return found


def find_cascading_tables(model: type[Model]) -> Iterator[str]:
    """Yield the tables in which a deletion lets the database itself change objects of a model."""
    found = [model]
    for each in found:
        for field in each._meta.concrete_fields:
            related: Any = field.related_model
            is_followed = (
                isinstance(field, ForeignKey) and field.remote_field.on_delete in LEFT_TO_DATABASE
            )
            if is_followed and related not in found:
                found.append(related)
                yield related._meta.db_table


LEFT_TO_DATABASE = tuple(
    each
    for name in ("DO_NOTHING", "DB_CASCADE", "DB_SET_NULL", "DB_SET_DEFAULT")
    if (each := getattr(models, name, None)) is not None
)
"""What is left to the database when an object that others point to is deleted."""


def forget_triggers() -> None:
    """Ask the databases again."""
    _found.clear()


def _find(connection: Any, model: type[Model]) -> bool | None:
    """Return whether a table has triggers, or None if the database cannot say so now."""
    table = connection.ops.quote_name(model._meta.db_table)
    try:
        connection.ensure_connection()
        # Not Django's cursor: this is no query of the project's.
        with connection.connection.cursor() as cursor:
            cursor.execute(_TRIGGERS_SQL, (table, _NAMES))
            return bool(cursor.fetchone()[0])
    except connection.Database.Error:
        return None
