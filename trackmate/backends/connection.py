"""The connection through which a process writes the log.

A log in the database of the project is written through the connection that the thread has anyway:
it knows the tenant, and a transaction of the project's takes the rows with it. A log in a database
of its own is written through one connection for each process, which stays open: threads would each
need a second one, and under ASGI a new one for each request.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from trackmate.conf import get_settings, is_under_test
from trackmate.db.transactions import is_in_transaction


class LogConnection:
    """Puts the right connection in its place while a thread writes; one thread at a time."""

    def __init__(self) -> None:
        self._own: BaseDatabaseWrapper | None = None

    @contextmanager
    def installed(self) -> Iterator[BaseDatabaseWrapper]:
        """Let `connections[alias]` be the connection to write through, and yield it."""
        alias = get_settings().DATABASE
        threads_own = connections[alias]
        # A test looks for rows in its own transaction.
        if alias == DEFAULT_DB_ALIAS or is_under_test() or is_in_transaction(threads_own):
            yield threads_own
            return
        if self._own is None:
            self._own = connections.create_connection(alias)
            # One for all threads, one at a time, and for good.
            self._own.settings_dict = {**self._own.settings_dict, "CONN_MAX_AGE": None}
            self._own.inc_thread_sharing()
        with _replace_connection(threads_own, self._own):
            yield self._own


@contextmanager
def use_committing_connection(alias: str) -> Iterator[None]:
    """Let `connections[alias]` be a connection that commits what is stored inside the block.

    Where the project is in a transaction, or has turned autocommit off, it is another one than the
    thread's: what was removed from the spool must not be rolled back after that.
    """
    threads_own = connections[alias]
    is_of_a_test = threads_own.in_atomic_block and is_under_test()
    if is_of_a_test or not is_in_transaction(threads_own):
        yield
        return
    another = connections.create_connection(alias)
    another.settings_dict = {**another.settings_dict, "AUTOCOMMIT": True}
    with closing(another), _replace_connection(threads_own, another):
        yield


@contextmanager
def _replace_connection(
    threads_own: BaseDatabaseWrapper, other: BaseDatabaseWrapper
) -> Iterator[None]:
    """Let the thread use another connection to the same database inside the block."""
    connections[other.alias] = other
    try:
        yield
    finally:
        connections[other.alias] = threads_own


def existing_connection(alias: str) -> BaseDatabaseWrapper | None:
    """Return the connection that this thread has, if it has one."""
    return getattr(connections._connections, alias, None)  # type: ignore[attr-defined]
