"""The default backend: rows of `ActivityLog`, with the spool as its safety net.

This is the bridge between the two wings: no other module of the recording side knows the model.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from operator import attrgetter
from time import monotonic
from typing import Any

from django.conf import settings
from django.contrib.contenttypes.models import ContentType
from django.core.checks import CheckMessage
from django.core.checks import Warning as CheckWarning
from django.core.exceptions import ValidationError
from django.db import DataError, Error, IntegrityError, connections, models, transaction
from django.db.models.sql import InsertQuery

from trackmate.activity import Activity
from trackmate.backends.base import BaseBackend
from trackmate.clock import naive
from trackmate.conf import get_settings
from trackmate.exceptions import SpoolError
from trackmate.models import ActivityLog
from trackmate.redaction import clean_line, redactor
from trackmate.reporting import report
from trackmate.spool import Segment, Spool, get_spool

MAX_ROWS = 500
"""Rows of one INSERT where the database sets no lower limit."""

INCORRECT_VALUE = 1366
"""What MariaDB and MySQL say of a value that a column cannot take, as an operational error."""

LOOK_SECONDS = 5.0
"""How often a process looks for segments that other processes left in the spool."""

SLOW_SECONDS = 0.25
"""A refusal that took longer than this makes the next activities go straight to the spool..."""

REST_FACTOR, REST_SECONDS = 10, 30.0
"""... for ten times as long, at most half a minute: no worker waits for a dead database."""


class DatabaseBackend(BaseBackend):
    """Store activities with one INSERT; spool what the database refuses, and store it later.

    Whatever is in the spool is stored by the next successful write, or by
    `manage.py trackmate_flush`, once: a row's key is made when it happens, and a key that is there
    already is not stored again.
    """

    def __init__(self) -> None:
        self._look_at = 0.0
        self._rest_until = 0.0

    def send(self, activities: Sequence[Activity]) -> None:
        """Store activities, or spool them. Raise SpoolError if the spool fails as well."""
        if monotonic() < self._rest_until:
            self._spool(activities, "the database answered too slowly a moment ago")
            return
        started = monotonic()
        try:
            insert(activities, get_settings().DATABASE)
        except Exception as error:
            if _is_forbidden_by_a_test(error):
                raise
            self._rest(monotonic() - started)
            self._reconnect()
            self._spool(activities, _text_of(error))
        else:
            self._store_what_waits()

    def flush(self, timeout: float | None = None) -> int:
        """Store what waits in the spool and return how many activities that were.

        Raise SpoolError if the spool fails, and DatabaseError if the database does.
        """
        deadline = None if timeout is None else monotonic() + timeout
        stored = 0
        spool = get_spool()
        for segment in spool.replay():
            stored += self._store(segment, spool)
            if deadline is not None and monotonic() >= deadline:
                break
        return stored

    def close(self) -> None:
        """Close this thread's connection to the log."""
        connections[get_settings().DATABASE].close()

    def check(self) -> list[CheckMessage]:
        """Warn where the spool has no place to write to."""
        spool = get_spool()
        if (problem := spool.problem()) is None:
            return []
        return [
            CheckWarning(
                f"The spool directory {spool.directory} cannot be used: {problem}.",
                hint='Set TRACKMATE["SPOOL_DIR"] to a local directory that this user may write to.',
                id="trackmate.W004",
            )
        ]

    def _store_what_waits(self) -> None:
        if monotonic() < self._look_at:
            return
        spool = get_spool()
        try:
            self._store_from(spool)
        except SpoolError as error:
            # What was sent just now is stored, whatever happens to what waits.
            self._look_at = monotonic() + LOOK_SECONDS
            report("delayed", str(error))

    def _store_from(self, spool: Spool) -> None:
        if spool.is_empty():
            self._look_at = monotonic() + LOOK_SECONDS
        elif not connections[get_settings().DATABASE].in_atomic_block:
            # Within somebody's transaction a segment could be removed and its rows rolled back.
            self._store_one_segment(spool)

    def _store_one_segment(self, spool: Spool) -> None:
        # One for each successful write: no request pays for a long outage alone.
        for segment in spool.replay():
            try:
                self._store(segment, spool)
            except Error as error:
                report("delayed", _text_of(error), count=len(segment.activities))
            return

    def _store(self, segment: Segment, spool: Spool) -> int:
        rejected = list(segment.broken)
        stored = _insert_what_can_be(segment.activities, rejected)
        if rejected:
            spool.reject(rejected)
            report("rejected", f"set aside in {spool.directory}", count=len(rejected))
        segment.acknowledge()
        return stored

    def _spool(self, activities: Sequence[Activity], reason: str) -> None:
        get_spool().append(activities)
        self._look_at = 0.0
        report("spooled", f"the database refused them: {reason}", count=len(activities))

    def _rest(self, seconds: float) -> None:
        if seconds > SLOW_SECONDS:
            self._rest_until = monotonic() + min(seconds * REST_FACTOR, REST_SECONDS)

    def _reconnect(self) -> None:
        connection = connections[get_settings().DATABASE]
        if not connection.in_atomic_block:
            connection.close_if_unusable_or_obsolete()


