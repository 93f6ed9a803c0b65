"""A limit of time for whatever a database connection waits for.

The server keeps a limit too where it can (see `inserts`), and ends a statement cleanly. This is for
all else: connecting, a pool, a server or a network that does not answer any more.
"""

from __future__ import annotations

import select
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from threading import Thread
from time import monotonic
from types import TracebackType
from typing import Any
from weakref import WeakKeyDictionary

from django.db import OperationalError, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from trackmate.processes import at_fork
from trackmate.transactions import is_in_transaction

Release = Callable[[], object]
"""Takes back what was put in the place of something."""

ACTIVE = 1
"""What libpq says of a connection on which a command is in progress."""

READ, WRITE = 1, 2
"""What psycopg waits for; their sum is either."""

_IN, _OUT = getattr(select, "POLLIN", 1), getattr(select, "POLLOUT", 4)
_EVENTS = (0, _IN, _OUT, _IN | _OUT)


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

    __slots__ = (
        "_connection",
        "_deadline",
        "_former_close",
        "_limit",
        "_overrides",
        "_release",
        "_seconds",
    )

    def __init__(self, connection: BaseDatabaseWrapper, seconds: float) -> None:
        self._connection = connection
        self._seconds = seconds
        self._limit = _LIMITS.get(connection.vendor)

    def __enter__(self) -> None:
        self._deadline = Deadline(self._seconds)
        self._release: Release | None = None
        self._former_close = self._connection._close  # type: ignore[attr-defined]
        # On the instance: it belongs to this thread alone.
        self._overrides = (
            _override(self._connection, "get_new_connection", self._connect),
            _override(self._connection, "_close", self._close),
        )
        if self._connection.connection is not None:
            self._keep_limit(self._connection.connection)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for release in self._overrides:
            release()
        self._let_go()
        if self._deadline.was_missed:
            # An answer may still come that nobody waits for.
            with suppress(Exception):
                self._connection.close()

    def _connect(self, parameters: Any) -> Any:
        raw = _connect(self._connection, parameters, self._deadline)
        _made[self._connection] = raw
        self._keep_limit(raw)
        return raw

    def _close(self) -> Any:
        # A pool hands it to somebody else.
        self._let_go()
        return self._former_close()

    def _let_go(self) -> None:
        release, self._release = self._release, None
        if release is not None:
            release()

    def _keep_limit(self, raw: Any) -> None:
        if self._limit is not None:
            self._release = self._limit(raw, self._deadline)


def limited(alias: str, seconds: float) -> AbstractContextManager[None]:
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

_made: WeakKeyDictionary[BaseDatabaseWrapper, Any] = WeakKeyDictionary()
"""Connections that were made to record something, and by that before a server forks, perhaps."""
_of_the_parent: list[Any] = []
"""To close them would end the sessions of the parent; they are kept from being collected."""


def _leave_to_parent() -> None:
    """Let a forked process connect anew: two that share a session read each other's answers."""
    for connection, raw in list(_made.items()):
        _of_the_parent.append(raw)
        if connection.connection is raw and not connection.in_atomic_block:
            connection.connection = None
            pools = getattr(connection, "_connection_pools", {})
            _of_the_parent.append(pools.pop(connection.alias, None))
    _made.clear()


at_fork(_leave_to_parent)


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


def _limit_psycopg(raw: Any, deadline: Deadline) -> Release | None:
    """Let psycopg 3 wait by the deadline: all that it waits for goes through `wait()`."""
    if not hasattr(raw, "pgconn"):
        return None

    def wait(generator: Generator[int, int, Any], *_args: Any, **_kwargs: Any) -> Any:
        try:
            return _drive(generator, raw.pgconn.socket, deadline)
        except BaseException:
            # A signal, perhaps: whoever comes next must not meet the answer.
            if raw.pgconn.transaction_status == ACTIVE:
                deadline.was_missed = True
            raise

    return _override(raw, "wait", wait)


def _drive(generator: Generator[int, int, Any], file: int, deadline: Deadline) -> Any:
    """Consume a generator of psycopg, which yields what it waits for and is sent what is ready."""
    try:
        wanted = next(generator)
        while True:
            if ready := _wait_for(file, wanted, deadline.remaining()):
                wanted = generator.send(ready)
    except StopIteration as done:
        return done.value


def _wait_for(file: int, wanted: int, seconds: float) -> int:
    """Return for what of `wanted` a socket is ready, or 0 if it is not in time."""
    if not hasattr(select, "poll"):  # pragma: no cover (Windows, eventlet)
        read, write, _ = select.select(
            [file] if wanted & READ else [], [file] if wanted & WRITE else [], [], seconds
        )
        return bool(read) * READ | bool(write) * WRITE
    poller = select.poll()
    poller.register(file, _EVENTS[wanted])
    events = poller.poll(seconds * 1000)
    if not events:
        return 0
    event = events[0][1]
    ready = bool(event & _IN) * READ | bool(event & _OUT) * WRITE
    # Of a connection that is gone the driver finds out when it reads.
    return ready or wanted


def _limit_mysqlclient(raw: Any, deadline: Deadline) -> Release | None:
    """Let mysqlclient wait for the answer to a query by the deadline.

    What else it asks the server, it asks in C and without a limit; here that is a query too.
    """
    if not hasattr(raw, "send_query"):
        return None

    def query(statement: Any) -> None:
        raw.send_query(statement if isinstance(statement, bytes) else statement.encode())
        try:
            while not _wait_for(raw.fileno(), READ, deadline.remaining()):
                pass
        except BaseException:
            # A signal, perhaps: whoever comes next must not meet the answer.
            deadline.was_missed = True
            raise
        raw.read_query_result()

    releases = (
        _override(raw, "query", query),
        _override(raw, "commit", lambda: query("COMMIT")),
        _override(raw, "rollback", lambda: query("ROLLBACK")),
        _override(raw, "ping", lambda: query("DO 0")),
        _override(raw, "autocommit", lambda on: query(f"SET autocommit = {int(on)}")),
    )

    def release() -> None:
        for each in releases:
            each()

    return release


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


def _limit_sqlite(raw: Any, deadline: Deadline) -> Release:
    """Let SQLite wait for a lock by the deadline; it waits for nothing else."""
    former = _busy_timeout(raw)
    limit = min(former, int(deadline.remaining() * 1000))
    raw.execute(f"PRAGMA busy_timeout = {limit}")

    def release() -> None:
        with suppress(Exception):  # it may be closed
            # The project may have set it as the connection was made.
            if _busy_timeout(raw) == limit:
                raw.execute(f"PRAGMA busy_timeout = {former}")

    return release


def _busy_timeout(raw: Any) -> int:
    (milliseconds,) = raw.execute("PRAGMA busy_timeout").fetchone()
    return int(milliseconds)


_LIMITS: dict[str, Callable[[Any, Deadline], Release | None]] = {
    "postgresql": _limit_psycopg,
    "mysql": _limit_mysqlclient,
    "sqlite": _limit_sqlite,
}
