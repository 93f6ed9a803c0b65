"""The transaction state of connections, and savepoints around code of the project."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from typing import Any

from django.db import connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper


def needs_manual_commit(connection: BaseDatabaseWrapper) -> bool:
    """Return True if statements stay uncommitted until the project commits them.

    That is the case if autocommit is off, by `AUTOCOMMIT: False` or `set_autocommit(False)`, even
    within an atomic block. This opens no connection.
    """
    if connection.in_atomic_block:
        return not connection.commit_on_exit
    if connection.connection is None:
        return not connection.settings_dict["AUTOCOMMIT"]
    return not connection.autocommit


def is_in_transaction(connection: BaseDatabaseWrapper) -> bool:
    """Return True if the project has a transaction open on this connection."""
    return connection.in_atomic_block or needs_manual_commit(connection)


def in_transaction(alias: str) -> AbstractContextManager[Any]:
    """Return a block that opens a transaction where there is none.

    Where there is one, an exception of the project leaves it as it is: Django itself knows which
    ones break it.
    """
    is_open = connections[alias].in_atomic_block
    return nullcontext() if is_open else transaction.atomic(using=alias)


class QueryNotAllowedError(Exception):
    """A query was attempted within `no_queries()`."""


@contextmanager
def no_queries() -> Iterator[None]:
    """Raise QueryNotAllowedError for a query inside the block, instead of sending it.

    The connections of this thread are out of reach meanwhile. They are not changed, since threads
    of a test may share them; and Django would count what an execute wrapper refuses as a query.
    """
    # Without creating those that are not used yet.
    storage = connections._connections  # type: ignore[attr-defined]
    hidden = {alias: getattr(storage, alias, None) for alias in connections}
    for alias in hidden:
        connections[alias] = _NO_CONNECTION
    try:
        yield
    finally:
        for alias, connection in hidden.items():
            if connection is None:
                del connections[alias]
            else:
                connections[alias] = connection


class _NoConnection:
    """Takes the place of a connection that must not be used."""

    connection = None

    def __getattr__(self, name: str) -> Any:
        raise QueryNotAllowedError


_NO_CONNECTION: Any = _NoConnection()


@contextmanager
def protected_transactions() -> Iterator[None]:
    """Keep open transactions of this thread usable if a query inside the block fails.

    The first query on each connection in a transaction creates a savepoint; code without queries
    costs none.
    """
    savepoints = [
        _Savepoint(connection)
        for connection in connections.all(initialized_only=True)
        if connection.connection is not None and is_in_transaction(connection)
    ]
    with ExitStack() as stack:
        for savepoint in savepoints:
            stack.enter_context(savepoint.connection.execute_wrapper(savepoint))
        try:
            yield
        except BaseException:
            for savepoint in savepoints:
                savepoint.roll_back()
            raise
        for savepoint in savepoints:
            savepoint.release()


class _Savepoint:
    """Execute wrapper that creates a savepoint before the first query of a connection."""

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        self.connection = connection
        self._needs_rollback = connection.needs_rollback
        self._callbacks = len(connection.run_on_commit)
        self._id: Any = None
        self._is_busy = False

    # By Django's methods, so that `on_commit()` and tenant packages know about it.

    def __call__(
        self,
        execute: Callable[..., Any],
        sql: str,
        params: Any,
        many: bool,  # noqa: FBT001 (Django passes it by position)
        context: Any,
    ) -> Any:
        if self._id is None and not self._is_busy:
            self._is_busy = True
            self._id = self.connection.savepoint()
            self._is_busy = False
        return execute(sql, params, many, context)

    def roll_back(self) -> None:
        """Undo the queries, and make the transaction usable again."""
        self.connection.needs_rollback = self._needs_rollback
        self.connection.run_on_commit[self._callbacks :] = []
        if self._id is not None:
            with suppress(Exception):
                self.connection.savepoint_rollback(self._id)

    def release(self) -> None:
        """Keep the queries, unless one of them failed and its error was swallowed."""
        if self.connection.needs_rollback != self._needs_rollback:
            self.roll_back()
        elif self._id is not None:
            try:
                self.connection.savepoint_commit(self._id)
            except Exception:  # noqa: BLE001 (whatever a driver raises)
                self.roll_back()
