"""A limit of time for whatever a database connection waits for.

The server keeps a limit too where it can (see `inserts`), and ends a statement cleanly. This is for
all else: connecting, a pool, a server or a network that does not answer any more.
"""

from __future__ import annotations

import select
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, nullcontext, suppress
from threading import Thread
from time import monotonic
from types import TracebackType
from typing import Any

from django.db import OperationalError, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from trackmate.transactions import is_in_transaction

Release = Callable[[], object]


class DeadlineExceededError(OperationalError):
    """A database did not answer in time; its connection is closed."""


class Deadline:
    """A point in time on a clock that never jumps."""

    __slots__ = ("_end", "was_missed")

    def __init__(self, seconds: float) -> None:
        self._end = monotonic() + seconds
        self.was_missed = False
        """Whether something was given up."""

    def remaining(self) -> float:
        """Return the seconds that are left. Raise DeadlineExceededError if none are."""
        seconds = self._end - monotonic()
        if seconds <= 0:
            self.was_missed = True
            raise DeadlineExceededError("the database did not answer in time")
        return seconds


class time_limit:  # noqa: N801 (used like contextlib.suppress)
    """Let nothing on a connection wait for more than `seconds` in all, inside the block.

    Raise DeadlineExceededError and close the connection if something does. So it must not be used
    within a transaction of somebody else's, which would be lost. The limit holds with psycopg 3,
    mysqlclient and SQLite; with other drivers for connecting alone.
    """

    __slots__ = ("_connection", "_deadline", "_limit", "_release", "_release_connect", "_seconds")

    def __init__(self, connection: BaseDatabaseWrapper, seconds: float) -> None:
        self._connection = connection
        self._seconds = seconds
        self._limit = _LIMITS.get(connection.vendor)

    def __enter__(self) -> None:
        self._deadline = Deadline(self._seconds)
        self._release: Release | None = None
        # On the instance: it belongs to this thread alone.
        self._release_connect = _override(self._connection, "get_new_connection", self._connect)
        if self._connection.connection is not None:
            self._keep_limit(self._connection.connection)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._release_connect()
        if self._release is not None:
            self._release()
        if self._deadline.was_missed:
            # An answer may still come that nobody waits for.
            with suppress(Exception):
                self._connection.close()

    def _connect(self, parameters: Any) -> Any:
        raw = _connect(self._connection, parameters, self._deadline)
        self._keep_limit(raw)
        return raw

    def _keep_limit(self, raw: Any) -> None:
        if self._limit is not None:
            self._release = self._limit(raw, self._deadline, self._connection)


def limited(alias: str, seconds: float) -> AbstractContextManager[None]:
    """Return a `time_limit` for a database, unless somebody's transaction would be lost by it."""
    connection = connections[alias]
    return nullcontext() if is_in_transaction(connection) else time_limit(connection, seconds)


# --- connecting ----------------------------------------------------------------------------------


def _connect(connection: BaseDatabaseWrapper, parameters: Any, deadline: Deadline) -> Any:
    if getattr(connection, "pool", None):
        impatient: Any = _Impatient(connection, deadline)
        raw = type(connection).get_new_connection(impatient, parameters)
        connection.isolation_level = impatient.isolation_level  # type: ignore[attr-defined]
        return raw
    if connection.vendor == "sqlite":
        return type(connection).get_new_connection(connection, parameters)
    # No driver keeps a limit of less than two seconds, and none one for looking up a host.
    attempt = _Attempt(lambda: type(connection).get_new_connection(connection, parameters))
    return attempt.result(deadline.remaining())


class _Impatient:
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


class _Attempt:
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


# --- one driver each -----------------------------------------------------------------------------


def _limit_psycopg(raw: Any, deadline: Deadline, _connection: Any) -> Release | None:
    """Let psycopg 3 wait by the deadline: all that it waits for goes through `wait()`."""
    if not hasattr(raw, "pgconn"):
        return None

    def wait(generator: Generator[int, int, Any], *_args: Any, **_kwargs: Any) -> Any:
        return _drive(generator, raw.pgconn.socket, deadline)

    return _override(raw, "wait", wait)


def _drive(generator: Generator[int, int, Any], file: int, deadline: Deadline) -> Any:
    """Consume a generator of psycopg, which yields what it waits for and is sent what is ready."""
    poller = select.poll()
    try:
        wanted = next(generator)
        while True:
            poller.register(file, _EVENTS[wanted])
            events = poller.poll(deadline.remaining() * 1000)
            if events:
                event = events[0][1]
                ready = bool(event & select.POLLIN) | bool(event & select.POLLOUT) << 1
                # Of a connection that is gone psycopg finds out when it reads.
                wanted = generator.send(ready or wanted)
    except StopIteration as done:
        return done.value


_EVENTS = (0, select.POLLIN, select.POLLOUT, select.POLLIN | select.POLLOUT)
"""By what psycopg waits for: 1 to read, 2 to write, 3 either."""


def _limit_mysqlclient(raw: Any, deadline: Deadline, _connection: Any) -> Release | None:
    """Let mysqlclient wait for the answer to a query by the deadline."""
    if not hasattr(raw, "send_query"):
        return None

    def query(statement: Any) -> None:
        raw.send_query(statement if isinstance(statement, bytes) else statement.encode())
        poller = select.poll()
        poller.register(raw.fileno(), select.POLLIN)
        while not poller.poll(deadline.remaining() * 1000):
            pass
        raw.read_query_result()

    return _override(raw, "query", query)


def _override(raw: Any, name: str, method: Callable[..., Any]) -> Release:
    """Put a method in the place of another one, and return what takes it back."""
    outer = raw.__dict__.get(name)
    setattr(raw, name, method)

    def release() -> None:
        if outer is None:
            raw.__dict__.pop(name, None)
        else:
            setattr(raw, name, outer)

    return release


def _limit_sqlite(raw: Any, deadline: Deadline, connection: Any) -> Release:
    """Let SQLite wait for a lock by the deadline; it waits for nothing else."""
    former = connection.settings_dict["OPTIONS"].get("timeout", SQLITE_TIMEOUT)
    raw.execute(f"PRAGMA busy_timeout = {int(min(former, deadline.remaining()) * 1000)}")

    def release() -> None:
        with suppress(Exception):  # it may be closed
            raw.execute(f"PRAGMA busy_timeout = {int(former * 1000)}")

    return release


SQLITE_TIMEOUT = 5.0
"""Seconds that the sqlite3 module waits for a lock by default."""

_LIMITS: dict[str, Callable[[Any, Deadline, Any], Release | None]] = {
    "postgresql": _limit_psycopg,
    "mysql": _limit_mysqlclient,
    "sqlite": _limit_sqlite,
}