def _insert_what_can_be(activities: Sequence[Activity], rejected: list[str]) -> int:
    """Store activities and return how many; halve a batch that fails until what is bad is alone."""
    if not activities:
        return 0
    try:
        return _insert_missing(activities, get_settings().DATABASE)
    except (Error, ValueError, TypeError, OverflowError, ValidationError) as error:
        if not _is_about_a_row(error):
            raise
        if len(activities) == 1:
            rejected.append(json.dumps(activities[0].to_dict(), default=str))
            return 0
    middle = len(activities) // 2
    first, second = activities[:middle], activities[middle:]
    return _insert_what_can_be(first, rejected) + _insert_what_can_be(second, rejected)


def _is_about_a_row(error: Exception) -> bool:
    """Say whether an error is about a row; else it is about the database, and the row may wait."""
    if not isinstance(error, Error) or isinstance(error, (DataError, IntegrityError)):
        return True
    return error.args[:1] == (INCORRECT_VALUE,)


def _insert_missing(activities: Sequence[Activity], alias: str) -> int:
    keys = [activity.id for activity in activities]
    rows = ActivityLog.objects.using(alias).filter(pk__in=keys)
    there = set(rows.values_list("pk", flat=True))
    # A segment may hold an activity twice, after a crash between writing and answering.
    missing = {activity.id: activity for activity in activities if activity.id not in there}
    if missing:
        insert(list(missing.values()), alias)
    return len(missing)


def _is_forbidden_by_a_test(error: Exception) -> bool:
    """Say whether the tests of a project closed the database: what they do must not wait for it.

    Django's guard raises an AssertionError, pytest-django's a RuntimeError.
    """
    return isinstance(error, AssertionError) or (
        isinstance(error, RuntimeError) and "Database access not allowed" in str(error)
    )


def _text_of(error: BaseException) -> str:
    # What reached the database had been redacted; what an error quotes is bounded all the same.
    return clean_line(f"{type(error).__name__}: {redactor().text(str(error)[:1000])}", 300)


# --- the INSERT, compiled once ---------------------------------------------------------------


def insert(activities: Sequence[Activity], alias: str) -> None:
    """Store activities with one INSERT, or a few in one transaction where they exceed its limits.

    Never breaks a transaction that is open already: it writes within a savepoint then.
    """
    statement = _statement(alias, settings.USE_TZ)
    recorded_at = statement.prepare_time(datetime.now(UTC))
    rows = [statement.row(activity, recorded_at) for activity in activities]
    size = statement.rows_at_once
    connection = connections[alias]
    with _transaction(alias, needed=len(rows) > size), connection.cursor() as cursor:
        for start in range(0, len(rows), size):
            chunk = rows[start : start + size]
            cursor.execute(statement.text(len(chunk)), [value for row in chunk for value in row])


def _transaction(alias: str, *, needed: bool) -> AbstractContextManager[Any]:
    if needed or connections[alias].in_atomic_block:
        return transaction.atomic(using=alias)
    # A single statement is a transaction of its own.
    return nullcontext()


Prepare = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Statement:
    """An INSERT into the log for one database, compiled by Django once and used ever after.

    What the ORM costs for one row is Python and not the database; this spares more than half of it.
    """

    head: str
    placeholders: str
    values: Callable[[Activity], tuple[Any, ...]]
    """Reads from an activity what stands in the first columns, in their order."""
    prepared: tuple[tuple[int, Prepare], ...]
    """Positions of the values that the database takes in another form, and what makes it."""
    prepare_time: Prepare
    rows_at_once: int
    """How many rows one statement may hold."""

    def text(self, rows: int) -> str:
        """Return the statement for a number of rows."""
        return self.head + (
            self.placeholders if rows == 1 else ", ".join([self.placeholders] * rows)
        )

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


def _content_type_id(label: str) -> int | None:
    """Return the key of a model's content type; Django remembers it after the first look."""
    try:
        # Never one that makes what is missing: within a transaction that is rolled back, its key
        # would later belong to another model.
        return ContentType.objects.get_by_natural_key(*label.split(".", 1)).pk
    except (ContentType.DoesNotExist, TypeError):
        return None
