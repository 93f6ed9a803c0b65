"""The default backend: rows of `ActivityLog`, with the spool as a fallback.

On the write side, only this module, `inserts` and `schemas` know the model.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, closing, nullcontext, suppress
from math import inf
from time import monotonic

from django.core.checks import CheckMessage
from django.core.checks import Warning as CheckWarning
from django.db import Error as DatabaseError
from django.db import OperationalError, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from trackmate.activity import Activity
from trackmate.backends.base import BaseBackend
from trackmate.backends.circuit import Circuit
from trackmate.backends.connection import LogConnection, use_committing_connection
from trackmate.backends.flusher import CHECK_SECONDS, Flusher, has_waiting_activities
from trackmate.backends.inserts import insert, insert_missing
from trackmate.backends.replay import Outcome, replay, retry
from trackmate.backends.schemas import (
    DEFAULT,
    QUERY_SECONDS,
    UNKNOWN,
    current_schema,
    in_named_schema,
    named_schema,
)
from trackmate.conf import get_settings, is_under_test
from trackmate.db.drivers import DeadlineExceededError
from trackmate.db.time_limits import limit_time
from trackmate.db.transactions import needs_manual_commit
from trackmate.diagnostics import report, summarize_error
from trackmate.exceptions import NotStoredError, SpoolError, SpoolFullError
from trackmate.spool.locations import get_spool, get_spools
from trackmate.spool.segments import MAX_BYTES, MIN_FREE_BYTES, Limits, Rejected, Spool

SERVER_SHARE = 0.9
"""Share of `WRITE_TIMEOUT` after which the server stops a statement itself."""

COMMAND_SECONDS = 10.0
"""How long `trackmate_flush` waits for the database."""

Store = Callable[[Spool, str, float], Generator[Outcome, None, None]]
"""Stores the activities of a spool in a schema, with a timeout in seconds."""


class DatabaseBackend(BaseBackend):
    """Store activities with one INSERT, or in the spool if the database fails or is too slow.

    A background thread stores the spool's activities once the database works again;
    `manage.py trackmate_flush` does so, too. Their keys are created with the activities, so that
    none is stored twice.

    `spool_max_bytes` limits the size of the spool, `spool_min_free_bytes` stays free on its disk.
    Beyond that activities are dropped, counted and logged.
    """

    def __init__(
        self,
        *,
        spool_max_bytes: int = MAX_BYTES,
        spool_min_free_bytes: int = MIN_FREE_BYTES,
    ) -> None:
        self._limits = Limits(spool_max_bytes, spool_min_free_bytes)
        self._circuit = Circuit()
        self._connection = LogConnection()
        self._flusher = Flusher(self._circuit)
        self._next_check = 0.0

    def send(self, activities: Sequence[Activity]) -> None:
        """Store or spool activities. Raise SpoolError if the spool fails, too."""
        connection = connections[get_settings().DATABASE]
        if needs_manual_commit(connection):
            # The project decides whether its statements are committed.
            self._spool(activities, connection, "autocommit is off")
            return
        try:
            with self._circuit.enter(named_schema(connection)) as reason:
                problem = reason or self._store(activities)
        except (KeyboardInterrupt, SystemExit):
            # They may be stored already; then they are not stored again.
            self._spool(activities, connection, "the process was interrupted")
            raise
        if problem:
            self._spool(activities, connection, problem)
        elif monotonic() >= self._next_check:
            # Other processes may have spooled activities.
            self._next_check = monotonic() + CHECK_SECONDS
            if has_waiting_activities():
                self._flusher.wake()

    def _store(self, activities: Sequence[Activity]) -> str:
        """Store activities and return "", or the reason why they cannot be stored."""
        with self._connection.installed() as connection:
            alias, seconds = connection.alias, get_settings().WRITE_TIMEOUT
            was_open = connection.connection is not None
            try:
                with limit_time(alias, seconds):
                    try:
                        insert(activities, alias, seconds=seconds * SERVER_SHARE)
                    except OperationalError as error:
                        is_late = isinstance(error, DeadlineExceededError)
                        if is_late or not was_open or not _is_lost(connection):
                            raise
                        # The server has closed the session, perhaps after it stored the rows.
                        connection.close()
                        insert_missing(activities, alias)
            except Exception as error:
                if _is_forbidden_by_a_test(error):
                    raise
                if not is_under_test():
                    is_responding = not _is_lost(connection)
                    self._circuit.open(named_schema(connection), is_responding=is_responding)
                return summarize_error(error)
        return ""

    def _spool(
        self, activities: Sequence[Activity], connection: BaseDatabaseWrapper, reason: str
    ) -> None:
        if not _may_spool():
            report("dropped", f"not spooled under test: {reason}", count=len(activities))
            return
        may_query = self._circuit.is_responding(named_schema(connection))
        schema = current_schema(connection, may_query=may_query)
        try:
            get_spool(schema, self._limits).append(activities)
        except SpoolFullError as error:
            report("dropped", str(error), count=len(activities))
        else:
            report("spooled", f"to be stored later: {reason}", count=len(activities))
        self._flusher.wake()

    def flush(self, timeout: float | None = None, *, unknown_schema: str | None = None) -> int:
        """Store the activities of the spool, and return their number.

        Activities whose schema is not known are stored in `unknown_schema`. Raise SpoolError if the
        spool fails, and NotStoredError if some activities cannot be stored now.
        """
        return _count_stored(_outcomes(replay, unknown_schema), timeout)

    def rejected(self) -> list[Rejected]:
        return [each for _schema, spool in get_spools() for each in spool.rejected()]

    def retry_rejected(self, *, unknown_schema: str | None = None) -> int:
        """Try to store the activities that were set aside, and return the number of stored ones.

        Raise the same errors as `flush()`.
        """
        return _count_stored(_outcomes(retry, unknown_schema), None)

    def thread_context(self) -> AbstractContextManager[None]:
        """Let the other thread write to the tenant schema of this one."""
        alias = get_settings().DATABASE
        # Without creating a connection for this thread.
        schema = named_schema(getattr(connections._connections, alias, None))  # type: ignore[attr-defined]
        return in_named_schema(alias, schema) if schema else nullcontext()

    def close(self) -> None:
        """Close this thread's connection to the log."""
        connections[get_settings().DATABASE].close()

    def check(self) -> list[CheckMessage]:
        """Warn if the spool directory is unusable."""
        spool = get_spool(DEFAULT)
        if (problem := spool.problem()) is None:
            return []
        return [
            CheckWarning(
                f"The spool directory {spool.directory} cannot be used: {problem}.",
                hint='Set TRACKMATE["SPOOL_DIR"] to a local directory that this user may write to.',
                id="trackmate.W004",
            )
        ]


