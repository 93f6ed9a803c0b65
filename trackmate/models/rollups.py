"""Pre-aggregated counts for past hours and days, and which of them are out of date."""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from time import time
from typing import TYPE_CHECKING, ClassVar

from django.db import models, transaction

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from uuid import UUID

FORMAT = 1
"""Version of what `Rollup.counts` contains. Readers ignore any other; builders replace it."""

LATE = 300
"""Seconds after the end of its hour from which on a row needs an invalidation."""

MOST_INVALIDATIONS = 8
"""For one write; more hours than that become a single range."""

HOUR, DAY = 1, 24
"""Lengths of rollups, in hours."""

_VERSION_AND_VARIANT = (7 << 76) | (2 << 62)


class Rollup(models.Model):
    """The counts of one hour or one day, in UTC."""

    # Never used twice: a builder whose rollup was deleted in the meantime stores nothing.
    id = models.BigAutoField(primary_key=True)
    hours = models.PositiveSmallIntegerField()
    """The length: 1 or 24."""
    start = models.BigIntegerField()
    """In hours since 1970."""
    format = models.PositiveSmallIntegerField(default=FORMAT)
    size = models.PositiveIntegerField(default=0)
    """Characters of `counts`."""
    counts = models.TextField(null=True)  # noqa: DJ001 (NULL: being built; "": too many groups)

    objects: ClassVar[models.Manager[Rollup]] = models.Manager()

    class Meta:
        default_permissions = ()
        constraints = (
            models.UniqueConstraint(fields=["hours", "start"], name="trackmate_rollup_once"),
        )

    def __str__(self) -> str:
        return f"{self.hours} h from {self.start}"


class Invalidation(models.Model):
    """Rows of these hours (since 1970, both included) were added, changed or deleted late."""

    id = models.BigAutoField(primary_key=True)
    first = models.BigIntegerField()
    last = models.BigIntegerField()

    objects: ClassVar[models.Manager[Invalidation]] = models.Manager()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.first} to {self.last}"


@contextmanager
def invalidate_rollups(
    keys: Iterable[UUID], using: str, *, is_range: bool = False
) -> Iterator[None]:
    """Context manager that invalidates the rollups covering the rows that it changes.

    The invalidation is part of the same transaction. Rows of the current hour need none: no
    rollup covers them yet. With `is_range`, all between the lowest and the highest key change.
    """
    open_hour = int(time() - LATE) // 3600
    hours = set(map(_hour_of, keys))
    late = {hour for hour in hours if hour < open_hour}
    with transaction.atomic(using=using, savepoint=False) if late else nullcontext():
        yield
        if is_range or len(late) > MOST_INVALIDATIONS:
            ranges = [(min(late), max(hours))] if late else []
        else:
            ranges = [(hour, hour) for hour in late]
        if ranges:
            Invalidation.objects.using(using).bulk_create(
                Invalidation(first=first, last=last) for first, last in ranges
            )


def _hour_of(key: UUID) -> int:
    # As keys compare with `lowest_uuid7()`, even those of another version.
    return (key.int - _VERSION_AND_VARIANT >> 80) // 3_600_000
