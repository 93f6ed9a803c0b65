"""Time limits for everything that a database connection waits for.

The server limits statements by itself where it can (see `backends.inserts`). These limits are for
the rest: connecting, a pool, a server or a network that does not respond.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from functools import partial
from threading import Thread
from typing import Any
from weakref import WeakKeyDictionary

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from trackmate.db.drivers import LIMITS, Deadline, DeadlineExceededError, Limit, Release, override
from trackmate.db.transactions import is_in_transaction
from trackmate.processes import at_fork


class time_limit:  # noqa: N801 (used like contextlib.suppress)
    """Limit the total time that a connection may wait inside the block to `seconds`.

    After that raise DeadlineExceededError and close the connection: do not use it in a transaction
    of the project. Works with psycopg 3, mysqlclient and SQLite; with other drivers only connecting
    is limited.
    """

    def __init__(self, connection: BaseDatabaseWrapper, seconds: float) -> None:
        self._connection = connection
        self._seconds = seconds
        self._limit: Limit = LIMITS.get(connection.vendor, lambda _raw, _deadline: None)

    def __enter__(self) -> None:
        self._deadline = Deadline(self._seconds)
        self._release: Release | None = None
        self._previous_close = self._connection._close  # type: ignore[attr-defined]
        # On the instance, which belongs to this thread.
        self._overrides = (
            override(self._connection, "get_new_connection", self._connect),
            override(self._connection, "_close", self._close),
        )
        if self._connection.connection is not None:
            self._release = self._limit(self._connection.connection, self._deadline)

    def __exit__(self, *_error: object) -> None:
        for release in self._overrides:
            release()
        self._release_limit()
        if self._deadline.was_missed:
            # The response may still arrive, and would be taken for that of the next query.
            with suppress(Exception):
                self._connection.close()

    def _connect(self, parameters: Any) -> Any:
        raw = _open_connection(self._connection, parameters, self._deadline)
        _opened[self._connection] = raw
        self._release = self._limit(raw, self._deadline)
        return raw

    def _close(self) -> Any:
        # A pool passes the connection on.
        self._release_limit()
        return self._previous_close()

    def _release_limit(self) -> None:
        release, self._release = self._release, None
        if release is not None:
            release()


def limit_time(alias: str, seconds: float) -> AbstractContextManager[None]:
    """Return a `time_limit` for a database, or no limit within a transaction of the project."""
    connection = connections[alias]
    # With SQLite the connection stays open.
    if connection.vendor != "sqlite" and is_in_transaction(connection):
        return nullcontext()
    return time_limit(connection, seconds)


@contextmanager
def statement_limit(
    connection: BaseDatabaseWrapper, milliseconds: int, *, restore: bool
) -> Iterator[None]:
    """Set PostgreSQL's `statement_timeout` inside the block, within the open transaction.

    Pass `restore=True` if the transaction continues after the block. A rollback restores the
    previous value as well.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT current_setting('statement_timeout'),"
            " set_config('statement_timeout', %s, true)",
            [str(milliseconds)],
        )
        previous = cursor.fetchone()[0]
        yield
        if restore:
            cursor.execute("SELECT set_config('statement_timeout', %s, true)", [previous])


# --- forking -------------------------------------------------------------------------------------

_opened: WeakKeyDictionary[BaseDatabaseWrapper, Any] = WeakKeyDictionary()
"""Connections opened by recording, perhaps before a server forks."""
_parent_connections: list[Any] = []
"""Referenced, since closing them would end the sessions of the parent process."""


def _forget_connections() -> None:
    """Let a forked process open its own connections."""
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
        wrapper: Any = _PoolWithDeadline(connection, deadline)
        raw = type(connection).get_new_connection(wrapper, parameters)
        connection.isolation_level = wrapper.isolation_level  # type: ignore[attr-defined]
        return raw
    if connection.vendor == "sqlite":
        return type(connection).get_new_connection(connection, parameters)
    # Drivers have no limit for DNS, and libpq none below two seconds.
    connect = partial(type(connection).get_new_connection, connection, parameters)
    return _connect_in_thread(connect, deadline.remaining())


class _PoolWithDeadline:
    """Proxy of a connection that waits for its pool only until the deadline."""

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


def _connect_in_thread(connect: Callable[[], Any], seconds: float) -> Any:
    """Return a new connection. Raise DeadlineExceededError after `seconds`."""
    attempt: Future[Any] = Future()

    def run() -> None:
        try:
            raw = connect()
        except BaseException as error:  # noqa: BLE001 (raised by result())
            if attempt.set_running_or_notify_cancel():
                attempt.set_exception(error)
            return
        if attempt.set_running_or_notify_cancel():
            attempt.set_result(raw)
        else:
            with suppress(Exception):
                raw.close()

    Thread(target=run, name="trackmate-connect", daemon=True).start()
    wait([attempt], seconds)
    if attempt.cancel():
        raise DeadlineExceededError("the connection to the database timed out")
    return attempt.result()
