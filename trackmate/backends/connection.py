"""The connection that writes the log.

In the default database it is the connection of the thread, which knows the tenant. For a log in
another database it is one persistent connection per process: otherwise each thread would need a
second one, and each request under ASGI a new one.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from trackmate.conf import get_settings, is_under_test
from trackmate.db.transactions import is_in_transaction


class LogConnection:
    """Provides the connection that writes the log, for one thread at a time."""

    def __init__(self) -> None:
        self._shared: BaseDatabaseWrapper | None = None

    @contextmanager
    def installed(self) -> Iterator[BaseDatabaseWrapper]:
        """Make the connection that writes the log `connections[alias]`, and yield it."""
        alias = get_settings().DATABASE
        current = connections[alias]
        # Tests read rows within their transaction.
        if alias == DEFAULT_DB_ALIAS or is_under_test() or is_in_transaction(current):
            yield current
            return
        if self._shared is None:
            self._shared = connections.create_connection(alias)
            # Persistent, and shared by all threads.
            self._shared.settings_dict = {**self._shared.settings_dict, "CONN_MAX_AGE": None}
            self._shared.inc_thread_sharing()
        with _replace_connection(current, self._shared):
            yield self._shared


@contextmanager
def use_committing_connection(alias: str) -> Iterator[None]:
    """Make `connections[alias]` a connection that commits, by a new one if necessary.

    Activities that are removed from the spool must not be rolled back by the project.
    """
    current = connections[alias]
    in_test_transaction = current.in_atomic_block and is_under_test()
    if in_test_transaction or not is_in_transaction(current):
        yield
        return
    another = connections.create_connection(alias)
    another.settings_dict = {**another.settings_dict, "AUTOCOMMIT": True}
    with closing(another), _replace_connection(current, another):
        yield


@contextmanager
def _replace_connection(current: BaseDatabaseWrapper, other: BaseDatabaseWrapper) -> Iterator[None]:
    """Replace the thread's connection inside the block."""
    connections[other.alias] = other
    try:
        yield
    finally:
        connections[other.alias] = current
