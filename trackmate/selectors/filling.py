"""Rollups made, and those removed that rows have changed under.

Whoever makes a rollup claims it first, and only then counts. A late change is noted together with
the change, and settled by removing, in one transaction, the note and every rollup or claim that it
touches. So whoever has counted without the change finds either the claim gone, or the rollup not
believed. Nobody waits for anybody.
"""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from datetime import timedelta
from math import inf
from time import monotonic
from typing import TYPE_CHECKING
from uuid import uuid4

from django.db import transaction
from django.db.models import F, Q, Value
from django.utils import timezone

from trackmate.clock import datetime_of, lowest_uuid7
from trackmate.models import ActivityLog
from trackmate.rollups import DAY, QUARTER, LateChange, Rollup
from trackmate.selectors.loading import (
    closed_until,
    late_ranges,
    listed,
    load,
    moment_at,
    read_documents,
    seconds_of,
)
from trackmate.selectors.tallies import BARS, bar, documents, joined, written

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from datetime import datetime
    from typing import Any

    from trackmate.selectors.loading import Range, Rolled

AT_ONCE = 4
"""Quarters that are counted together; a page that is opened now and then has one to count."""
AT_A_TIME = timedelta(days=7)
"""Days whose missing rollups are looked for together."""
MOST_ENTRIES = 20_000
"""Entries of a rollup that is kept."""
ABANDONED = timedelta(minutes=1)
"""Age of a claim whose process has died."""
SETTLED_AT_ONCE = 200


def fill(
    alias: str,
    rolled: Rolled,
    *,
    seconds: float = inf,
    at_once: int = AT_ONCE,
    guard: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> int:
    """Roll up what is missing, the newest first, and return how many rollups were made; begin
    nothing more after so many seconds, and count rows within a `guard()`.

    Not for the inside of a transaction, where nobody else would see a claim.
    """
    until = monotonic() + seconds
    made = 0
    missing = _since_the_beginning(alias, rolled.missing)
    if missing:
        settle(alias, until=until)
    for part in _in_parts(missing, at_once):
        if monotonic() > until:
            return made
        made += _fill_quarters(alias, part, guard)
    for day in sorted({*rolled.unsummed, *_days_of(missing)}, reverse=True):
        if monotonic() > until:
            return made
        made += _fill_day(alias, day)
    return made


def fill_all(alias: str, *, seconds: float = inf) -> int:
    """Roll up the whole log, the newest week first."""
    until = monotonic() + seconds
    made = 0
    settle(alias, until=until)
    first, end = _beginning(alias), _day_of(timezone.now()) + timedelta(days=1)
    while first is not None and first < end and monotonic() < until:
        start = max(first, end - AT_A_TIME)
        left = until - monotonic()
        made += fill(alias, load(alias, [start, end]), seconds=left, at_once=DAY // QUARTER)
        end = start
    return made


def settle(alias: str, *, until: float = inf) -> None:
    """Remove the rollups that rows have changed under, as far as time allows."""
    late = LateChange.objects.using(alias)
    while monotonic() < until and (
        noted := list(late.values_list("pk", "first", "last")[:SETTLED_AT_ONCE])
    ):
        touched = Q()
        for first, last in _merged((first, last) for _pk, first, last in noted):
            touched |= Q(start__lte=last, start__gt=Value(first) - F("length"))
        with transaction.atomic(using=alias):
            Rollup.objects.using(alias).filter(touched).delete()
            late.filter(pk__in=[pk for pk, _first, _last in noted]).delete()


def _merged(ranges: Iterable[Range]) -> list[Range]:
    merged: list[Range] = []
    for first, last in sorted(ranges):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = merged[-1][0], max(merged[-1][1], last)
        else:
            merged.append((first, last))
    return merged


def forget(alias: str) -> None:
    """Remove every rollup."""
    settle(alias)
    Rollup.objects.using(alias).all().delete()


def _beginning(alias: str) -> datetime | None:
    """Return the beginning of the day that the log begins with."""
    key = ActivityLog.objects.using(alias).order_by("pk").values_list("pk", flat=True).first()
    return None if key is None else _day_of(datetime_of(key))


def _day_of(moment: datetime) -> datetime:
    return moment_at(seconds_of(moment) // DAY * DAY)


def _since_the_beginning(alias: str, missing: Sequence[Range]) -> list[Range]:
    """Leave out the time before there was a log."""
    beginning = _beginning(alias) if missing else None
    if beginning is None:
        return []
    first = seconds_of(beginning)
    return [(max(start, first), end) for start, end in missing if end > first]


def _in_parts(missing: Iterable[Range], at_once: int) -> Iterator[Range]:
    """Yield the missing quarters, so many at once, the newest first."""
    step = at_once * QUARTER
    for start, end in sorted(missing, reverse=True):
        for upper in range(end, start, -step):
            yield max(start, upper - step), upper


def _days_of(missing: Iterable[Range]) -> set[int]:
    """Return the days that missing quarters are of."""
    return {day for start, end in missing for day in range(start // DAY * DAY, end, DAY)}


def _fill_quarters(
    alias: str, part: Range, guard: Callable[[], AbstractContextManager[None]]
) -> int:
    """Count the rows of some quarters."""
    starts = range(*part, QUARTER)
    with _claimed(alias, QUARTER, starts) as claimed:
        if not claimed:
            return 0
        keys = [lowest_uuid7(moment_at(bound)) for bound in (*starts, part[1])]
        with guard():
            found = documents(ActivityLog.objects.using(alias), keys)
        made = {
            start: {**parts, BARS: [bar(parts, start)]}
            for start, parts in zip(starts, found, strict=True)
        }
        return _store(alias, claimed, made)


def _fill_day(alias: str, day: int) -> int:
    """Add up the quarters of a day, if they are all there."""
    part = (day, day + DAY)
    if part[1] > closed_until():
        return 0
    with _claimed(alias, DAY, [day]) as claimed:
        if not claimed:
            return 0
        quarters = read_documents(alias, listed(alias, QUARTER, [part], late_ranges(alias, part)))
        if len(quarters) < DAY // QUARTER:
            return 0
        return _store(alias, claimed, {day: joined(each.parts for each in quarters)})


@contextmanager
def _claimed(alias: str, length: int, starts: Sequence[int]) -> Iterator[list[Rollup]]:
    """Say that rollups are about to be made; yield those that nobody else is making."""
    claim, now = uuid4(), timezone.now()
    there = Rollup.objects.using(alias).filter(length=length, start__in=starts)
    claims = there.filter(figures=None)
    claims.filter(claimed_at__lt=now - ABANDONED).delete()
    Rollup.objects.using(alias).bulk_create(
        [Rollup(length=length, start=start, claim=claim, claimed_at=now) for start in starts],
        ignore_conflicts=True,
    )
    try:
        yield list(there.filter(claim=claim))
    finally:
        claims.filter(claim=claim).delete()


def _store(alias: str, claimed: Sequence[Rollup], made: Mapping[int, Mapping[str, Any]]) -> int:
    """Keep what was counted, unless the claim is gone by now."""
    for rollup in claimed:
        found = made[rollup.start]
        rollup.entries = sum(map(len, found.values()))
        # Nearly every row has a user of its own, and there is nothing to sum up.
        rollup.figures = "" if rollup.entries > MOST_ENTRIES else written(found)
    return Rollup.objects.using(alias).bulk_update(claimed, ["entries", "figures"])
