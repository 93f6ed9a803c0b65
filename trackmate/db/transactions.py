"""What state of a transaction a connection is in, and project code that must not break one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper


def needs_manual_commit(connection: BaseDatabaseWrapper) -> bool:
    """Return True if what is executed now stays uncommitted until the project says so.

    That is where autocommit is off, by `AUTOCOMMIT: False` or `set_autocommit(False)`; an atomic
    block does not change that. Nothing is connected to find out.
    """
    if connection.in_atomic_block:
        return not connection.commit_on_exit
    if connection.connection is None:
        return not connection.settings_dict["AUTOCOMMIT"]
    return not connection.autocommit


def is_in_transaction(connection: BaseDatabaseWrapper) -> bool:
    """Return True if a failing query would break, or a commit would end, somebody's transaction."""
    return connection.in_atomic_block or needs_manual_commit(connection)


@contextmanager
def protected_transactions() -> Iterator[None]:
    """Keep the transactions of this thread whole, whatever queries fail inside the block.

    A savepoint is made by the first query on a connection that is in a transaction, so that code
    without a query costs none.
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
    """Wraps the queries of one connection, and sets a savepoint before the first."""

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        self.connection = connection
        self._needs_rollback = connection.needs_rollback
        self._callbacks = len(connection.run_on_commit)
        self._id: Any = None
        self._is_busy = False

    # By Django's own methods: packages for tenants, and `on_commit()`, have to know of it.

    def __call__(
        self,
        execute: Callable[..., Any],
        sql: str,
        params: Any,
        many: bool,  # noqa: FBT001 (Django hands it over so)
        context: Any,
    ) -> Any:
        if self._id is None and not self._is_busy:
            self._is_busy = True
            self._id = self.connection.savepoint()
            self._is_busy = False
        return execute(sql, params, many, context)

    def roll_back(self) -> None:
        """Undo what the queries did, and what their failure broke."""
        self.connection.needs_rollback = self._needs_rollback
        self.connection.run_on_commit[self._callbacks :] = []
        if self._id is not None:
            with suppress(Exception):
                self.connection.savepoint_rollback(self._id)

    def release(self) -> None:
        """Keep what the queries did, unless one failed and nobody said so."""
        if self.connection.needs_rollback != self._needs_rollback:
            self.roll_back()
        elif self._id is not None:
            try:
                self.connection.savepoint_commit(self._id)
            except Exception:  # noqa: BLE001 (whatever a driver raises)
                self.roll_back()
