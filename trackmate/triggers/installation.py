"""Installing, removing and checking the triggers of models."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.contrib.contenttypes.models import ContentType
from django.db import connections, router, transaction
from django.db.models import Model

from trackmate.exceptions import TriggerError
from trackmate.models import ActivityLog
from trackmate.registry import Options, Registration, concrete_model, registration_of, registrations
from trackmate.triggers.catalog import (
    CONVERSIONS_SQL,
    Found,
    execute_all,
    find_triggers,
    log_connection,
    resolve_table,
)
from trackmate.triggers.columns import type_of
from trackmate.triggers.conversions import CONVERSION, Place, conversions
from trackmate.triggers.definitions import late_trigger, triggers_of
from trackmate.triggers.functions import Trigger
from trackmate.triggers.installed import forget_triggers
from trackmate.triggers.names import VERBS, quote
from trackmate.triggers.relations import sides_of
from trackmate.triggers.secrets import is_secret_name
from trackmate.triggers.tables import TABLE_NAMES

_ENABLED = {"O", "A"}

Expected = dict[str, list[Trigger]]
"""The triggers by table."""


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a trigger."""

    table: str
    trigger: str
    problem: str

    def __str__(self) -> str:
        return f"{self.table}: {self.trigger} {self.problem}"


def install(labels: Collection[str] = ()) -> list[str]:
    """Create the triggers of the models that ask for them, and return the labels of those.

    Raise TriggerError if that is impossible for one of them; then nothing is changed.
    """
    connection = log_connection()
    with transaction.atomic(using=connection.alias):
        execute_all(connection, statements(labels))
    forget_triggers()
    return [each.model._meta.label for each in _chosen(labels)]


def statements(labels: Collection[str] = ()) -> Iterator[str]:
    """Yield the statements of `install()`."""
    connection, chosen = log_connection(), _chosen(labels)
    if not chosen:
        return
    expected = _expected(connection)
    schema, log = resolve_table(ActivityLog._meta.db_table, connection)
    for conversion in conversions():
        yield conversion.create(schema)
    yield from late_trigger().create(schema, log)
    for table in _tables_of(each.model for each in chosen):
        triggers = expected.get(table, [])
        wanted = {each.name for each in triggers}
        for found in find_triggers(connection, [table]):
            if found.name not in wanted:
                yield from found.drop()
        schema, name = resolve_table(table, connection)
        for trigger in triggers:
            yield from trigger.create(schema, name)


def remove(labels: Collection[str] = ()) -> int:
    """Drop the triggers of models, or all of them, and return how many there were."""
    connection = log_connection()
    models = [_model(label) for label in labels]
    own = {each for model in models for each in _names_of(model)} or None
    tables = _tables_of(models or apps.get_models())
    with transaction.atomic(using=connection.alias):
        found = find_triggers(connection, tables)
        dropped = [each for each in found if own is None or (each.db_table, each.name) in own]
        execute_all(connection, (sql for each in dropped for sql in each.drop()))
        if own is None:
            schema, _log = resolve_table(ActivityLog._meta.db_table, connection)
            names = (quote(schema, CONVERSION) + f"({each.type})" for each in conversions())
            execute_all(connection, (f"DROP FUNCTION IF EXISTS {name}" for name in names))
    forget_triggers()
    return len(dropped)


def check(labels: Collection[str] = ()) -> list[Problem]:
    """Return what is wrong with the triggers of models, or with all of them.

    Those that nobody asks for any more are wrong, too.
    """
    connection, chosen = log_connection(), _chosen(labels)
    expected = _expected(connection)
    models = [each.model for each in chosen]
    if chosen:
        models.append(ActivityLog)
        expected[ActivityLog._meta.db_table] = [late_trigger()]
    tables = _tables_of(models if labels else [*models, *apps.get_models()])
    found = find_triggers(connection, tables)
    outdated = list(_outdated_conversions(connection)) if chosen else []
    return outdated + [
        problem
        for table in tables
        for problem in _compare(
            table, expected.get(table, []), [each for each in found if each.db_table == table]
        )
    ]


