"""Tables, triggers and functions that a database has, and changing them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from django.db import connections

from trackmate.conf import get_settings
from trackmate.exceptions import TriggerError
from trackmate.triggers.names import PREFIX, quote

_TABLE_SQL = """
SELECT n.nspname, c.relname, c.relkind
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = to_regclass(%s)
"""

_TRIGGERS_SQL = """
SELECT named.db_table, n.nspname, c.relname, t.tgname, t.tgenabled, pn.nspname, p.proname, p.prosrc
FROM unnest(%s::text[], %s::text[]) AS named (db_table, quoted)
JOIN pg_trigger t ON t.tgrelid = to_regclass(named.quoted)
JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_proc p ON p.oid = t.tgfoid JOIN pg_namespace pn ON pn.oid = p.pronamespace
WHERE starts_with(t.tgname, %s) AND NOT t.tgisinternal ORDER BY c.relname, t.tgname
"""

CONVERSIONS_SQL = """
SELECT format_type(p.proargtypes[0], NULL), p.prosrc
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE n.nspname = %s AND p.proname = %s
"""

_TAKE_TRIGGERS = {"r", "p"}
"""Kinds of relations whose triggers get the rows of a statement: tables, also partitioned."""


class Found(NamedTuple):
    """A trigger that a table has."""

    db_table: str
    """The table as its model names it."""
    schema: str
    table: str
    name: str
    enabled: str
    function_schema: str
    function: str
    body: str

    def drop(self) -> Iterator[str]:
        """Yield the statements that drop it and its function."""
        yield f"DROP TRIGGER {quote(self.name)} ON {quote(self.schema, self.table)}"
        yield f"DROP FUNCTION {quote(self.function_schema, self.function)}()"


def log_connection() -> Any:
    """Return the connection of the log, which is that of the models as well."""
    connection = connections[get_settings().DATABASE]
    if connection.vendor != "postgresql":
        raise TriggerError(f"Triggers need PostgreSQL; the log is in {connection.display_name}.")
    return connection


def resolve_table(table: str, connection: Any) -> tuple[str, str]:
    """Return schema and name of a table as the search path has it."""
    with connection.cursor() as cursor:
        cursor.execute(_TABLE_SQL, [connection.ops.quote_name(table)])
        found = cursor.fetchone()
    if found is None:
        raise TriggerError(f"There is no table {table}: run migrate first.")
    schema, name, kind = found
    if kind not in _TAKE_TRIGGERS:
        raise TriggerError(f"{table} is no table, and cannot have triggers.")
    return schema, name


def find_triggers(connection: Any, tables: list[str]) -> list[Found]:
    quoted = [connection.ops.quote_name(each) for each in tables]
    with connection.cursor() as cursor:
        cursor.execute(_TRIGGERS_SQL, [tables, quoted, PREFIX])
        return [Found(*row) for row in cursor.fetchall()]


def execute_all(connection: Any, statements: Iterable[str]) -> None:
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
