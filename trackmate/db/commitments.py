"""What a transaction has done: delivered when it commits, and known to be rolled back if it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from weakref import ref

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from trackmate.db.transactions import is_in_transaction, needs_manual_commit


class Commitment:
    """Knows whether what was done on a connection until now has been rolled back.

    A transaction that is still open, such as that of a test case, counts as kept.
    """

    # Not by `on_commit()`: tests of projects count its callbacks.

    def __init__(self, alias: str) -> None:
        connection = connections[alias]
        self.is_kept = True
        if is_in_transaction(connection):
            _uncommitted(connection).pending.append(self)

    def roll_back(self) -> None:
        """Called when it is rolled back; those that were done last come first."""
        self.is_kept = False


def deliver_when_kept(alias: str, item: Any, deliver: Callable[[list[Any]], object]) -> None:
    """Call `deliver` with what a transaction has done when it commits, without what it rolled back.

    Without a transaction that is at once, and within that of a test case as if there were none.
    `deliver` must not raise, and is the same for every item.
    """
    connection = connections[alias]
    known: _Uncommitted | None = connection.__dict__.get(_UNCOMMITTED)
    is_held = known is not None and bool(known.holders)
    if not is_held and not _is_committed_later(connection):
        deliver([item])
        return
    uncommitted = _uncommitted(connection)
    uncommitted.deliver = deliver
    uncommitted.waits_for_autocommit = not needs_manual_commit(connection)
    uncommitted.waiting.append((Commitment(alias), item))


def hold(alias: str, holder: object) -> None:
    """Let what is done on a connection wait for `release()`: it belongs together."""
    _uncommitted(connections[alias]).holders.append(holder)


def release(alias: str, holder: object) -> None:
    """End what `hold()` began, and deliver what waits for nothing else."""
    uncommitted = _uncommitted(connections[alias])
    uncommitted.holders[:] = [each for each in uncommitted.holders if each is not holder]
    uncommitted.after_savepoint_commit(None)


def call_at_end(alias: str, function: Callable[[], object]) -> None:
    """Call a function, which must not raise, when the current transaction ends either way."""
    connection = connections[alias]
    if is_in_transaction(connection):
        _uncommitted(connection).at_end.append(function)


def deliver_waiting(alias: str, *, at_least: int) -> None:
    """Deliver what waits for a commit already now, within the transaction, if it is so much and
    `hold()` does not keep it together."""
    uncommitted = _uncommitted(connections[alias])
    if len(uncommitted.waiting) >= at_least and not uncommitted.holders:
        uncommitted.deliver_kept()


def _is_committed_later(connection: BaseDatabaseWrapper) -> bool:
    """Return True if a commit, or the end of a savepoint in a test case, is to be waited for."""
    blocks: Any = connection.atomic_blocks
    if not (blocks and blocks[0]._from_testcase):
        return is_in_transaction(connection)
    nested = zip(blocks[1:], connection.savepoint_ids, strict=False)
    return any(sid is not None and not block._from_testcase for block, sid in nested)


@dataclass(slots=True)
class _Uncommitted:
    """What was done in the current transaction of a connection."""

    connection_ref: Callable[[], Any]
    pending: list[Commitment] = field(default_factory=list)
    savepoints: dict[Any, int] = field(default_factory=dict)
    """How much had been done when each savepoint was made."""
    waiting: list[tuple[Commitment, Any]] = field(default_factory=list)
    """What is delivered when the transaction commits."""
    at_end: list[Callable[[], object]] = field(default_factory=list)
    holders: list[object] = field(default_factory=list)
    """What several deliveries belong to, and is not complete yet."""
    deliver: Callable[[list[Any]], object] = len
    waits_for_autocommit: bool = False
    """Whether an atomic block turns autocommit on again after its commit: only then would anything
    that is written be kept."""

    def after_savepoint(self, savepoint: Any) -> None:
        if savepoint is not None:
            self.savepoints[savepoint] = len(self.pending)

    def after_savepoint_commit(self, savepoint: Any) -> None:
        self.savepoints.pop(savepoint, None)
        is_held = bool(self.holders)
        if self.waiting and not is_held and not _is_committed_later(self.connection_ref()):
            self.deliver_kept()

    def after_savepoint_rollback(self, savepoint: Any) -> None:
        # One that is not known was made before anything was done.
        self.holders.clear()
        self._roll_back_to(self.savepoints.get(savepoint, 0))

    def after_rollback(self, _result: None) -> None:
        self.holders.clear()
        self._roll_back_to(0)
        self.after_commit(None)

    def after_commit(self, _result: None) -> None:
        self.pending.clear()
        self.savepoints.clear()
        self.holders.clear()
        at_end, self.at_end = self.at_end, []
        for each in at_end:
            each()
        if self.waiting and not self.waits_for_autocommit:
            self.deliver_kept()

    def after_close(self, _result: None) -> None:
        connection = self.connection_ref()
        if connection.closed_in_transaction or not connection.in_atomic_block:
            self.after_rollback(None)

    def after_set_autocommit(self, autocommit: bool) -> None:  # noqa: FBT001 (Django's argument)
        if autocommit:
            self.waits_for_autocommit = False
            self.after_commit(None)

    def deliver_kept(self) -> None:
        """Deliver what waits and was not rolled back."""
        waiting = [item for commitment, item in self.waiting if commitment.is_kept]
        self.waiting.clear()
        if waiting:
            self.deliver(waiting)

    def _roll_back_to(self, start: int) -> None:
        rolled_back = self.pending[start:]
        del self.pending[start:]
        for each in reversed(rolled_back):
            each.roll_back()


_UNCOMMITTED = "_trackmate_uncommitted"
_WATCHED = (
    "commit",
    "rollback",
    "savepoint",
    "savepoint_commit",
    "savepoint_rollback",
    "set_autocommit",
    "close",
)
"""The methods of a connection that begin or end what can be rolled back."""


def _uncommitted(connection: Any) -> _Uncommitted:
    """Return what the connection's transaction has done; it is watched from now on."""
    if _UNCOMMITTED not in connection.__dict__:
        connection.__dict__[_UNCOMMITTED] = found = _Uncommitted(ref(connection))
        for name in _WATCHED:
            connection.__dict__[name] = _watch(ref(connection), name, found)
    watched: _Uncommitted = connection.__dict__[_UNCOMMITTED]
    return watched


def _watch(
    connection_ref: Callable[[], Any], name: str, uncommitted: _Uncommitted
) -> Callable[..., Any]:
    """Return a method of a connection that also updates the commitments."""
    note = getattr(uncommitted, f"after_{name}")

    def watched(*args: Any, **kwargs: Any) -> Any:
        connection = connection_ref()
        result = getattr(type(connection), name)(connection, *args, **kwargs)
        # The savepoint, or what autocommit is set to.
        note(next(iter((*args, *kwargs.values())), result))
        return result

    return watched