def _compare(table: str, expected: Iterable[Trigger], found: Iterable[Found]) -> Iterator[Problem]:
    there = {each.name: each for each in found}
    for trigger in expected:
        current = there.pop(trigger.name, None)
        if current is None:
            yield Problem(table, trigger.name, "is missing.")
        elif current.body != trigger.body:
            yield Problem(table, trigger.name, "is out of date.")
        elif current.enabled not in _ENABLED:
            yield Problem(table, trigger.name, "is disabled.")
    for name in there:
        yield Problem(table, name, "is not wanted any more.")


def _outdated_conversions(connection: Any) -> Iterator[Problem]:
    schema, _log = resolve_table(ActivityLog._meta.db_table, connection)
    with connection.cursor() as cursor:
        cursor.execute(CONVERSIONS_SQL, [schema, CONVERSION])
        found = dict(cursor.fetchall())
    for each in conversions():
        if found.get(each.type) != each.body:
            problem = "is out of date." if each.type in found else "is missing."
            yield Problem(schema, f"{CONVERSION}({each.type})", problem)


def _chosen(labels: Collection[str]) -> list[Registration]:
    """Return the registrations that ask for triggers: those of the labels, or all."""
    if not labels:
        return [each for each in registrations() if each.options.triggers]
    found = []
    for label in labels:
        registration = registration_of(_model(label))
        if registration is None or not registration.options.triggers:
            raise TriggerError(f'{label} asks for no triggers. Register it with "triggers": True.')
        found.append(registration)
    return found


def _model(label: str) -> type[Model]:
    try:
        model = apps.get_model(label)
    except (LookupError, ValueError) as error:
        raise TriggerError(f"There is no model {label!r}.") from error
    return concrete_model(model)


def _expected(connection: Any) -> Expected:
    """Return the triggers of all registrations. Raise TriggerError for impossible ones."""
    expected: Expected = {}
    schema, log = resolve_table(ActivityLog._meta.db_table, connection)
    for registration in _chosen(()):
        _check_possible(registration.model, connection)
        place = Place(
            connection=connection,
            log=quote(schema, log),
            content_types=quote(*resolve_table(ContentType._meta.db_table, connection)),
            conversion=quote(schema, CONVERSION),
        )
        for trigger in triggers_of(registration, place):
            expected.setdefault(trigger.table, []).append(trigger)
    return expected


def _check_possible(model: type[Model], connection: Any) -> None:
    label, alias = model._meta.label, router.db_for_write(model)
    if _address(connections[alias]) != _address(connection):
        raise TriggerError(
            f"{label} is in the database {alias!r}, and the log in {connection.alias!r}: a trigger"
            " cannot write to another database."
        )
    for parent in model._meta.all_parents:
        registration = registration_of(parent)
        if registration is None or not registration.options.triggers:
            raise TriggerError(
                f"{label} inherits from {parent._meta.label}, whose columns are in a table of their"
                ' own. Register that with "triggers": True, too.'
            )
    if is_secret_name(model.__name__) and any(
        type_of(each, connection) not in {"smallint", "integer", "bigint"}
        for each in model._meta.pk_fields
    ):
        raise TriggerError(
            f"The primary key of {label} may be a secret, which a trigger cannot hash."
        )


def _address(connection: Any) -> tuple[str, ...]:
    """Return what tells databases apart, whatever their aliases."""
    settings = connection.settings_dict
    return tuple(str(settings[name]) for name in ("ENGINE", "HOST", "PORT", "NAME"))


def _tables_of(models: Iterable[type[Model]]) -> list[str]:
    """Return the tables of models, and those of their many-to-many relations."""
    return list(dict.fromkeys(table for model in models for table, _name in _names_of(model)))


def _names_of(model: type[Model]) -> Iterator[tuple[str, str]]:
    """Yield table and name of each trigger that a model may have."""
    for name in TABLE_NAMES:
        yield model._meta.db_table, name
    for side in sides_of(Registration(model, Options())):
        for statement in VERBS:
            yield side.table, side.trigger_name(statement)
