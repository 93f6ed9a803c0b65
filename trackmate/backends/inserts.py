"""The INSERT of the log, compiled once for each database and used ever after.

What the ORM costs for one row is Python and not the database; this spares more than half of it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from functools import cache
from operator import attrgetter
from typing import Any

from django.conf import settings
from django.contrib.contenttypes.models import ContentType
from django.db import connections, models, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper
from django.db.models.sql import InsertQuery

from trackmate.activity import Activity
from trackmate.clock import naive
from trackmate.models import ActivityLog
from trackmate.rollups import is_late, note

MAX_ROWS = 500
"""Rows of one INSERT where the database sets no lower limit."""


def insert(activities: Sequence[Activity], alias: str) -> None:
    """Store activities with one INSERT, or a few in one transaction where they exceed its limits.

    Never breaks a transaction that is open already: it writes within a savepoint then.
    """
    statement = _statement(alias, settings.USE_TZ)
    recorded_at = statement.prepare_time(datetime.now(UTC))
    rows = [statement.row(activity, recorded_at) for activity in activities]
    size = statement.rows_at_once
    connection = connections[alias]
    keys = [activity.id for activity in activities]
    together = len(rows) > size or is_late(*keys) or connection.in_atomic_block
    # A single statement is a transaction of its own.
    with (
        transaction.atomic(using=alias) if together else nullcontext(),
        connection.cursor() as cursor,
    ):
        for start in range(0, len(rows), size):
            chunk = rows[start : start + size]
            statement.execute(cursor, len(chunk), [value for row in chunk for value in row])
        if together:
            # What is stored at once is not late.
            note(keys, alias)


Prepare = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Statement:
    """An INSERT into the log for one database, compiled by Django once."""

    head: str
    placeholders: str
    values: Callable[[Activity], tuple[Any, ...]]
    """Reads from an activity what stands in the first columns, in their order."""
    prepared: tuple[tuple[int, Prepare], ...]
    """Positions of the values that the database takes in another form, and what makes it."""
    prepare_time: Prepare
    rows_at_once: int
    """How many rows one statement may hold."""

    def execute(self, cursor: CursorWrapper, rows: int, values: list[Any]) -> None:
        """Store a number of rows, given their values one row after the other."""
        connection = cursor.db
        text = self.head + ", ".join([self.placeholders] * rows)
        if connection.vendor != "sqlite" or connection.in_atomic_block or _is_watched(cursor):
            cursor.execute(text, values)
            return
        # Nobody's transaction is at stake, so nothing that Django's cursor checks has to be. It
        # writes "?" for each "%s" with a regular expression, each time anew, which costs a fifth
        # of what storing the row does.
        with connection.wrap_database_errors:
            connection.connection.execute(text.replace("%s", "?"), values)

    def row(self, activity: Activity, recorded_at: Any) -> list[Any]:
        """Return the values of an activity in the order of the columns, `recorded_at` prepared."""
        values = list(self.values(activity))
        for position, prepare in self.prepared:
            if values[position] is not None:
                values[position] = prepare(values[position])
        target = activity.target
        values.append(recorded_at)
        if target is None:
            values += (None, None, "")
        else:
            values += (_content_type_id(target.model), target.object_id, target.object_repr)
        return values


def _is_watched(cursor: CursorWrapper) -> bool:
    """Say whether somebody counts, logs or changes what runs through Django's cursors."""
    return type(cursor) is not CursorWrapper or bool(cursor.db.execute_wrappers)


_LAST = ("recorded_at", "content_type_id", "object_id", "object_repr")
"""Columns that are no attribute of an activity."""

_AS_THEY_ARE = (models.CharField, models.TextField, models.FloatField, models.IntegerField)
"""Fields whose values every database takes as they come out of the processors."""


@cache
def _statement(alias: str, use_tz: bool) -> Statement:  # noqa: FBT001 (part of the cache's key)
    connection = connections[alias]
    by_name = {field.attname: field for field in ActivityLog._meta.concrete_fields}
    names = [name for name in by_name if name not in _LAST]
    fields = [by_name[name] for name in (*names, *_LAST)]
    query = InsertQuery(ActivityLog)
    query.insert_values(fields, [ActivityLog()], raw=True)
    ((text, _params),) = query.get_compiler(alias).as_sql()
    head, placeholders = text.split(" VALUES ", 1)
    return Statement(
        head=f"{head} VALUES ",
        placeholders=placeholders,
        values=attrgetter(*names),
        prepared=tuple(
            (position, _preparation(field, connection, use_tz=use_tz))
            for position, field in enumerate(fields[: len(names)])
            if not isinstance(field, _AS_THEY_ARE)
        ),
        prepare_time=_preparation(by_name["recorded_at"], connection, use_tz=use_tz),
        rows_at_once=max(1, connection.ops.bulk_batch_size(fields, [None] * MAX_ROWS)),
    )


def _preparation(field: models.Field[Any, Any], connection: Any, *, use_tz: bool) -> Prepare:
    if as_text := _as_text(field, connection, use_tz=use_tz):
        return as_text
    if isinstance(field, models.DateTimeField):
        adapt = connection.ops.adapt_datetimefield_value
        return adapt if use_tz else lambda moment: adapt(naive(moment))
    if isinstance(field, models.JSONField):
        # What the processors leave is plain JSON, which needs no encoder of Django's.
        adapt_json = connection.ops.adapt_json_value
        return lambda value: adapt_json(value, None)
    if isinstance(field, models.ForeignKey):
        # Most users have a number for a key, which needs no preparation.
        prepare = field.get_db_prep_save
        return lambda key: key if type(key) is int else prepare(key, connection)
    return lambda value: field.get_db_prep_save(value, connection)


def _as_text(
    field: models.Field[Any, Any], connection: BaseDatabaseWrapper, *, use_tz: bool
) -> Prepare | None:
    """Return what writes a value as PostgreSQL or SQLite reads it, where Django or the driver
    takes longer for the same text."""
    key: Prepare = str
    moment: Prepare = str
    if connection.vendor == "sqlite":
        key, moment = attrgetter("hex"), _clock_text(connection.timezone)
    elif connection.vendor != "postgresql":
        return None
    if isinstance(field, models.UUIDField):
        return key
    if isinstance(field, models.DateTimeField):
        return moment if use_tz else lambda value: str(naive(value))
    if isinstance(field, models.JSONField):
        return json.dumps
    return str if isinstance(field, models.GenericIPAddressField) else None


def _clock_text(zone: tzinfo | None) -> Prepare:
    """Return what writes a time as SQLite keeps it: without a zone, which is the database's."""
    return lambda moment: str(moment.astimezone(zone).replace(tzinfo=None))


def _content_type_id(label: str) -> int | None:
    """Return the key of a model's content type; Django remembers it after the first look."""
    try:
        # Never one that makes what is missing: within a transaction that is rolled back, its key
        # would later belong to another model.
        return ContentType.objects.get_by_natural_key(*label.split(".", 1)).pk
    except (ContentType.DoesNotExist, TypeError):
        return None
