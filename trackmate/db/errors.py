"""Messages of database errors without values.

Databases quote what they reject: PostgreSQL whole rows in a DETAIL, all of them single values in
the message.
"""

from __future__ import annotations

import re

from django.db import Error

DRIVERS = frozenset(
    ("MySQLdb", "oracledb", "psycopg", "psycopg2", "psycopg_pool", "pymysql", "sqlite3")
)
"""Top-level modules of database drivers."""

VALUE = "[value]"
LONGEST_NAMING = 16
"""Length of the longest prefix of a name, such as "tablespace (\"."""

# Backticks quote only names. An apostrophe after a letter, as in "doesn't", quotes nothing.
_QUOTED = re.compile(r"\"[^\"]*\"?|(?<![^\W_])'[^']*'?|[»«][^»«]*[»«]?|[„“][^„“”]*[“”]?")
# What precedes the name of a database object in PostgreSQL, MariaDB, MySQL and SQLite.
_NAMING = re.compile(
    r"(?:\b(?:at|columns?|constraint|database|encoding|extension|field|function|host|index|in|key"
    r"|name|on|operator|parameter|partition|policy|privilege|relation|role|schema|sequence|server"
    r"|table|tablespace|trigger|type|user|view)|@|\.)\s?\(?$",
    re.IGNORECASE,
)
# What may follow a value.
_TAIL = re.compile(
    r"(?: for (?:key|column) [`'\"]?[\w.`$-]*[`'\"]?(?: at row \d+)?"
    r"| is out of range for type [\w ]{0,60}| at line \d+|: syntax error)?(?: \(\d+\))?\Z"
)


def is_database_error(error: BaseException) -> bool:
    """Return True for an error of Django's database layer or of a driver."""
    modules = {each.__module__.partition(".")[0] for each in type(error).__mro__}
    return isinstance(error, Error) or not DRIVERS.isdisjoint(modules)


def primary_message(error: BaseException) -> str:
    """Return the first line of a database error, without values."""
    text = _full_message(error).strip().partition("\n")[0].rstrip()
    for quoted in _QUOTED.finditer(text):
        # Bounded, so that the search is linear in the length of the text.
        if not _NAMING.search(text, max(0, quoted.start() - LONGEST_NAMING), quoted.start()):
            tail = _TAIL.search(text, quoted.start() + 1)
            return f"{text[: quoted.start()]}{VALUE}{tail[0] if tail else ''}"
    return text


def _full_message(error: BaseException) -> str:
    # psycopg separates the parts of a message.
    for each in (error, error.__cause__):
        primary = getattr(getattr(each, "diag", None), "message_primary", None)
        if primary:
            return str(primary)
    if len(error.args) > 1 and isinstance(error.args[0], int):
        # MySQLdb: a number and a message.
        return f"{error.args[1]} ({error.args[0]})"
    return str(error)
