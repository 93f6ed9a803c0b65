"""The rollups of a time range, and those that are missing.

Whole days are read as days, the rest as hours.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby, pairwise
from typing import TYPE_CHECKING

from django.db.models import F, Q, Sum, Window
from django.utils import timezone

from trackmate.clock import aware
from trackmate.models import Invalidation, Rollup
from trackmate.models.rollups import DAY, FORMAT, HOUR
from trackmate.selectors.rollups.contents import RollupData

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

WATERMARK_DELAY = timedelta(hours=1)
"""After the end of an hour, until which transactions that record may still be open."""

LEAST_HOURS = 2
"""A shorter range is counted from its rows."""

MAX_INVALIDATIONS_READ = 1_000
"""From which on no rollup is used until they have been applied."""

MOST_CHARACTERS = 20_000_000
"""Of rollups that are read for one page, the newest first."""

_EPOCH, _HOUR = datetime(1970, 1, 1, tzinfo=UTC), timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Span:
    """A range of hours since 1970, to be covered by rollups of one length."""

    hours: int
    """1 or 24."""
    first: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RollupSet:
    """The rollups of some time ranges."""

    rollups: tuple[RollupData, ...] = ()
    missing: tuple[Span, ...] = ()
    """What can be built and is not there."""


def load_rollups(alias: str, times: Sequence[datetime | None]) -> RollupSet:
    """Return the valid rollups between each two of some times; the last may be None, for now."""
    first, last = times[0], times[-1] or timezone.now()
    if first is None or aware(last) - aware(first) < LEAST_HOURS * _HOUR:
        return RollupSet()
    spans = [span for start, end in pairwise(times) if start for span in _spans(start, end)]
    if not spans:
        return RollupSet()
    # In this order: a rollup built in between has seen the rows of an invalidation.
    invalid = _invalid_hours(alias)
    rollups = {
        (hours, start): text
        for hours, start, text in _stored(alias, spans)
        if not any(low < start + hours and start <= high for low, high in invalid)
    }
    return RollupSet(
        rollups=tuple(
            RollupData(start, hours, text) for (hours, start), text in rollups.items() if text
        ),
        missing=tuple(part for span in spans for part in missing_in(span, rollups)),
    )


def missing_in(span: Span, known: Iterable[tuple[int, int]]) -> Iterator[Span]:
    """Yield the parts of a span that are not among known lengths and starts."""
    starts = range(span.first, span.end, span.hours)
    known = set(known)
    for is_known, group in groupby(starts, lambda start: (span.hours, start) in known):
        if not is_known:
            part = list(group)
            yield Span(span.hours, part[0], part[-1] + span.hours)


def watermark() -> int:
    """Return the hour before which rollups can be built."""
    return floor_hour(aware(timezone.now()) - WATERMARK_DELAY)


def floor_hour(time: datetime) -> int:
    """Return the hour of an aware time, since 1970."""
    return (time - _EPOCH) // _HOUR


def time_of_hour(hour: float) -> datetime:
    """Return when an hour since 1970 begins."""
    return _EPOCH + hour * _HOUR


def _spans(start: datetime, end: datetime | None) -> Iterator[Span]:
    """Split the whole hours between two times into whole days and the hours around them."""
    closed = watermark()
    first = -((_EPOCH - aware(start)) // _HOUR)
    last = closed if end is None else min(floor_hour(aware(end)), closed)
    first_day, last_day = -(-first // DAY) * DAY, last // DAY * DAY
    if first_day < last_day:
        parts = [(HOUR, first, first_day), (DAY, first_day, last_day), (HOUR, last_day, last)]
    else:
        parts = [(HOUR, first, last)]
    for hours, low, high in parts:
        if low < high:
            yield Span(hours, low, high)


def _invalid_hours(alias: str) -> list[tuple[int, int]]:
    rows = Invalidation.objects.using(alias).values_list("first", "last")
    found = list(rows[:MAX_INVALIDATIONS_READ])
    if len(found) == MAX_INVALIDATIONS_READ:
        return [(0, watermark())]
    return found


def _stored(alias: str, spans: Iterable[Span]) -> Iterable[tuple[int, int, str | None]]:
    wanted = Q()
    for span in spans:
        wanted |= Q(hours=span.hours, start__gte=span.first, start__lt=span.end)
    built = Rollup.objects.using(alias).filter(wanted, format=FORMAT).exclude(counts=None)
    newest_first = Window(Sum("size"), order_by=F("start").desc())
    read = built.annotate(total=newest_first).filter(total__lte=MOST_CHARACTERS)
    return read.values_list("hours", "start", "counts")
