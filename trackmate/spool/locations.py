"""Where activities wait: a directory for each database, and within it one for each schema.

What was recorded for one database or tenant is never stored in the table of another one, be it a
test's, a staging site's or another project's.
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
"""What the name of a schema's directory begins with."""
DIGITS = 12
"""Of what stands for a database in the name of its directory."""


def get_spool(schema: str = "", limits: Limits | None = None) -> Spool:
    """Return the spool of the log's database, or of one schema in it, below `SPOOL_DIR`."""
    root, directory = _directories()
    if schema:
        directory /= f"{SCHEMA}{quote(schema, safe=' ,$')}"
    return Spool(directory, limits or Limits(), root)


def find_left_behind() -> list[Path]:
    """Return the directories beside ours in which something waits for a database of another name.

    That may be another site's, or this one's before it was renamed or moved.
    """
    _root, own = _directories()
    beside = sorted(own.parent.glob(f"*-{'[0-9a-f]' * DIGITS}"))
    return [path for path in beside if path != own and _has_segments(path)]


def _has_segments(directory: Path) -> bool:
    return any(any(directory.rglob(f"*{name}")) for name in (OPEN, SEALED))


def get_spools() -> Iterator[tuple[str, Spool]]:
    """Yield each schema for which something may wait, with its spool; "" where none is known."""
    root, directory = _directories()
    yield "", Spool(directory, shared_root=root)
    for path in sorted(directory.glob(f"{SCHEMA}*")):
        if path.is_dir():
            yield unquote(path.name.removeprefix(SCHEMA)), Spool(path, shared_root=root)


def _directories() -> tuple[Path | None, Path]:
    """Return the directory that others could have made before us, if any, and the database's."""
    settings = get_settings()
    root = None if settings.SPOOL_DIR else default_directory()
    directory = root or Path(settings.SPOOL_DIR or default_directory())
    # As its connections see it: under test it has another name.
    database = connections.databases.get(settings.DATABASE, {})
    return root, directory / f"{settings.DATABASE}-{database_id(database)}"


def database_id(database: Mapping[str, Any]) -> str:
    """Return hex digits for an entry of DATABASES, the same for all to one database."""
    engine, host, port, name = (
        str(database.get(key) or "") for key in ("ENGINE", "HOST", "PORT", "NAME")
    )
    if engine.endswith("sqlite3") and not name.startswith(("file:", ":memory:")):
        # The same file, wherever a process was started.
        name = str(Path(name).absolute())
    options = str((database.get("OPTIONS") or {}).get("options") or "")
    found = (engine, host, port, name, *((options,) if "search_path" in options else ()))
    return sha256("|".join(found).encode()).hexdigest()[:DIGITS]


def default_directory() -> Path:
    """Return the directory for spools where `SPOOL_DIR` is unset, one for each system user."""
    user = os.getuid() if hasattr(os, "getuid") else "user"
    return Path(tempfile.gettempdir()) / f"trackmate-{user}"
