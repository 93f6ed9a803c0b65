"""The names of triggers, functions and settings in the database."""

from __future__ import annotations

from hashlib import sha256

PREFIX = "trackmate_"
"""Begins the name of each trigger and function."""

CONTEXT = "trackmate.context"
"""The setting of a transaction that says who changes something, and why."""

HOUR, MARK = "trackmate.hour", "trackmate.mark"
"""Of a transaction: the hour of its last row, and "on" for the first row of an hour."""

OFF = '{"off": true}'
"""The context in which nothing is recorded."""

VERBS = {"insert": "create", "update": "update", "delete": "delete"}
"""The statements with a trigger of their own, and what each does to an object."""

LATE = f"{PREFIX}late"
"""The trigger of the log itself, which invalidates rollups."""

MAX_BYTES = 63
"""PostgreSQL cuts longer names."""


def quote(*names: str) -> str:
    """Return names as SQL, quoted and with dots between them."""
    return ".".join('"' + name.replace('"', '""') + '"' for name in names)


def literal(text: str) -> str:
    """Return a text as SQL, the same whatever `standard_conforming_strings` is."""
    quoted = text.replace("'", "''")
    return f"E'{quoted}'".replace("\\", "\\\\") if "\\" in quoted else f"'{quoted}'"


def fit_name(name: str) -> str:
    """Return a name as it is, or with a hash in place of its end if it is too long."""
    if len(name.encode()) <= MAX_BYTES:
        return name
    digest = sha256(name.encode()).hexdigest()[:8]
    kept = name.encode()[: MAX_BYTES - len(digest) - 1].decode(errors="ignore")
    return f"{kept}_{digest}"
