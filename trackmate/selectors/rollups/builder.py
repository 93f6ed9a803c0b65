"""Building rollups, and deleting those that are out of date.

A rollup is stored empty first, and then filled with what was counted. An invalidation is committed
together with the change that it is about, and applied by deleting, in one transaction, itself and
the rollups of its hours. So whoever has counted without the change either finds the empty rollup
gone, or fills one that readers do not use. Nobody waits for a lock.
"""

from __future__ import annotations

from contextlib import nullcontext
from math import inf
from time import monotonic
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import Q

from trackmate.clock import datetime_of, lowest_uuid7
from trackmate.models import ActivityLog, Invalidation, Rollup
from trackmate.models.rollups import DAY, FORMAT, HOUR
from trackmate.selectors.expressions import BucketIndex
from trackmate.selectors.grouping import GROUPINGS, MOST_GROUPS, Grouping, count_by_bucket
from trackmate.selectors.keyset import KeyRange
from trackmate.selectors.rollups.contents import BUCKETS, QUARTER, to_json
from trackmate.selectors.rollups.reader import (
    Span,
    floor_hour,
    missing_in,
    time_of_hour,
    watermark,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from contextlib import AbstractContextManager

    from trackmate.selectors.keyset import Rows

BATCH_HOURS, BATCH_ROWS = 7 * DAY, MOST_GROUPS
"""What is counted together, at most; a single hour or day can have more rows."""

RECENT_HOURS = 3 * DAY
"""For which `build_all` builds hours beside days."""

APPLIED_AT_ONCE = 200

PER_HOUR = 3600 // QUARTER


def build_all(alias: str, *, seconds: float = inf) -> int:
    """Build all rollups that are missing, as `build_rollups()` does."""
    until, end = monotonic() + seconds, watermark()
    apply_invalidations(alias, until=until)
    first = _oldest_hour(alias, otherwise=end)
    spans = [Span(HOUR, end - RECENT_HOURS, end), Span(DAY, first // DAY * DAY, end // DAY * DAY)]
    built = Rollup.objects.using(alias).filter(format=FORMAT).exclude(counts=None)
    known = set(built.values_list("hours", "start"))
    missing = [part for span in spans for part in missing_in(span, known)]
    return build_rollups(alias, missing, seconds=until - monotonic())


def build_rollups(
    alias: str,
    missing: Iterable[Span],
    *,
    seconds: float = inf,
    guard: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> int:
    """Build missing rollups, the newest first, and return how many were stored.

    No batch is begun after so many seconds, and rows are counted within a `guard()`. This must not
    run inside a transaction, where nobody else would see an empty rollup.
    """
    until = monotonic() + seconds
    apply_invalidations(alias, until=until)
    first, stored = _oldest_hour(alias, otherwise=watermark()), 0
    missing = [span for span in missing if span.end > first]
    for span in sorted(missing, key=lambda span: (span.hours, -span.end)):
        for batch in _batches(alias, span):
            if monotonic() > until:
                return stored
            stored += _build(alias, batch, guard)
    return stored


def clear(alias: str) -> None:
    """Delete all rollups."""
    apply_invalidations(alias)
    Rollup.objects.using(alias).all().delete()


def apply_invalidations(alias: str, *, until: float = inf) -> None:
    """Delete the rollups that are out of date, as long as there is time."""
    invalidations = Invalidation.objects.using(alias)
    while monotonic() < until and (
        found := list(invalidations.values_list("pk", "first", "last")[:APPLIED_AT_ONCE])
    ):
        outdated = Q()
        for _pk, first, last in found:
            outdated |= Q(hours=HOUR, start__gte=first, start__lte=last)
            outdated |= Q(hours=DAY, start__gt=first - DAY, start__lte=last)
        with transaction.atomic(using=alias):
            Rollup.objects.using(alias).filter(outdated).delete()
            invalidations.filter(pk__in=[pk for pk, _first, _last in found]).delete()


def _oldest_hour(alias: str, *, otherwise: int) -> int:
    keys = ActivityLog.objects.using(alias).order_by("pk").values_list("pk", flat=True)
    oldest = keys.first()
    return otherwise if oldest is None else floor_hour(datetime_of(oldest))


def _batches(alias: str, span: Span) -> Iterator[Span]:
    """Yield the parts of a span, the newest first; longer times without rows are skipped."""
    end = span.end
    while end > span.first:
        newest = _newest_hour(_keys(alias, span.first, end))
        if newest is None:
            return
        latest = _floor(newest, span)
        end = min(end, latest + BATCH_HOURS)
        first = max(span.first, end - BATCH_HOURS)
        beyond = _newest_hour(_keys(alias, first, end)[BATCH_ROWS:])
        if beyond is not None:
            first = min(_floor(beyond, span) + span.hours, latest)
        yield Span(span.hours, first, end)
        end = first


def _keys(alias: str, first: int, end: int) -> Any:
    keys = ActivityLog.objects.using(alias).order_by("-pk").values_list("pk", flat=True)
    return KeyRange.of_times(time_of_hour(first), time_of_hour(end)).filter(keys)


def _newest_hour(keys: Any) -> int | None:
    found = keys[:1]
    return floor_hour(datetime_of(found[0])) if found else None


def _floor(hour: int, span: Span) -> int:
    return hour // span.hours * span.hours


def _build(alias: str, span: Span, guard: Callable[[], AbstractContextManager[None]]) -> int:
    """Count the rows of a batch, and store its rollups unless they were deleted meanwhile."""
    starts = range(span.first, span.end, span.hours)
    rollups = Rollup.objects.using(alias).filter(hours=span.hours, start__in=starts)
    rollups.exclude(format=FORMAT).delete()
    rollups.bulk_create(
        [Rollup(hours=span.hours, start=start) for start in starts], ignore_conflicts=True
    )
    empty = list(rollups.filter(format=FORMAT, counts=None))
    with guard():
        texts = _count(ActivityLog.objects.using(alias), span)
    for rollup in empty:
        rollup.counts = texts[rollup.start]
        rollup.size = len(rollup.counts)
    return rollups.bulk_update(empty, ["counts", "size"])


def _count(rows: Rows, span: Span) -> dict[int, str]:
    """Return the contents of the rollups of a span by their starts."""
    starts = range(span.first, span.end, span.hours)
    keys = [lowest_uuid7(time_of_hour(hour)) for hour in (*starts, span.end)]
    rows = KeyRange(keys[0], keys[-1]).filter(rows)
    index = BucketIndex("pk", keys[1:-1])
    parts: list[dict[str, list[list[Any]]]] = [
        {name: [] for name in (*GROUPINGS, BUCKETS)} for _start in starts
    ]
    for name, grouping in GROUPINGS.items():
        for bucket, values, sums in count_by_bucket(rows, grouping, index):
            parts[bucket][name].append([*values, *sums])
    for quarter, count, failed in _count_by_quarter(rows, span):
        parts[(quarter // PER_HOUR - span.first) // span.hours][BUCKETS].append(
            [quarter, count, failed]
        )
    # Where groups are left out by the database, there is nothing to be gained.
    return {
        start: "" if any(len(groups) >= MOST_GROUPS for groups in part.values()) else to_json(part)
        for start, part in zip(starts, parts, strict=True)
    }


def _count_by_quarter(rows: Rows, span: Span) -> Iterator[tuple[int, int, int]]:
    first, end = span.first * PER_HOUR, span.end * PER_HOUR
    bounds = [lowest_uuid7(time_of_hour(quarter / PER_HOUR)) for quarter in range(first + 1, end)]
    for bucket, _values, (count, failed) in count_by_bucket(
        rows, Grouping(columns=()), BucketIndex("pk", bounds)
    ):
        yield first + bucket, count, failed
