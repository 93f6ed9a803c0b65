"""Queries that take too long, on every database."""

from django.db import connection

SLOW = {
    "postgresql": "SELECT pg_sleep(5)",
    "mysql": "SELECT SLEEP(5) FROM information_schema.tables",
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 100000000) "
    "SELECT MAX(i) FROM n",
}


def slow_log(execute, sql, params, many, context):
    """Ask something slow in place of every question to the log."""
    if "trackmate_activitylog" not in sql or not sql.startswith("SELECT"):
        return execute(sql, params, many, context)
    return execute(SLOW[connection.vendor], None, many, context)
