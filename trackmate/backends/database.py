"""The default backend: rows of `ActivityLog`, with the spool as its safety net.

This is the bridge between the two wings: no other module of the recording side knows the model.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from time import monotonic

from django.core.checks import CheckMessage
from django.core.checks import Warning as CheckWarning
from django.core.exceptions import ValidationError
from django.db import DataError, Error, IntegrityError, connections

from trackmate.activity import Activity
from trackmate.backends.base import BaseBackend
from trackmate.backends.inserts import insert
from trackmate.conf import get_settings
from trackmate.exceptions import SpoolError
from trackmate.models import ActivityLog
from trackmate.redaction import clean_line
from trackmate.reporting import place_of, report
from trackmate.spool import Segment, Spool, get_spool

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
    return clean_line(place_of(error), 300)