def _outcomes(store: Store, unknown_schema: str | None) -> Generator[Outcome, None, None]:
    """Call `store` (`replay` or `retry`) for each spool, even if one of them fails."""
    with use_committing_connection(get_settings().DATABASE):
        for schema, spool in get_spools():
            chosen = unknown_schema if schema == UNKNOWN else None
            try:
                yield from store(spool, schema if chosen is None else chosen, COMMAND_SECONDS)
            except (DatabaseError, SpoolError) as error:
                yield Outcome(error=error)


def _count_stored(outcomes: Generator[Outcome, None, None], timeout: float | None) -> int:
    """Return the number of stored activities, or raise the first error."""
    until = inf if timeout is None else monotonic() + timeout
    stored, errors = 0, []
    with closing(outcomes):
        for outcome in outcomes:
            stored += outcome.stored
            if outcome.error is not None:
                errors.append(outcome.error)
            if monotonic() >= until:
                break
    for error in errors:
        if isinstance(error, SpoolError):
            raise error
    if errors:
        raise NotStoredError(stored, summarize_error(errors[0]))
    return stored


def _may_spool() -> bool:
    """Return False under test, so that tests do not affect each other."""
    return not is_under_test()


def _is_lost(connection: BaseDatabaseWrapper) -> bool:
    """Return True if a connection does not work any more."""
    if connection.in_atomic_block:
        # The project uses it.
        return False
    with suppress(Exception), limit_time(connection.alias, QUERY_SECONDS):
        return connection.connection is None or not connection.is_usable()
    return True


def _is_forbidden_by_a_test(error: Exception) -> bool:
    """Return True if the project's tests forbid queries.

    Django raises an AssertionError, pytest-django a RuntimeError.
    """
    return isinstance(error, AssertionError) or (
        isinstance(error, RuntimeError) and "Database access not allowed" in str(error)
    )
