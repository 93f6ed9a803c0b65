"""Timeouts for queries of the dashboard, which the database itself enforces.

PostgreSQL, MariaDB and MySQL stop a statement that takes longer; SQLite checks the time every few
thousand instructions. Other databases have no limit.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, Any

from django.db import OperationalError, connections, transaction

from trackmate.db.time_limits import statement_limit
from trackmate.exceptions import TrackmateError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from django.db.backends.base.base import BaseDatabaseWrapper

INSTRUCTIONS_BETWEEN_CHECKS = 2_000
"""SQLite instructions, well below a millisecond of work."""

QUERY_CANCELED = "57014"  # PostgreSQL
STATEMENT_TIMEOUT = 1969  # MariaDB
QUERY_TIMEOUT = 3024  # MySQL


class StatementTimeoutError(TrackmateError):
    """The database stopped a query that took longer than `QUERY_TIMEOUT`."""


@contextmanager
def statement_timeout(alias: str, *, milliseconds: int) -> Iterator[None]:
    """Stop each statement on this database after some milliseconds; 0 means no limit."""
    connection = connections[alias]
    limit = _LIMITS.get(connection.vendor) if milliseconds > 0 else None
    if limit is None:
        yield
        return
    try:
        with limit(connection, milliseconds):
            yield
    except OperationalError as error:
        if is_timeout(error):
            raise StatementTimeoutError from error
        raise


@contextmanager
def lock_timeout(alias: str, *, milliseconds: int) -> Iterator[None]:
    """Wait no longer than this for another writer; only SQLite has one writer at a time."""
    connection = connections[alias]
    if connection.vendor != "sqlite":
        yield
        return
    with connection.cursor() as cursor:
        previous = cursor.execute("PRAGMA busy_timeout").fetchone()[0]
        cursor.execute(f"PRAGMA busy_timeout = {milliseconds}")
        try:
            yield
        finally:
            cursor.execute(f"PRAGMA busy_timeout = {previous}")


def is_timeout(error: OperationalError) -> bool:
    """Return True if the database stopped a statement because it took too long."""
    cause = error.__cause__
    state = getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None)
    return (
        state == QUERY_CANCELED
        or error.args[:1] in ((STATEMENT_TIMEOUT,), (QUERY_TIMEOUT,))
        or error.args[:1] == ("interrupted",)
    )


def _postgresql(connection: BaseDatabaseWrapper, milliseconds: int) -> AbstractContextManager[None]:
    database: Any = connection
    if connection.get_autocommit() and hasattr(database.Database, "ClientCursor"):  # psycopg 3
        return connection.execute_wrapper(_Limit(milliseconds))
    return _limited_block(connection, milliseconds)


@dataclass(frozen=True, slots=True)
class _Limit:
    """Runs each query with its limit in the same message.

    PostgreSQL runs all of a message as one transaction, and the limit ends with it; a block around
    the query would need three more messages.
    """

    milliseconds: int

    def __call__(
        self,
        execute: Callable[..., Any],
        sql: str,
        params: Any,
        many: bool,  # noqa: FBT001 (Django passes it so)
        context: Any,
    ) -> Any:
        """Run a query of the block."""
        connection, cursor = context["connection"], context["cursor"].cursor
        is_plain = isinstance(cursor, connection.Database.ClientCursor) and isinstance(sql, str)
        if many or not is_plain:
            # A server-side cursor, or one that a tool for watching queries has wrapped.
            if connection.in_atomic_block:
                return execute(sql, params, many, context)
            with _limited_block(connection, self.milliseconds):
                return execute(sql, params, many, context)
        limit = f"SET LOCAL statement_timeout = {self.milliseconds}"
        result = execute(f"{limit}; {sql}", params, many, context)
        # The first result is that of the limit.
        cursor.nextset()
        return result


@contextmanager
def _limited_block(connection: BaseDatabaseWrapper, milliseconds: int) -> Iterator[None]:
    is_in_transaction = not connection.get_autocommit()
    # The block makes the setting local, and a stopped query does not break the transaction of the
    # project; a rollback undoes the setting too.
    with (
        transaction.atomic(using=connection.alias),
        statement_limit(connection, milliseconds, restore=is_in_transaction),
    ):
        yield


@contextmanager
def _mysql(connection: BaseDatabaseWrapper, milliseconds: int) -> Iterator[None]:
    mariadb: bool = connection.mysql_is_mariadb  # type: ignore[attr-defined]
    name = "max_statement_time" if mariadb else "max_execution_time"
    limit = milliseconds / 1000 if mariadb else milliseconds
    with connection.cursor() as cursor:
        cursor.execute(f"SET @trackmate = @@SESSION.{name}, SESSION {name} = %s", [limit])
        try:
            yield
        finally:
            cursor.execute(f"SET SESSION {name} = @trackmate")


@contextmanager
def _sqlite(connection: BaseDatabaseWrapper, milliseconds: int) -> Iterator[None]:
    connection.ensure_connection()
    deadline = monotonic() + milliseconds / 1000
    database: Any = connection.connection
    database.set_progress_handler(lambda: monotonic() > deadline, INSTRUCTIONS_BETWEEN_CHECKS)
    try:
        yield
    finally:
        database.set_progress_handler(None, 0)


_LIMITS = {"postgresql": _postgresql, "mysql": _mysql, "sqlite": _sqlite}
