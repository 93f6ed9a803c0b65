"""A budget of time for what a page asks, kept by the database itself.

PostgreSQL, MariaDB and MySQL stop a statement that takes longer; SQLite looks at the clock every
few thousand steps. Other databases run on.
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

STEPS_BETWEEN_LOOKS = 2_000
"""SQLite instructions, well below a millisecond of work."""

QUERY_CANCELED = "57014"  # PostgreSQL
STATEMENT_TIMEOUT = 1969  # MariaDB
QUERY_TIMEOUT = 3024  # MySQL


class BudgetExceededError(TrackmateError):
    """The database stopped a query that took longer than `QUERY_TIMEOUT`."""


@contextmanager
def time_budget(alias: str, *, milliseconds: int) -> Iterator[None]:
    """Stop each statement on this database after so many milliseconds; 0 lets it run."""
    connection = connections[alias]
    keep = _KEEPERS.get(connection.vendor) if milliseconds > 0 else None
    if keep is None:
        yield
        return
    try:
        with keep(connection, milliseconds):
            yield
    except OperationalError as error:
        if is_timeout(error):
            raise BudgetExceededError from error
        raise


@contextmanager
def lock_budget(alias: str, *, milliseconds: int) -> Iterator[None]:
    """Wait no longer than this for another's write where SQLite has one writer at a time."""
    connection = connections[alias]
    if connection.vendor != "sqlite":
        yield
        return
    with connection.cursor() as cursor:
        former = cursor.execute("PRAGMA busy_timeout").fetchone()[0]
        cursor.execute(f"PRAGMA busy_timeout = {milliseconds}")
        try:
            yield
        finally:
            cursor.execute(f"PRAGMA busy_timeout = {former}")


def is_timeout(error: OperationalError) -> bool:
    """Say whether the database stopped a statement for its time."""
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

    PostgreSQL takes all of a message for one transaction and forgets the limit at its end; a block
    around the query takes three messages more.
    """

    milliseconds: int

    def __call__(
        self,
        execute: Callable[..., Any],
        sql: str,
        params: Any,
        many: bool,  # noqa: FBT001 (Django hands it over so)
        context: Any,
    ) -> Any:
        """Run a query of the block."""
        connection, cursor = context["connection"], context["cursor"].cursor
        is_plain = isinstance(cursor, connection.Database.ClientCursor) and isinstance(sql, str)
        if many or not is_plain:
            # One of the server's, or what somebody who watches queries has put around a cursor.
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
    goes_on = not connection.get_autocommit()
    # The block makes the setting local, and keeps a stopped query from breaking the project's
    # own transaction; a rollback takes the setting back with it.
    with (
        transaction.atomic(using=connection.alias),
        statement_limit(connection, milliseconds, restore=goes_on),
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
    database.set_progress_handler(lambda: monotonic() > deadline, STEPS_BETWEEN_LOOKS)
    try:
        yield
    finally:
        database.set_progress_handler(None, 0)


_KEEPERS = {"postgresql": _postgresql, "mysql": _mysql, "sqlite": _sqlite}
