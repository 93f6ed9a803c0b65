"""A limit of time for whatever a database connection waits for.

The server keeps a limit too where it can (see `inserts`), and ends a statement cleanly. This is for
all else: connecting, a pool, a server or a network that does not answer any more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from threading import Thread
from types import TracebackType
from typing import Any
from weakref import WeakKeyDictionary

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from trackmate.db.deadlines import Deadline, DeadlineExceededError
from trackmate.db.drivers import LIMITS, Release, override
from trackmate.db.transactions import is_in_transaction
from trackmate.processes import at_fork


class time_limit:  # noqa: N801 (used like contextlib.suppress)
    """Let nothing on a connection wait for more than `seconds` in all, inside the block.

    Raise DeadlineExceededError and close the connection if something does. So it must not be used
    within a transaction of somebody else's, which would be lost. The limit holds with psycopg 3,
    mysqlclient and SQLite; with other drivers for connecting alone.
    """

    __slots__ = (
        "_connection",
        "_deadline",
        "_limit",
        "_previous_close",
        "_release",
        "_seconds",
        "overrides",
    )

    def __init__(self, connection: BaseDatabaseWrapper, seconds: float) -> None:
        self._connection = connection
        self._seconds = seconds
        self._limit = LIMITS.get(connection.vendor)

    def __enter__(self) -> None:
        self._deadline = Deadline(self._seconds)
        self._release: Release | None = None
        self._previous_close = self._connection._close  # type: ignore[attr-defined]
        # On the instance: it belongs to this thread alone.
        self.overrides = (
            override(self._connection, "get_new_connection", self._connect),
            override(self._connection, "_close", self._close),
        )
        if self._connection.connection is not None:
            self._apply_limit(self._connection.connection)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for release in self.overrides:
            release()
        self._release_limit()
        if self._deadline.was_missed:
            # An answer may still come that nobody waits for.
            with suppress(Exception):
                self._connection.close()

    def _connect(self, parameters: Any) -> Any:
        raw = _open_connection(self._connection, parameters, self._deadline)
        _opened[self._connection] = raw
        self._apply_limit(raw)
        return raw

    def _close(self) -> Any:
        # A pool hands it to somebody else.
        self._release_limit()
        return self._previous_close()

    def _release_limit(self) -> None:
        release, self._release = self._release, None
        if release is not None:
            release()

    def _apply_limit(self, raw: Any) -> None:
        if self._limit is not None:
            self._release = self._limit(raw, self._deadline)


def limit_time(alias: str, seconds: float) -> AbstractContextManager[None]:
    """Return a `time_limit` for a database, unless somebody's transaction would be lost by it."""
    connection = connections[alias]
    # SQLite gives up a statement, and never the connection.
    if connection.vendor != "sqlite" and is_in_transaction(connection):
        return nullcontext()
    return time_limit(connection, seconds)


@contextmanager
def statement_limit(
    connection: BaseDatabaseWrapper, milliseconds: int, *, goes_on: bool
) -> Iterator[None]:
    """Have PostgreSQL stop each statement of the transaction that is open after so long.

    Where the transaction goes on after the block, the former limit is set again; after a failure a
    rollback does that.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT current_setting('statement_timeout'),"
            " set_config('statement_timeout', %s, true)",
            [str(milliseconds)],
        )
        former = cursor.fetchone()[0]
        yield
        if goes_on:
            cursor.execute("SELECT set_config('statement_timeout', %s, true)", [former])


# --- forking -------------------------------------------------------------------------------------

_opened: WeakKeyDictionary[BaseDatabaseWrapper, Any] = WeakKeyDictionary()
"""Connections that were made to record something, and by that before a server forks, perhaps."""
_parent_connections: list[Any] = []
"""To close them would end the sessions of the parent; they are kept from being collected."""


def _forget_connections() -> None:
    """Let a forked process connect anew: two that share a session read each other's answers."""
    for connection, raw in list(_opened.items()):
        _parent_connections.append(raw)
        if connection.connection is raw and not connection.in_atomic_block:
            connection.connection = None
            pools = getattr(connection, "_connection_pools", {})
            _parent_connections.append(pools.pop(connection.alias, None))
    _opened.clear()


at_fork(_forget_connections)


# --- connecting ----------------------------------------------------------------------------------


def _open_connection(connection: BaseDatabaseWrapper, parameters: Any, deadline: Deadline) -> Any:
    if getattr(connection, "pool", None):
        impatient: Any = _PoolWithDeadline(connection, deadline)
        raw = type(connection).get_new_connection(impatient, parameters)
        connection.isolation_level = impatient.isolation_level  # type: ignore[attr-defined]
        return raw
    if connection.vendor == "sqlite":
        return type(connection).get_new_connection(connection, parameters)
    # No driver keeps a limit of less than two seconds, and none one for looking up a host.
    attempt = _ConnectionAttempt(
        lambda: type(connection).get_new_connection(connection, parameters)
    )
    return attempt.result(deadline.remaining())


class _PoolWithDeadline:
    """A connection whose pool is not waited for longer than a deadline."""

    def __init__(self, connection: BaseDatabaseWrapper, deadline: Deadline) -> None:
        self._connection, self._deadline = connection, deadline

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    @property
    def pool(self) -> Any:
        return self

    def open(self) -> None:
        self._connection.pool.open()  # type: ignore[attr-defined]

    def getconn(self) -> Any:
        return self._connection.pool.getconn(self._deadline.remaining())  # type: ignore[attr-defined]


class _ConnectionAttempt:
    """A call in a thread of its own, which nobody has to wait for."""

    def __init__(self, connect: Callable[[], Any]) -> None:
        self._connect = connect
        self._made: Any = None
        self._error: BaseException | None = None
        self._is_given_up = False
        self._thread = Thread(target=self._run, name="trackmate-connect", daemon=True)

    def result(self, seconds: float) -> Any:
        """Return the connection. Raise DeadlineExceededError if it is not there in time."""
        self._thread.start()
        self._thread.join(seconds)
        if self._thread.is_alive():
            self._is_given_up = True
            raise DeadlineExceededError("no connection to the database was made in time")
        if self._error is not None:
            raise self._error
        return self._made

    def _run(self) -> None:
        try:
            self._made = self._connect()
        except BaseException as error:  # noqa: BLE001 (it is raised where it is waited for)
            self._error = error
        if self._is_given_up and self._made is not None:
            with suppress(Exception):
                self._made.close()
