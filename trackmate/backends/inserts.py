"""The INSERT of the log, compiled once for each database and used ever after.

What the ORM costs for one row is Python and not the database; this spares more than half of it.
"""

from __future__ import annotations

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
from trackmate.rollups import is_late, note

MAX_ROWS = 500
"""Rows of one INSERT where the database sets no lower limit."""


class NoContentTypesError(Error):
    """The content types cannot be read now; they may be in another database."""


def insert(
    activities: Sequence[Activity],
    alias: str,
    *,
    seconds: float | None = None,
    is_repeated: bool = False,
) -> None:
    """Store activities with one INSERT, or a few in one transaction where they exceed its limits.

    The database stops a statement that takes longer than `seconds`, where it can. A transaction
    that is open already is never broken: this writes within a savepoint then. Where `is_repeated`,
    each is passed over that is stored already.
    """
    statement = _statement(alias)
    connection = connections[alias]
    # Or MySQL's is made twice: to ask the server what it can, and to store.
    connection.ensure_connection()
    recorded_at = statement.prepare_time(datetime.now(UTC), connection)
    rows = [statement.row(activity, recorded_at, connection) for activity in activities]
    keys = [activity.id for activity in activities]
    # A single statement is a transaction of its own.
    together = len(rows) > statement.rows_at_once or is_late(*keys) or connection.in_atomic_block
    with (
        transaction.atomic(using=alias) if together else nullcontext(),
        connection.cursor() as cursor,
        _limit_apart(connection, seconds),
    ):
        for text, values in statement.of(rows, is_repeated=is_repeated):
            cursor.execute(_limited(text, cursor, seconds) if seconds else text, values)
        if together:
            # What is stored at once is not late.
            note(keys, alias)


def insert_missing(activities: Sequence[Activity], alias: str) -> int:
    """Store those activities that are not stored yet, in one transaction; return how many.

    Each is passed over if it comes to be stored in the meantime.
    """
    with transaction.atomic(using=alias):
        rows = ActivityLog.objects.using(alias).filter(pk__in=[each.id for each in activities])
        stored = set(rows.values_list("pk", flat=True))
        # A segment may contain an activity twice, after a crash between writing and answering.
        missing = {each.id: each for each in activities if each.id not in stored}
        if missing:
            insert(list(missing.values()), alias, is_repeated=True)
        return len(missing)


def can_insert(alias: str, action_time: datetime) -> bool:
    """Return True if the table takes a valid row with that time.

    Such a row is inserted and rolled back. If that fails, the fault is not in any other row.
    """
    try:
        with transaction.atomic(using=alias):
            insert([Activity.at(action_time, action="trackmate.probe")], alias)
            transaction.set_rollback(True, using=alias)
    except (OverflowError, TypeError, ValueError):
        # It came to no database: the time is none that could be stored.
        return True
    except Exception:  # noqa: BLE001 (whatever a driver raises)
        return False
    return True


def _limited(text: str, cursor: CursorWrapper, seconds: float) -> str:
    """Return a statement that carries its own limit of time, for the same message."""
    connection: Any = cursor.db
    if connection.vendor == "mysql" and connection.mysql_is_mariadb:
        return f"SET STATEMENT max_statement_time={seconds:.3f} FOR {text}"
    if connection.vendor != "postgresql" or not _takes_several(connection):
        return text
    milliseconds = _milliseconds(seconds)
    if not connection.in_atomic_block:
        # All of a message is one transaction, and a local setting ends with it.
        return f"SET LOCAL statement_timeout = {milliseconds}; {text}"
    return (
        "SELECT set_config('trackmate.timeout', current_setting('statement_timeout'), true);"
        f" SET LOCAL statement_timeout = {milliseconds}; {text};"
        " SELECT set_config('statement_timeout', current_setting('trackmate.timeout'), true)"
    )


