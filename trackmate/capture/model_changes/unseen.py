"""Noticing writes to tables of registered models that nothing else has recorded."""

from __future__ import annotations

import sys
from functools import lru_cache
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import django
from django.apps import apps
from django.core.management.sql import emit_post_migrate_signal
from django.db.backends.base.operations import BaseDatabaseOperations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.models import Model
from django.db.models.deletion import Collector
from django.db.models.fields import related_descriptors
from django.db.models.sql import compiler

from trackmate.activity import Activity, label_of
from trackmate.capture.model_changes.statements import Write, table_names, watched_tables
from trackmate.enums import ActionType, Source
from trackmate.pipeline import is_recording, never_raise, record_if_kept
from trackmate.registry import Registration
from trackmate.triggers.installed import has_triggers

MAX_FRAMES = 100

_VERBS = {
    "INSERT": ("create", ActionType.CREATE),
    "REPLACE": ("update", ActionType.UPDATE),
    "MERGE": ("update", ActionType.UPDATE),
    "UPDATE": ("update", ActionType.UPDATE),
    "DELETE": ("delete", ActionType.DELETE),
    "TRUNCATE": ("delete", ActionType.DELETE),
}

_SAVE: CodeType = Model._save_table.__code__  # type: ignore[attr-defined]
_DELETE: CodeType = Collector.delete.__code__
_FLUSH: CodeType = BaseDatabaseOperations.execute_sql_flush.__code__
_SCHEMA = BaseDatabaseSchemaEditor.execute.__code__
_POST_MIGRATE = emit_post_migrate_signal.__code__
_RELATIONS = related_descriptors.__file__
_DJANGO = str(Path(django.__file__).parent)
_OWN = str(Path(__file__).parents[2])
_INSIDE = (_DJANGO, _OWN)
_BACKENDS = str(Path(_DJANGO, "db", "backends"))
_COMPILER = compiler.__file__


@never_raise
def note_writes(alias: str, writes: tuple[Write, ...], sql: Any, cursor: Any) -> None:
    """Record writes that have come about by none of the ways that are recorded."""
    if not is_recording():
        return
    unrecorded = [
        (registration, write)
        for write in writes
        for registration in watched_tables.get(write[1], ())
        if not has_triggers(registration, alias)
    ]
    if not unrecorded or (place := find_place()) is None:
        return
    rows = _count_rows(sql, cursor)
    for registration, write in unrecorded:
        _record(registration, write, rows, place, alias)


def _count_rows(sql: Any, cursor: Any) -> int | None:
    """Return how many rows a statement has written, or None if that is not known."""
    text = str(sql)
    if ";" in text.rstrip("; \n"):
        # The count may be that of another statement.
        return None
    if "RETURNING" in text and connection_vendor(cursor) == "sqlite":
        # SQLite counts while the rows are fetched.
        _insert, values, rows = text.partition(" VALUES ")
        return rows.count("), (") + 1 if values else None
    count = getattr(cursor, "rowcount", None)
    return count if isinstance(count, int) and count >= 0 else None


def connection_vendor(cursor: Any) -> str:
    """Return the kind of database of a cursor."""
    return str(cursor.db.vendor)


def _record(
    registration: Registration,
    write: Write,
    rows: int | None,
    place: str,
    alias: str,
) -> None:
    verb, table = write
    name, action_type = _VERBS[verb]
    if rows == 0 or name not in registration.options.on:
        return
    extra = {
        "unseen": True,
        "table": table_names.get(table, table),
        "verb": verb,
        "rows": rows,
        "statements": 1,
        "place": place,
    }
    activity = Activity.now(
        source=Source.MODEL.value,
        action=f"{label_of(registration.model)}.{name}",
        action_type=action_type.value,
        extra=extra,
    )
    record_if_kept(activity, alias)


def find_place() -> str | None:
    """Return where in the code the current statement comes from, or None if it is recorded.

    It is recorded if Django sends it for a save, a deletion or a many-to-many field; what tests and
    migrations do to tables as such is no change of an object.
    """
    frame: FrameType | None = sys._getframe(1)
    for _step in range(MAX_FRAMES):
        if frame is None:
            break
        code = frame.f_code
        if code is _SAVE:
            return None if _is_current(frame.f_locals["self"]) else _first_place(frame)
        if code is _DELETE:
            return None if _is_current(frame.f_locals["self"].origin) else _first_place(frame)
        if code is _FLUSH or code is _SCHEMA or code is _POST_MIGRATE:
            return None
        if code.co_filename == _RELATIONS and "ManyRelatedManager" in code.co_qualname:
            return None
        if code.co_filename.startswith(_INSIDE):
            frame = frame.f_back
        elif (above := _above_cursor(frame)) is not None:
            frame = above
        else:
            return _describe(frame)
    return "unknown"


def _above_cursor(frame: FrameType) -> FrameType | None:
    """Return Django's frame above one of a package that wraps cursors, or None for other code."""
    above: FrameType | None = frame
    while above is not None and not above.f_code.co_filename.startswith(_INSIDE):
        above = above.f_back
    if above is None:
        return None
    code = above.f_code
    is_compiler = code.co_filename == _COMPILER and code.co_name == "execute_sql"
    return above if is_compiler or code.co_filename.startswith(_BACKENDS) else None


def _is_current(value: Any) -> bool:
    """Return False for the models of a migration, which send no signals that are received."""
    model = value if isinstance(value, Model) else getattr(value, "model", None)
    return model is None or model._meta.apps is apps


def _first_place(frame: FrameType) -> str:
    found: FrameType | None = frame
    while found is not None and found.f_code.co_filename.startswith(_INSIDE):
        found = found.f_back
    return _describe(found) if found is not None else "unknown"


def _describe(frame: FrameType) -> str:
    code = frame.f_code
    return f"{_short_path(code.co_filename)}:{frame.f_lineno} in {code.co_qualname}"


@lru_cache(maxsize=256)
def _short_path(path: str) -> str:
    """Return a path as it is below the directory that it is imported from."""
    roots = [each for each in sys.path if each and path.startswith(f"{each}/")]
    return path[len(max(roots, key=len)) + 1 :] if roots else Path(path).name
