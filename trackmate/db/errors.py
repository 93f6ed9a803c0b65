"""What may be said of a database's error: its primary message, without the values in it.

Databases quote what they refuse: PostgreSQL whole rows in a DETAIL, all of them single values in
the message itself.
"""

from __future__ import annotations

import re

from django.db import Error

DRIVERS = frozenset(
    ("MySQLdb", "oracledb", "psycopg", "psycopg2", "psycopg_pool", "pymysql", "sqlite3")
)
"""Top-level modules of the drivers whose errors quote values."""

VALUE = "[value]"
LONGEST_NAMING = 16
"""Characters of what comes before a name, as in "tablespace (\"."""

# Not in backticks: those are for names alone. Nor after a letter, as in "doesn't".
_QUOTED = re.compile(r"\"[^\"]*\"?|(?<![^\W_])'[^']*'?|[»«][^»«]*[»«]?|[„“][^„“”]*[“”]?")
# What comes before the name of something in the database, in PostgreSQL, MariaDB, MySQL or SQLite.
_NAMING = re.compile(
    r"(?:\b(?:at|columns?|constraint|database|encoding|extension|field|function|host|index|in|key"
    r"|name|on|operator|parameter|partition|policy|privilege|relation|role|schema|sequence|server"
    r"|table|tablespace|trigger|type|user|view)|@|\.)\s?\(?$",
    re.IGNORECASE,
)
# What may come after a value and says more of the error.
_TAIL = re.compile(
    r"(?: for (?:key|column) [`'\"]?[\w.`$-]*[`'\"]?(?: at row \d+)?"
    r"| is out of range for type [\w ]{0,60}| at line \d+|: syntax error)?(?: \(\d+\))?\Z"
)


def message_without_values(error: BaseException) -> str:
    """Return the text of an error; of one of a database without the values in it."""
    return primary_message(error) if is_database_error(error) else str(error)


def is_database_error(error: BaseException) -> bool:
    """Return True if an error comes from Django's database layer or from a driver."""
    modules = {each.__module__.partition(".")[0] for each in type(error).__mro__}
    return isinstance(error, Error) or not DRIVERS.isdisjoint(modules)


def primary_message(error: BaseException) -> str:
    """Return what a database said of an error, on one line and without values."""
    text = _full_message(error).strip().partition("\n")[0].rstrip()
    for quoted in _QUOTED.finditer(text):
        # The names of what names something are short: this stays linear in the text.
        if not _NAMING.search(text, max(0, quoted.start() - LONGEST_NAMING), quoted.start()):
            tail = _TAIL.search(text, quoted.start() + 1)
            return f"{text[: quoted.start()]}{VALUE}{tail[0] if tail else ''}"
    return text


def _full_message(error: BaseException) -> str:
    # psycopg tells the parts of a message apart.
    for each in (error, error.__cause__):
        primary = getattr(getattr(each, "diag", None), "message_primary", None)
        if primary:
            return str(primary)
    if len(error.args) > 1 and isinstance(error.args[0], int):
        # MySQLdb: a number and a message.
        return f"{error.args[1]} ({error.args[0]})"
    return str(error)
