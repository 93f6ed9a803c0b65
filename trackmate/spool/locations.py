"""The spool directories: one for each database, and within it one for each schema.

So activities of one database or tenant are never stored in the table of another one.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from django.db import connections

from trackmate.conf import get_settings
from trackmate.spool.segments import OPEN, SEALED, Limits, Spool

SCHEMA = "schema="
"""Prefix of the directories of schemas."""
DIGITS = 12
"""Length of a database id in the name of its directory."""


def get_spool(schema: str = "", limits: Limits | None = None) -> Spool:
    """Return the spool of the log's database, or of a schema in it."""
    root, directory = _directories()
    if schema:
        directory /= f"{SCHEMA}{quote(schema, safe=' ,$')}"
    return Spool(directory, limits or Limits(), root)


def find_left_behind() -> list[Path]:
    """Return the non-empty spool directories of other databases.

    They may belong to other sites, or to this one before its database was renamed or moved.
    """
    _root, current = _directories()
    directories = sorted(current.parent.glob(f"*-{'[0-9a-f]' * DIGITS}"))
    return [
        path
        for path in directories
        if path != current and any(any(path.rglob(f"*{name}")) for name in (OPEN, SEALED))
    ]


def get_spools() -> Iterator[tuple[str, Spool]]:
    """Yield the schemas that may have spooled activities, with their spools; "" is the default."""
    root, directory = _directories()
    yield "", Spool(directory, shared_root=root)
    for path in sorted(directory.glob(f"{SCHEMA}*")):
        if path.is_dir():
            yield unquote(path.name.removeprefix(SCHEMA)), Spool(path, shared_root=root)


def _directories() -> tuple[Path | None, Path]:
    """Return the shared root directory, if there is one, and the directory of the database."""
    settings = get_settings()
    root = None if settings.SPOOL_DIR else default_directory()
    directory = root or Path(settings.SPOOL_DIR or default_directory())
    # From the connections, since the name differs under test.
    database = connections.databases.get(settings.DATABASE, {})
    return root, directory / f"{settings.DATABASE}-{database_id(database)}"


def database_id(database: Mapping[str, Any]) -> str:
    """Return an id in hex for an entry of DATABASES, the same for all entries of a database."""
    engine, host, port, name = (
        str(database.get(key) or "") for key in ("ENGINE", "HOST", "PORT", "NAME")
    )
    if engine.endswith("sqlite3") and not name.startswith(("file:", ":memory:")):
        # Independent of the working directory.
        name = str(Path(name).absolute())
    options = str((database.get("OPTIONS") or {}).get("options") or "")
    parts = (engine, host, port, name, *((options,) if "search_path" in options else ()))
    return sha256("|".join(parts).encode()).hexdigest()[:DIGITS]


def default_directory() -> Path:
    """Return the default of `SPOOL_DIR`, which is different for each system user."""
    user = os.getuid() if hasattr(os, "getuid") else "user"
    return Path(tempfile.gettempdir()) / f"trackmate-{user}"
