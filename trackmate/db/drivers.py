"""Make each database driver keep a deadline while it waits for the server."""

from __future__ import annotations

import select
from collections.abc import Callable, Generator
from contextlib import suppress
from time import monotonic
from typing import Any

from django.db import OperationalError

Release = Callable[[], object]
"""Restores what was overridden."""

ACTIVE = 1
"""libpq's transaction status while a command is in progress."""

READ, WRITE = 1, 2
"""psycopg's wait flags."""

_IN, _OUT = getattr(select, "POLLIN", 1), getattr(select, "POLLOUT", 4)
_EVENTS = (0, _IN, _OUT, _IN | _OUT)


class DeadlineExceededError(OperationalError):
    """The database did not respond in time; its connection is closed."""


class Deadline:
    """A point in time on the monotonic clock."""

    def __init__(self, seconds: float) -> None:
        self._end = monotonic() + seconds
        self.was_missed = False
        """True once an operation was given up."""

    def remaining(self) -> float:
        """Return the remaining seconds. Raise DeadlineExceededError if there are none."""
        seconds = self._end - monotonic()
        if seconds <= 0:
            self.was_missed = True
            raise DeadlineExceededError("the database did not answer in time")
        return seconds


def _limit_psycopg(raw: Any, deadline: Deadline) -> Release | None:
    """Limit psycopg 3, which waits for everything in `wait()`."""
    if not hasattr(raw, "pgconn"):
        return None

    def wait(generator: Generator[int, int, Any], *_args: Any, **_kwargs: Any) -> Any:
        try:
            return _drive(generator, raw.pgconn.socket, deadline)
        except BaseException:
            # Also for signals: the next query must not read this response.
            if raw.pgconn.transaction_status == ACTIVE:
                deadline.was_missed = True
            raise

    return override(raw, "wait", wait)


def _drive(generator: Generator[int, int, Any], file: int, deadline: Deadline) -> Any:
    """Run a generator of psycopg, which yields wait flags and is sent the ready ones."""
    try:
        wanted = next(generator)
        while True:
            if ready := _wait_for(file, wanted, deadline.remaining()):
                wanted = generator.send(ready)
    except StopIteration as done:
        return done.value


def _wait_for(file: int, wanted: int, seconds: float) -> int:
    """Return the flags for which a socket is ready, or 0 after `seconds`."""
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
    # On a hangup the driver raises an error when it reads.
    return ready or wanted


def _limit_mysqlclient(raw: Any, deadline: Deadline) -> Release | None:
    """Limit mysqlclient, which waits in C for some commands: those become queries here."""
    if not hasattr(raw, "send_query"):
        return None

    def query(statement: Any) -> None:
        raw.send_query(statement if isinstance(statement, bytes) else statement.encode())
        try:
            while not _wait_for(raw.fileno(), READ, deadline.remaining()):
                pass
        except BaseException:
            # Also for signals: the next query must not read this response.
            deadline.was_missed = True
            raise
        raw.read_query_result()

    releases = (
        override(raw, "query", query),
        override(raw, "commit", lambda: query("COMMIT")),
        override(raw, "rollback", lambda: query("ROLLBACK")),
        override(raw, "ping", lambda: query("DO 0")),
        override(raw, "autocommit", lambda on: query(f"SET autocommit = {int(on)}")),
    )

    def release() -> None:
        for each in releases:
            each()

    return release


def override(target: Any, name: str, method: Callable[..., Any]) -> Release:
    """Override a method of one object, and return a function that restores it."""
    previous = target.__dict__.get(name)
    setattr(target, name, method)

    def release() -> None:
        if previous is None:
            target.__dict__.pop(name, None)
        else:
            setattr(target, name, previous)

    return release


def _limit_sqlite(raw: Any, deadline: Deadline) -> Release:
    """Limit SQLite, which waits only for locks."""
    previous = _busy_timeout(raw)
    limit = min(previous, int(deadline.remaining() * 1000))
    raw.execute(f"PRAGMA busy_timeout = {limit}")

    def release() -> None:
        with suppress(Exception):  # the connection may be closed
            # Unless the project has changed it meanwhile.
            if _busy_timeout(raw) == limit:
                raw.execute(f"PRAGMA busy_timeout = {previous}")

    return release


def _busy_timeout(raw: Any) -> int:
    (milliseconds,) = raw.execute("PRAGMA busy_timeout").fetchone()
    return int(milliseconds)


Limit = Callable[[Any, Deadline], Release | None]

LIMITS: dict[str, Limit] = {
    "postgresql": _limit_psycopg,
    "mysql": _limit_mysqlclient,
    "sqlite": _limit_sqlite,
}
