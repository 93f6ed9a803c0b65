"""A history of millions of rows: the demo's own, multiplied inside the database.

Each copy happens a little earlier than the one before it, under request ids of its own, so that
every hour keeps its shape: who works when, on what, and what fails.
"""

import sys
import time

from django.core.management import call_command
from django.db import connection

from trackmate.models import ActivityLog

SEEDED = 50_000
"""Rows that the demo makes, in Python; the rest are copies."""
SPREAD = 3_600
"""Seconds over which the copies of a row are spread."""
TEMPLATE = "scale_template"

POSTGRESQL = {
    "clock": "(extract(epoch FROM t.action_time) * 1000000)::bigint",
    "copies": "(SELECT * FROM generate_series(0, {copies}::bigint - 1) AS s(copy))",
    "time": "to_timestamp(us / 1000000.0)",
    "key": (
        "(lpad(to_hex(us / 1000), 12, '0') || '7' || lpad(to_hex(us % 1000 * 4096 / 1000), 3, '0')"
        " || substr(replace(gen_random_uuid()::text, '-', ''), 17))::uuid"
    ),
}
SQLITE = {
    "clock": (
        "strftime('%s', t.action_time) * 1000000"
        " + CAST(substr(t.action_time || '.000000', 21, 6) AS INTEGER)"
    ),
    "copies": (
        "(WITH RECURSIVE c(copy) AS (SELECT 0 UNION ALL SELECT copy + 1 FROM c"
        " WHERE copy < {copies} - 1) SELECT copy FROM c)"
    ),
    "time": (
        "strftime('%Y-%m-%d %H:%M:%S', us / 1000000, 'unixepoch') || printf('.%06d', us % 1000000)"
    ),
    "key": (
        "printf('%012x7%03x%x', us / 1000, us % 1000 * 4096 / 1000, 8 + abs(random() % 4))"
        " || substr(lower(hex(randomblob(8))), 2)"
    ),
}
DIALECTS = {"postgresql": POSTGRESQL, "sqlite": SQLITE}


def make(rows: int, days: int) -> None:
    """Fill the log with at least `rows` activities over so many days, if they are not there."""
    call_command("migrate", verbosity=0)
    log = ActivityLog._meta.db_table
    if _count(log) >= rows:
        return
    if TEMPLATE not in connection.introspection.table_names():
        call_command("seed", activities=min(SEEDED, rows), days=days, stdout=sys.stderr)
        _run(f"CREATE TABLE {TEMPLATE} AS SELECT * FROM {log}")
    _multiply(log, copies=-(-rows // _count(TEMPLATE)))
    _run("VACUUM ANALYZE" if connection.vendor == "postgresql" else "PRAGMA wal_checkpoint")


def size() -> float:
    """Return how large the database is, in gigabytes."""
    ask = (
        "SELECT pg_database_size(current_database())"
        if connection.vendor == "postgresql"
        else "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"
    )
    return _value(ask) / 1e9


def _multiply(log: str, *, copies: int) -> None:
    started = time.monotonic()
    _run(f"DELETE FROM {log}")
    # Made at the end, which is quicker than row by row.
    indexes = ActivityLog._meta.indexes
    with connection.schema_editor() as editor:
        for index in indexes:
            editor.remove_index(ActivityLog, index)
    total = _count(TEMPLATE)
    step = max(1, 50_000 // copies)
    for start in range(0, total, step):
        _copy(log, start, step, copies)
    for index in indexes:
        with connection.schema_editor() as editor:
            editor.add_index(ActivityLog, index)
    print(f"Made in {time.monotonic() - started:.0f} s", file=sys.stderr)


def _copy(log: str, start: int, number: int, copies: int) -> None:
    """Copy a slice of the template, in the order in which it would have come."""
    dialect = DIALECTS[connection.vendor]
    own = {
        "id": dialect["key"],
        "action_time": dialect["time"],
        "recorded_at": dialect["time"],
        "request_id": "CASE WHEN request_id = '' THEN '' ELSE request_id || '-' || copy END",
    }
    names = [field.column for field in ActivityLog._meta.concrete_fields]
    quoted = ", ".join(f'"{name}"' for name in names)
    values = ", ".join(own.get(name, f'"{name}"') for name in names)
    clock, step = dialect["clock"], SPREAD * 1_000_000 // copies
    _run(
        f"INSERT INTO {log} ({quoted}) SELECT {values} FROM"
        f" (SELECT t.*, c.copy, {clock} - c.copy * {step} AS us"
        f" FROM (SELECT * FROM {TEMPLATE} ORDER BY id LIMIT {number} OFFSET {start}) t,"
        f" {dialect['copies'].format(copies=copies)} AS c"
        " ORDER BY us) AS made"
    )


def _count(table: str) -> int:
    return _value(f"SELECT count(*) FROM {table}")


def _value(sql: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchone()[0]


def _run(sql: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql)
