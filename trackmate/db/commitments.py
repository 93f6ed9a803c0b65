"""What a transaction has done: delivered when it commits, and known to be rolled back if it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, compress
from typing import Any
from weakref import ref

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from trackmate.db.transactions import is_in_transaction, needs_manual_commit

MAX_PENDING = 1_000
"""So many things that a transaction has done are looked through at first."""


class Commitment:
    """Knows whether what was done on a connection until now has been rolled back.

    A transaction that is still open, such as that of a test case, counts as kept.
    """

    # Not by `on_commit()`: tests of projects count its callbacks.

    def __init__(self, alias: str) -> None:
        connection = connections[alias]
        self.is_kept = True
        self.is_delivered = False
        if is_in_transaction(connection):
            _uncommitted(connection).add(self)

    def roll_back(self) -> None:
        """Called when it is rolled back; those that were done last come first."""
        self.is_kept = False

    @property
    def is_over(self) -> bool:
        """Return True if nobody wants to know any more."""
        return self.is_delivered


class _Kept(Commitment):
    """What was done on another connection, and is kept there."""

    def __init__(self) -> None:
        self.is_kept = True
        self.is_delivered = False


_KEPT = _Kept()


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


def deliver_afterwards(
    alias: str, items: Sequence[Any], deliver: Callable[[list[Any]], object]
) -> None:
    """Call `deliver` when the transaction of a connection has ended, whether it is kept or not."""
    connection = connections[alias]
    if not _is_committed_later(connection):
        deliver([*items])
        return
    uncommitted = _uncommitted(connection)
    uncommitted.deliver = deliver
    uncommitted.waits_for_autocommit = not needs_manual_commit(connection)
    uncommitted.waiting += [(_KEPT, each) for each in items]


def hold(alias: str, holder: object) -> None:
    """Let what is done on a connection wait for `release()`: it belongs together.

    Without a transaction nothing waits, since nothing would end the wait if there is no release.
    """
    connection = connections[alias]
    if is_in_transaction(connection):
        _uncommitted(connection).holders.append(holder)


def release(alias: str, holder: object) -> None:
    """End what `hold()` began, and deliver what waits for nothing else."""
    uncommitted = _uncommitted(connections[alias])
    uncommitted.holders[:] = [each for each in uncommitted.holders if each is not holder]
    uncommitted.after_savepoint_commit(None)


def call_at_end(alias: str, function: Callable[[], object]) -> None:
    """Call a function, which must not raise, once when the current transaction ends either way."""
    connection = connections[alias]
    if is_in_transaction(connection):
        at_end = _uncommitted(connection).at_end
        if function not in at_end:
            at_end.append(function)


def deliver_waiting(alias: str, *, at_least: int) -> None:
    """Deliver what waits for a commit already now, within the transaction, if it is so much.

    What was done before the current savepoint waits, since it stays if that is rolled back.
    """
    uncommitted = _uncommitted(connections[alias])
    if len(uncommitted.waiting) - uncommitted.left >= at_least and not uncommitted.holders:
        uncommitted.deliver_inner()


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
    limit: int = MAX_PENDING
    """So many are looked through for those that nobody wants to know about any more."""
    savepoints: dict[Any, int] = field(default_factory=dict)
    """How much had been done when each savepoint was made."""
    waiting: list[tuple[Commitment, Any]] = field(default_factory=list)
    """What is delivered when the transaction commits."""
    at_end: list[Callable[[], object]] = field(default_factory=list)
    holders: list[object] = field(default_factory=list)
    """What several deliveries belong to, and is not complete yet."""
    deliver: Callable[[list[Any]], object] = len
    left: int = 0
    """How much of what waits could not be delivered before the commit."""
    waits_for_autocommit: bool = False
    """Whether an atomic block turns autocommit on again after its commit: only then would anything
    that is written be kept."""

    def add(self, commitment: Commitment) -> None:
        """Add something that was done; a long transaction does not keep all of it."""
        if len(self.pending) >= self.limit:
            is_wanted = [not each.is_over for each in self.pending]
            places = [0, *accumulate(is_wanted)]
            self.savepoints = {name: places[place] for name, place in self.savepoints.items()}
            self.pending[:] = compress(self.pending, is_wanted)
            self.limit = max(MAX_PENDING, 2 * len(self.pending))
        self.pending.append(commitment)

    def after_savepoint(self, savepoint: Any) -> None:
        if savepoint is not None:
            self.savepoints[savepoint] = len(self.pending)

    def after_savepoint_commit(self, savepoint: Any) -> None:
        # With those within it.
        while savepoint in self.savepoints and self.savepoints.popitem()[0] != savepoint:
            pass
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
        for commitment, _item in self.waiting:
            commitment.is_delivered = True
        self.waiting.clear()
        self.left = 0
        if waiting:
            self.deliver(waiting)

    def deliver_inner(self) -> None:
        """Deliver what waits and was done since the last savepoint that is still open."""
        waiting, start = self.waiting, next(reversed(self.savepoints.values()), 0)
        inner = {id(each) for each in self.pending[start:]}
        self.waiting = [each for each in waiting if id(each[0]) in inner]
        left = [each for each in waiting if id(each[0]) not in inner and each[0].is_kept]
        self.deliver_kept()
        self.waiting, self.left = [*left, *self.waiting], len(left)

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
        try:
            result = getattr(type(connection), name)(connection, *args, **kwargs)
        except BaseException:
            if name == "set_autocommit" and connection.autocommit:
                # It is on, and one of the callbacks of `on_commit()` has failed.
                note(connection.autocommit)
            raise
        # The savepoint, or what autocommit is set to.
        note(next(iter((*args, *kwargs.values())), result))
        return result

    return watched
