"""The INSERT into the log, compiled once per database.

The ORM takes most of the time for a row; this saves more than half of it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from operator import attrgetter
from typing import Any

from django.conf import settings
from django.contrib.contenttypes.models import ContentType
from django.db import Error, connections, models, router, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper
from django.db.models.sql import InsertQuery

from trackmate.activity import Activity
from trackmate.clock import naive
from trackmate.conf import get_settings
from trackmate.db.time_limits import limit_time, statement_limit
from trackmate.db.transactions import protected_transactions
from trackmate.models import ActivityLog
from trackmate.models.rollups import invalidate_rollups

MAX_ROWS = 500
"""Rows of one INSERT, unless the database has a lower limit."""


class NoContentTypesError(Error):
    """The content types cannot be read now; they may be in another database."""


def insert(
    activities: Sequence[Activity],
    alias: str,
    *,
    seconds: float | None = None,
    ignore_conflicts: bool = False,
) -> None:
    """Store activities with one INSERT, or a few in one transaction if they exceed its limits.

    The database stops a statement after `seconds`, if it can. Within an open transaction this uses
    a savepoint. With `ignore_conflicts`, activities that are stored already are skipped.
    """
    statement = _statement(alias)
    connection = connections[alias]
    # Otherwise MySQL connects twice: to check the server's features, and to store.
    connection.ensure_connection()
    recorded_at = statement.convert_time(datetime.now(UTC), connection)
    rows = [statement.row(activity, recorded_at, connection) for activity in activities]
    keys = [activity.id for activity in activities]
    # A single statement is a transaction of its own.
    together = len(rows) > statement.rows_at_once or connection.in_atomic_block
    with (
        transaction.atomic(using=alias) if together else nullcontext(),
        invalidate_rollups(keys, alias),
        connection.cursor() as cursor,
        _limit_apart(connection, seconds),
    ):
        for text, values in statement.batches(rows, ignore_conflicts=ignore_conflicts):
            cursor.execute(_limited(text, cursor, seconds) if seconds else text, values)


def insert_missing(activities: Sequence[Activity], alias: str) -> int:
    """Store the activities that are not stored yet, in one transaction, and return their number.

    Those that another process stores meanwhile are skipped.
    """
    with transaction.atomic(using=alias):
        rows = ActivityLog.objects.using(alias).filter(pk__in=[each.id for each in activities])
        stored = set(rows.values_list("pk", flat=True))
        # After a crash, a segment may contain an activity twice.
        missing = {each.id: each for each in activities if each.id not in stored}
        if missing:
            insert(list(missing.values()), alias, ignore_conflicts=True)
        return len(missing)


def can_insert(alias: str, action_time: datetime) -> bool:
    """Return True if the table accepts a valid row with that time.

    The row is inserted and rolled back. If that fails, other rows are not the cause.
    """
    try:
        with transaction.atomic(using=alias):
            insert([Activity.at(action_time, action="trackmate.probe")], alias)
            transaction.set_rollback(True, using=alias)
    except (OverflowError, TypeError, ValueError):
        # The time itself is invalid, which is no fault of the database.
        return True
    except Exception:  # noqa: BLE001 (whatever a driver raises)
        return False
    return True


def _limited(text: str, cursor: CursorWrapper, seconds: float) -> str:
    """Return a statement with a timeout in the same message, which saves a round trip."""
    connection: Any = cursor.db
    if connection.vendor == "mysql" and connection.mysql_is_mariadb:
        return f"SET STATEMENT max_statement_time={seconds:.3f} FOR {text}"
    if connection.vendor != "postgresql" or not _takes_several(connection):
        return text
    milliseconds = _milliseconds(seconds)
    if not connection.in_atomic_block:
        # The message is one transaction, and a local setting ends with it.
        return f"SET LOCAL statement_timeout = {milliseconds}; {text}"
    return (
        "SELECT set_config('trackmate.timeout', current_setting('statement_timeout'), true);"
        f" SET LOCAL statement_timeout = {milliseconds}; {text};"
        " SELECT set_config('statement_timeout', current_setting('trackmate.timeout'), true)"
    )


def _limit_apart(
    connection: BaseDatabaseWrapper, seconds: float | None
) -> AbstractContextManager[None]:
    """Set the timeout separately if a message takes one statement, within a transaction.

    Outside of one, `time_limit` is enough.
    """
    is_postgresql = connection.vendor == "postgresql"
    if seconds and is_postgresql and connection.in_atomic_block and not _takes_several(connection):
        return statement_limit(connection, _milliseconds(seconds), restore=True)
    return nullcontext()


def _milliseconds(seconds: float) -> int:
    return max(1, int(seconds * 1000))


def _takes_several(connection: Any) -> bool:
    # With server-side binding a message takes one statement.
    return not connection.settings_dict["OPTIONS"].get("server_side_binding")


Convert = Callable[[Any, Any], Any]
"""Converts a value for the database of a connection."""


@dataclass(frozen=True, slots=True)
class Statement:
    """A compiled INSERT into the log for one database.

    It is used by all threads, and so refers to no connection.
    """

    head: str
    placeholders: str
    values: Callable[[Activity], tuple[Any, ...]]
    """Returns the values of the first columns from an activity."""
    conversions: tuple[tuple[int, Convert], ...]
    """Positions of the values to convert, with their conversions."""
    convert_time: Convert
    conflict: str
    """The clause that skips rows whose key exists."""
    rows_at_once: int
    """Maximum number of rows of one statement."""

    def batches(
        self, rows: Sequence[list[Any]], *, ignore_conflicts: bool
    ) -> Iterator[tuple[str, list[Any]]]:
        """Yield the SQL and the parameters of the statements that store rows."""
        for start in range(0, len(rows), self.rows_at_once):
            chunk = rows[start : start + self.rows_at_once]
            text = self.head + ", ".join([self.placeholders] * len(chunk))
            values = [value for row in chunk for value in row]
            yield text + self.conflict if ignore_conflicts else text, values

    def row(self, activity: Activity, recorded_at: Any, connection: Any) -> list[Any]:
        """Return the parameters of an activity; `recorded_at` is converted already."""
        values = list(self.values(activity))
        for position, convert in self.conversions:
            if values[position] is not None:
                values[position] = convert(values[position], connection)
        target = activity.target
        values.append(recorded_at)
        if target is None:
            values += (None, None, "")
        else:
            values += (_content_type_id(target.model), target.object_id, target.object_repr)
        return values


_LAST = ("recorded_at", "content_type_id", "object_id", "object_repr")
"""The last columns, which are not fields of an activity."""

_UNCONVERTED = (models.CharField, models.TextField, models.FloatField, models.IntegerField)
"""Fields whose values need no conversion."""


@cache
def _statement(alias: str) -> Statement:
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
        conversions=tuple(
            (position, _conversion(field, connection))
            for position, field in enumerate(fields[: len(names)])
            if not isinstance(field, _UNCONVERTED)
        ),
        convert_time=_conversion(by_name["recorded_at"], connection),
        conflict=(
            # Not INSERT IGNORE, which changes invalid values.
            " ON DUPLICATE KEY UPDATE id = id"
            if connection.vendor == "mysql"
            else " ON CONFLICT DO NOTHING"
        ),
        rows_at_once=max(1, connection.ops.bulk_batch_size(fields, [None] * MAX_ROWS)),
    )


def _conversion(field: models.Field[Any, Any], connection: BaseDatabaseWrapper) -> Convert:
    if isinstance(field, models.JSONField):
        # Processed data are plain; every database accepts JSON as text, without Django's encoder.
        return lambda value, _connection: json.dumps(value)
    is_time = isinstance(field, models.DateTimeField)
    if isinstance(field, models.GenericIPAddressField) or (
        # psycopg takes 20 microseconds longer for each of these than for text.
        connection.vendor == "postgresql" and (is_time or isinstance(field, models.UUIDField))
    ):
        return lambda value, _connection: str(_localize(value) if is_time else value)
    if is_time:
        return lambda value, connection: field.get_db_prep_save(_localize(value), connection)
    return field.get_db_prep_save


def _localize(value: datetime) -> datetime:
    return value if settings.USE_TZ else naive(value)


def _content_type_id(label: str) -> int | None:
    """Return the key of a model's content type, which Django caches."""
    alias = router.db_for_read(ContentType)
    # Without what protects a query where none is needed.
    known: Any = ContentType.objects._cache.get(alias, {}).get(tuple(label.split(".", 1)))  # type: ignore[attr-defined]
    if known is not None:
        return int(known.pk)
    try:
        with protected_transactions(), limit_time(alias, get_settings().WRITE_TIMEOUT):
            # Never creates a missing one: after a rollback its key would become another model's.
            return ContentType.objects.get_by_natural_key(*label.split(".", 1)).pk
    except (ContentType.DoesNotExist, TypeError):
        return None
    except Error as error:
        raise NoContentTypesError(*error.args) from error