def _limit_apart(
    connection: BaseDatabaseWrapper, seconds: float | None
) -> AbstractContextManager[None]:
    """Limit the statements of a transaction whose messages take one each.

    Outside of one a `time_limit` is there.
    """
    is_postgresql = connection.vendor == "postgresql"
    if seconds and is_postgresql and connection.in_atomic_block and not _takes_several(connection):
        return statement_limit(connection, _milliseconds(seconds), restore=True)
    return nullcontext()


def _milliseconds(seconds: float) -> int:
    return max(1, int(seconds * 1000))


def _takes_several(connection: Any) -> bool:
    # Parameters that the server binds go with one statement alone.
    return not connection.settings_dict["OPTIONS"].get("server_side_binding")


Prepare = Callable[[Any, Any], Any]
"""Makes of a value what the database of a connection takes."""


@dataclass(frozen=True, slots=True)
class Statement:
    """An INSERT into the log for one database, compiled by Django once.

    It outlives the thread that had it compiled, and so refers to no connection.
    """

    head: str
    placeholders: str
    values: Callable[[Activity], tuple[Any, ...]]
    """Reads from an activity what stands in the first columns, in their order."""
    prepared: tuple[tuple[int, Prepare], ...]
    """Positions of the values that the database takes in another form, and what makes it."""
    prepare_time: Prepare
    conflict: str
    """What lets the statement pass over a row whose key is there already."""
    rows_at_once: int
    """How many rows one statement may hold."""

    def of(
        self, rows: Sequence[list[Any]], *, is_repeated: bool
    ) -> Iterator[tuple[str, list[Any]]]:
        """Yield statements that store rows, each of as many as it may hold, and their values."""
        for start in range(0, len(rows), self.rows_at_once):
            chunk = rows[start : start + self.rows_at_once]
            text = self.head + ", ".join([self.placeholders] * len(chunk))
            values = [value for row in chunk for value in row]
            yield text + self.conflict if is_repeated else text, values

    def row(self, activity: Activity, recorded_at: Any, connection: Any) -> list[Any]:
        """Return the values of an activity in the order of the columns, `recorded_at` prepared."""
        values = list(self.values(activity))
        for position, prepare in self.prepared:
            if values[position] is not None:
                values[position] = prepare(values[position], connection)
        target = activity.target
        values.append(recorded_at)
        if target is None:
            values += (None, None, "")
        else:
            values += (_content_type_id(target.model), target.object_id, target.object_repr)
        return values


_LAST = ("recorded_at", "content_type_id", "object_id", "object_repr")
"""Columns that are no attribute of an activity."""

_AS_THEY_ARE = (models.CharField, models.TextField, models.FloatField, models.IntegerField)
"""Fields whose values every database takes as they come out of the processors."""


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
        prepared=tuple(
            (position, _preparation(field))
            for position, field in enumerate(fields[: len(names)])
            if not isinstance(field, _AS_THEY_ARE)
        ),
        prepare_time=_preparation(by_name["recorded_at"]),
        conflict=(
            # Not INSERT IGNORE, which makes other values of what it cannot take.
            " ON DUPLICATE KEY UPDATE id = id"
            if connection.vendor == "mysql"
            else " ON CONFLICT DO NOTHING"
        ),
        rows_at_once=max(1, connection.ops.bulk_batch_size(fields, [None] * MAX_ROWS)),
    )


def _preparation(field: models.Field[Any, Any]) -> Prepare:
    if isinstance(field, models.DateTimeField):
        return lambda value, connection: field.get_db_prep_save(
            value if settings.USE_TZ else naive(value), connection
        )
    return field.get_db_prep_save


def _content_type_id(label: str) -> int | None:
    """Return the key of a model's content type; Django remembers it after the first query."""
    alias = router.db_for_read(ContentType)
    try:
        with protected_transactions(), limit_time(alias, get_settings().WRITE_TIMEOUT):
            # Never one that makes what is missing: within a transaction that is rolled back, its
            # key would later belong to another model.
            return ContentType.objects.get_by_natural_key(*label.split(".", 1)).pk
    except (ContentType.DoesNotExist, TypeError):
        return None
    except Error as error:
        raise NoContentTypesError(*error.args) from error
