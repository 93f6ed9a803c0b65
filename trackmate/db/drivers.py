"""How each driver is made to keep a deadline while it waits for the server."""

from __future__ import annotations

import select
from collections.abc import Callable, Generator
from contextlib import suppress
from typing import Any

from trackmate.db.deadlines import Deadline

Release = Callable[[], object]
"""Takes back what was put in the place of something."""

ACTIVE = 1
"""What libpq says of a connection on which a command is in progress."""

READ, WRITE = 1, 2
"""What psycopg waits for; their sum is either."""

_IN, _OUT = getattr(select, "POLLIN", 1), getattr(select, "POLLOUT", 4)
_EVENTS = (0, _IN, _OUT, _IN | _OUT)


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

    return override(raw, "wait", wait)


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


def override(raw: Any, name: str, method: Callable[..., Any]) -> Release:
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


LIMITS: dict[str, Callable[[Any, Deadline], Release | None]] = {
    "postgresql": _limit_psycopg,
    "mysql": _limit_mysqlclient,
    "sqlite": _limit_sqlite,
}
