"""Watches the statements of a connection that write to tables of registered models.

It reads the old values that nothing has remembered just before an UPDATE, finds what a deletion
changes beside what it deletes, and notices writes that nothing else has recorded.
"""

from __future__ import annotations

import re
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from types import CodeType, FrameType
from typing import Any, Protocol
from weakref import ref

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Model

from trackmate.capture.model_changes.context import execute_with_context
from trackmate.db.tables import table_name
from trackmate.pipeline import never_raise
from trackmate.triggers.installed import has_triggers

_WATCH = "_trackmate_statements"

_SQL = re.compile(
    r"\s*(?>(?>/\*.*?\*/)\s*|--[^\n]*\n\s*|\(\s*)*+([a-z]+)", re.IGNORECASE | re.DOTALL
)
_READS = frozenset(
    {"SELECT", "SAVEPOINT", "RELEASE", "ROLLBACK", "BEGIN", "COMMIT", "SET", "PRAGMA"}
)
_NAME = r'(?:"(?:[^"]|"")+"|`[^`]+`|\[[^\]]+\]|\w+)'
_WRITE = re.compile(
    r"\b(?:(INSERT)\s+(?:(?:OR\s+\w+|IGNORE|LOW_PRIORITY|DELAYED|HIGH_PRIORITY)\s+)*INTO"
    r"|(REPLACE)\s+(?:LOW_PRIORITY\s+|DELAYED\s+)?INTO|(MERGE)\s+INTO"
    r"|(UPDATE)(?:\s+(?:LOW_PRIORITY|IGNORE|ONLY|OR\s+\w+))*"
    r"|(DELETE)\s+(?:(?:LOW_PRIORITY|QUICK|IGNORE)\s+)*"
    rf"(?:{_NAME}(?:\.(?:{_NAME}|\*))*\s+)?FROM(?:\s+ONLY)?"
    r"|(TRUNCATE)(?:\s+TABLE)?(?:\s+ONLY)?)"
    rf"\s+(?:{_NAME}\.)?({_NAME})",
    re.IGNORECASE,
)
_LITERAL = re.compile(r"'(?:[^']|'')*'|--[^\n]*|/\*.*?\*/", re.DOTALL)

MAX_SQL = 100_000
"""Longer statements are searched at their beginning alone."""

MAX_HEAD = 500
"""Where the table of a plain statement is."""

MAX_PENDING = 8
"""Deletions that are kept though they may be finished: those that have failed are never."""

MAX_NESTED = 500
"""Saves and deletions within others."""

MAX_FRAMES = 100
"""Calls between a save and its statement."""

_SAVE: CodeType = Model._save_table.__code__  # type: ignore[attr-defined]

Write = tuple[str, str]
"""Verb and table."""


class PendingSave(Protocol):
    """A save that needs something to be read before its UPDATE."""

    instance_ref: ref[Model]
    row: Sequence[Any] | None

    def read_before(self, instance: Model, verb: str, table: str) -> None:
        """Read what the write is going to change."""


class PendingDeletion(Protocol):
    """A deletion that needs something to be read before and after what it writes."""

    @property
    def is_busy(self) -> bool:
        """Return True if objects are still to be deleted."""

    def read_before(self, verb: str, table: str) -> None:
        """Read what the write is going to change."""

    def read_after(self, verb: str, table: str) -> None:
        """Read what the write has changed."""


class Statements:
    """The execute wrapper of one connection."""

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        self.alias = connection.alias
        self.saves: deque[Any] = deque(maxlen=MAX_NESTED)
        """Each within the one before it, or that one has failed."""
        self.deletions: deque[Any] = deque(maxlen=MAX_NESTED)
        self.is_recorded = False
        """Whether a bulk operation records what is written now."""

    def __call__(
        self,
        execute: Callable[..., Any],
        sql: Any,
        params: Any,
        many: bool,  # noqa: FBT001 (Django passes it by position)
        context: Any,
    ) -> Any:
        writes = find_writes(sql)
        if not writes:
            return execute(sql, params, many, context)
        self._read_before(writes)
        if has_triggers_on(writes, self.alias):
            result = execute_with_context(execute, sql, params, many, context)
        else:
            result = execute(sql, params, many, context)
        self._read_after(writes)
        if not self.is_recorded:
            for note in write_listeners:
                note(self.alias, writes, sql, context["cursor"])
        return result

    def add_save(self, save: PendingSave) -> None:
        """Add a save that begins."""
        while self.saves and self.saves[-1].instance_ref() is None:
            self.saves.pop()
        self.saves.append(save)

    def take_save(self, instance: Model) -> Any:
        """Return the save of an instance that ends, or None if nothing had to be read."""
        found = [each for each in self.saves if each.instance_ref() is instance]
        for each in found:
            # A receiver may have saved it again, which is recorded as a part of the first save.
            self.saves.remove(each)
        known = next((each for each in found if each.row is not None), None)
        return known or next(iter(found), None)

    def add_deletion(self, deletion: PendingDeletion) -> None:
        """Add a deletion that begins."""
        if len(self.deletions) >= MAX_PENDING:
            finished = next((each for each in self.deletions if not each.is_busy), None)
            if finished is not None:
                self.deletions.remove(finished)
        self.deletions.append(deletion)

    @never_raise
    def _read_before(self, writes: tuple[Write, ...]) -> None:
        for verb, table in writes:
            if self.saves and verb == "UPDATE":
                self._read_before_update(table)
            for each in tuple(self.deletions):
                each.read_before(verb, table)

    def _read_before_update(self, table: str) -> None:
        """Read what the save that the statement belongs to needs: it may be a receiver's."""
        instance = _saved_instance()
        if instance is not None:
            for each in reversed(self.saves):
                if each.instance_ref() is instance:
                    each.read_before(instance, "UPDATE", table)
                    break

    @never_raise
    def _read_after(self, writes: tuple[Write, ...]) -> None:
        for verb, table in writes:
            for each in tuple(self.deletions):
                each.read_after(verb, table)


