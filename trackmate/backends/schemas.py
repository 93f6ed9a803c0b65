"""The schema of a PostgreSQL database that rows belong to.

If tenants share a database, the search path of the connection selects the table. Spooled activities
must be stored in the same table.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from django.db import Error, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

from trackmate.db.time_limits import limit_time
from trackmate.db.transactions import needs_manual_commit
from trackmate.models import ActivityLog

DEFAULT = ""
"""The search path of new connections."""
UNKNOWN = "?"
"""The database could not be queried."""
QUERY_SECONDS = 0.05
"""Timeout of the query for the search path, while a request may wait."""
IDLE = 0
"""libpq's status of a connection without a transaction."""

_SEARCH_PATH_SQL = (
    "SELECT current_setting('search_path'), reset_val FROM pg_settings WHERE name = 'search_path'"
)
_TABLES_SQL = """
SELECT c.oid = to_regclass(%s), n.nspname = current_schema()
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relname = %s AND c.relkind IN ('r', 'p', 'v', 'f') AND NOT c.relispartition
"""


class AmbiguousTableError(Error):
    """Several schemas have a log, and it is not known which of them rows belong to."""


def named_schema(connection: BaseDatabaseWrapper | None) -> str:
    """Return the schema that a tenant package such as django-tenants has set, or ""."""
    return str(getattr(connection, "schema_name", None) or "")


def circuit_key(connection: BaseDatabaseWrapper, schema: str) -> str:
    """Return what `named_schema()` returns for connections that write to a schema."""
    return schema if hasattr(connection, "schema_name") and schema != UNKNOWN else ""


def current_schema(connection: BaseDatabaseWrapper, *, may_query: bool) -> str:
    """Return the schema, for `in_schema()`, that the connection writes to now."""
    if connection.vendor != "postgresql":
        return DEFAULT
    if name := named_schema(connection):
        return name
    raw: Any = connection.connection
    if raw is None or not may_query:
        return UNKNOWN
    try:
        with (
            limit_time(connection.alias, QUERY_SECONDS),
            _without_begin(connection),
            connection.cursor() as cursor,
        ):
            cursor.execute(_SEARCH_PATH_SQL)
            path, default = cursor.fetchone()
    except Exception:  # noqa: BLE001 (for example a broken transaction)
        return UNKNOWN
    return DEFAULT if path == default else str(path)


@contextmanager
def _without_begin(connection: BaseDatabaseWrapper) -> Iterator[None]:
    """Leave no transaction open after a query if autocommit is off."""
    raw: Any = connection.connection
    is_idle = needs_manual_commit(connection) and raw.info.transaction_status == IDLE
    try:
        yield
    finally:
        if is_idle:
            raw.rollback()


@contextmanager
def in_schema(connection: BaseDatabaseWrapper, schema: str) -> Iterator[None]:
    """Use the log's table in a schema inside the block.

    Raise AmbiguousTableError if it could be that of another schema.
    """
    if connection.vendor != "postgresql":
        yield
    else:
        with _use_schema(connection, schema):
            _check_table(connection, is_known=schema != UNKNOWN)
            yield


def _use_schema(connection: BaseDatabaseWrapper, schema: str) -> AbstractContextManager[None]:
    if not hasattr(connection, "set_schema"):
        return _use_search_path(connection, "" if schema in (DEFAULT, UNKNOWN) else schema)
    if schema in (DEFAULT, UNKNOWN):
        return nullcontext()
    return in_named_schema(connection.alias, schema)


@contextmanager
def in_named_schema(alias: str, schema: str) -> Iterator[None]:
    """Set the tenant schema of this thread's connection inside the block."""
    connection: Any = connections[alias]
    previous = connection.tenant
    connection.set_schema(schema)
    try:
        yield
    finally:
        connection.set_tenant(previous)


@contextmanager
def _use_search_path(connection: BaseDatabaseWrapper, path: str) -> Iterator[None]:
    """Set the search path inside the block; "" is the default one."""
    with connection.cursor() as cursor:
        cursor.execute(_SEARCH_PATH_SQL)
        previous, default = cursor.fetchone()
    wanted = path or default
    if previous == wanted:
        yield
        return

    def set_again(**values: Any) -> None:
        if values["connection"] is connection:
            _set_path(connection, wanted)

    _set_path(connection, wanted)
    # A new connection would have the default search path.
    connection_created.connect(set_again)
    try:
        yield
    finally:
        connection_created.disconnect(set_again)
        _set_path(connection, previous)


def _set_path(connection: BaseDatabaseWrapper, path: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('search_path', %s, false)", [path])


def _check_table(connection: BaseDatabaseWrapper, *, is_known: bool) -> None:
    """Raise AmbiguousTableError unless the table is the only one, or in the current schema."""
    table = ActivityLog._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(_TABLES_SQL, [connection.ops.quote_name(table), table])
        tables = cursor.fetchall()
    if len(tables) > 1 and not (is_known and (True, True) in tables):
        raise AmbiguousTableError(
            f"{len(tables)} schemas have a table {table}, and it is not known which of them"
            " these activities belong to"
        )
