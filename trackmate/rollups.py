"""Rollups: what closed stretches of time came to, so that nobody counts the same rows twice.

A stretch is closed a while after its end. Rows that come, change or go late leave a `LateChange` in
their own transaction, and no rollup that a late change touches is believed. So recording costs no
query more, unless it is late. `selectors.filling` makes rollups,
`selectors.loading` reads them.

They last a quarter of an hour, since every bar of a histogram over half a day or more, in every
time zone, is made of whole quarters; and a day, since a month of quarters is much to read.
"""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from functools import partial
from time import time
from typing import TYPE_CHECKING, Any, ClassVar

from django.db import connections, models, transaction
from django.utils import timezone

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator
    from uuid import UUID

QUARTER, DAY = 900, 86_400
"""Lengths of rollups, in seconds."""

LATE, GRACE = 300, 900
"""Seconds after which a row is late, and seconds after its end when a stretch is closed. What lies
between is for clocks that go wrong and for statements that wait."""

MOST_NOTES = 8
"""Notes of one batch; a history that is imported is one stretch rather than many."""

_VERSION_AND_VARIANT = (7 << 76) | (2 << 62)


class Rollup(models.Model):
    """The figures of the rows of one stretch of time."""

    id = models.BigAutoField(primary_key=True)
    length = models.PositiveIntegerField()
    start = models.BigIntegerField()
    claim = models.UUIDField()
    claimed_at = models.DateTimeField(default=timezone.now)
    entries = models.PositiveIntegerField(default=0)
    figures = models.TextField(null=True)  # noqa: DJ001 (NULL: somebody is counting)

    objects: ClassVar[models.Manager[Rollup]] = models.Manager()

    class Meta:
        default_permissions = ()
        constraints = (
            # which rollups are there; and two that count at once do not both store
            models.UniqueConstraint(fields=["length", "start"], name="trackmate_rollup_once"),
        )

    def __str__(self) -> str:
        return f"{self.length} s from {self.start}"


class LateChange(models.Model):
    """Rows between two moments (in seconds since 1970, both included) came, changed or went after
    they may have been rolled up."""

    id = models.BigAutoField(primary_key=True)
    first = models.BigIntegerField()
    last = models.BigIntegerField()

    objects: ClassVar[models.Manager[LateChange]] = models.Manager()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.first} to {self.last}"


def is_late(*keys: UUID) -> bool:
    """Say whether one of these rows is late, so that its change needs a note in its transaction."""
    return bool(keys) and min(keys).int >> 80 < (time() - LATE) * 1000


@contextmanager
def noted(keys: Collection[UUID], using: str) -> Iterator[None]:
    """Change rows inside the block; a note of it is part of the same transaction."""
    with transaction.atomic(using=using, savepoint=False) if is_late(*keys) else nullcontext():
        yield
        note(keys, using)


def note(keys: Iterable[UUID], using: str) -> None:
    """Take note of rows that came or went, in the transaction of that, if they are late."""
    late, fresh = set(), []
    for key in keys:
        if is_late(key):
            late.add(_second(key) // QUARTER)
        else:
            fresh.append(key)
    if late:
        runs = _runs(late)
        if len(runs) > MOST_NOTES:
            runs = [(min(late), max(late))]
        LateChange.objects.using(using).bulk_create(
            LateChange(first=first * QUARTER, last=(last + 1) * QUARTER - 1) for first, last in runs
        )
    if fresh:
        _look_again(partial(note, fresh, using), using)


def note_between(first: UUID, last: UUID, using: str) -> None:
    """Take note that rows from one key to another changed, in the transaction of that."""
    if is_late(first):
        LateChange.objects.using(using).create(first=_second(first), last=_second(last))
    else:
        _look_again(partial(note_between, first, last, using), using)


def _look_again(at: Callable[[], None], using: str) -> None:
    """Look again when somebody's transaction ends: what is not late by now may be so then."""
    connection: Any = connections[using]
    # That of a test case is never committed, and tests count what waits for a commit.
    if connection.in_atomic_block and not connection.atomic_blocks[0]._from_testcase:
        transaction.on_commit(at, using=using, robust=True)


def _second(key: UUID) -> int:
    # As keys compare with `lowest_uuid7`, even those that are of another version.
    return (key.int - _VERSION_AND_VARIANT >> 80) // 1000


def _runs(numbers: Iterable[int]) -> list[tuple[int, int]]:
    """Return the first and the last of numbers that follow each other."""
    runs: list[tuple[int, int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][1] + 1:
            runs[-1] = runs[-1][0], number
        else:
            runs.append((number, number))
    return runs