def _saved_instance() -> Model | None:
    """Return the instance whose save the current statement belongs to, or None."""
    frame: FrameType | None = sys._getframe(1)
    for _step in range(MAX_FRAMES):
        if frame is None or frame.f_code is _SAVE:
            break
        frame = frame.f_back
    is_found = frame is not None and frame.f_code is _SAVE
    return frame.f_locals["self"] if frame is not None and is_found else None


write_listeners: list[Callable[[str, tuple[Write, ...], Any, Any], None]] = []
"""Functions that are called with an alias, writes, the SQL and the cursor, after a write to a table
of a registered model; they must not raise."""

watched_tables: dict[str, list[Any]] = {}
"""The tables of registered models by `table_name()`, each with the registrations."""


table_names: dict[str, str] = {}
"""The names of watched tables as their models have them."""

cascading_tables: dict[str, list[Any]] = {}
"""The tables from which the database itself goes on to those of registered models with triggers."""


def has_triggers_on(writes: Iterable[Write], alias: str) -> bool:
    """Return True if triggers record some of the writes, or what they lead to."""
    return any(
        has_triggers(each, alias)
        for _verb, table in writes
        for each in (*watched_tables.get(table, ()), *cascading_tables.get(table, ()))
    )


def find_writes(sql: Any) -> tuple[Write, ...]:
    """Return verb and table of each write to a table that is watched."""
    text = sql if type(sql) is str else _as_text(sql)
    if text[:6] == "SELECT" and ";" not in text[:MAX_SQL]:
        return ()
    is_plain = text[:6] in _PLAIN and ";" not in text[:MAX_SQL]
    parsed = _first_write(text[:MAX_HEAD]) if is_plain else _all_writes(text[:MAX_SQL])
    return tuple(
        write for write in parsed if write[1] in watched_tables or write[1] in cascading_tables
    )


def _as_text(sql: Any) -> str:
    """Return a statement that was composed by the means of psycopg as text."""
    try:
        return str(sql.as_string(None))
    except Exception:  # noqa: BLE001 (whatever else a driver accepts)
        return str(sql)


_PLAIN = frozenset({"INSERT", "UPDATE", "DELETE"})
"""As Django's statements begin, which write to one table."""


@lru_cache(maxsize=1024)
def _first_write(head: str) -> tuple[Write, ...]:
    found = _WRITE.match(head)
    return (_write_of(found),) if found else _all_writes(head)


def _all_writes(sql: str) -> tuple[Write, ...]:
    found = _SQL.match(sql)
    if found is None or (found[1].upper() in _READS and ";" not in sql):
        return ()
    return tuple(_write_of(match) for match in _WRITE.finditer(_LITERAL.sub("''", sql)))


def _write_of(match: re.Match[str]) -> Write:
    return next(filter(None, match.groups()[:6])).upper(), table_name(match.group(7))


def statements_of(alias: str) -> Statements:
    """Return what watches the statements of this thread's connection."""
    connection: Any = connections[alias]
    watch: Statements | None = connection.__dict__.get(_WATCH)
    if watch is None:
        watch = connection.__dict__[_WATCH] = Statements(connection)
        # The first: `connection.execute_wrapper()` takes the last one away again.
        connection.execute_wrappers.insert(0, watch)
    return watch


@contextmanager
def recorded(alias: str) -> Iterator[None]:
    """Let the block account for what it writes itself."""
    watch = statements_of(alias)
    before, watch.is_recorded = watch.is_recorded, True
    try:
        yield
    finally:
        watch.is_recorded = before
