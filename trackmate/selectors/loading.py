"""The rollups that there are for a range of time, and what is missing among them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from django.db.models import Q
from django.utils import timezone

from trackmate.clock import aware
from trackmate.rollups import DAY, GRACE, QUARTER, LateChange, Rollup
from trackmate.selectors.tallies import BARS, read

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from trackmate.selectors.tallies import Tally

LEAST_SECONDS = 2 * 3_600
"""A shorter range is quickly counted row by row."""
MOST_QUARTERS = 8 * 96
"""Quarters that are read one by one, the newest first, where their days are not rolled up."""
MOST_LATE = 1_000
"""Notes of late changes that are told apart."""
SMALL, MANY = 8_192, 512
"""Characters of the figures that a process keeps as it has read them, and of how many rollups. A
text says all of them, so what is kept cannot be out of date; it takes 20 MB at most."""
MOST_ENTRIES = 400_000
"""Entries of rollups that are read at once; beyond, the database is quicker."""

_EPOCH, _SECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(seconds=1)

Range = tuple[int, int]
"""From a second since 1970 (included) to another."""


class Figures:
    """The text of a rollup, and what has been read of it."""

    def __init__(self, text: str) -> None:
        self.parts: dict[str, list[Any]] = json.loads(text)
        self._tallies: dict[str, Tally] = {}

    def tally(self, name: str) -> Tally:
        """Return one part."""
        if name not in self._tallies:
            self._tallies[name] = read(self.parts, name)
        return self._tallies[name]


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """What the rows of one stretch come to."""

    start: int
    end: int
    figures: Figures

    @property
    def parts(self) -> dict[str, list[Any]]:
        """All figures, as they were stored."""
        return self.figures.parts


@dataclass(frozen=True, slots=True)
class Listed:
    """A rollup that there is."""

    pk: int
    range: Range
    entries: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Rolled:
    """The rollups of a range of time."""

    documents: tuple[Document, ...] = ()
    missing: tuple[Range, ...] = ()
    """What could be rolled up and is not."""
    unsummed: tuple[int, ...] = ()
    """Beginnings of days whose quarters are all there, and whose own rollup is not."""


def bars_of(documents: Iterable[Document]) -> Iterator[list[int]]:
    """Yield when quarters began, how many rows they have, and how many failed."""
    for document in documents:
        yield from document.parts[BARS]


def load(alias: str, moments: Sequence[datetime | None]) -> Rolled:
    """Return the rollups between the first and the last of some moments that are to be believed.

    No rollup reaches across a moment. What is rolled up at the same time counts as missing.
    """
    whole = closed_between(moments[0], moments[-1])
    if whole is None:
        return Rolled()
    # The changes first: a rollup that was made since knows of them.
    late = late_ranges(alias, whole)
    cuts = [full_seconds_of(moment) for moment in moments if moment is not None]
    wanted = _days_of(whole, cuts)
    days = listed(alias, DAY, wanted, late)
    quarters = listed(alias, QUARTER, without([whole], [each.range for each in days]), late)
    documents = read_documents(alias, [*days, *quarters])
    known = [(each.start, each.end) for each in documents]
    missing = without([whole], known)
    return Rolled(
        documents=documents, missing=tuple(missing), unsummed=_unsummed(wanted, days, missing)
    )


def closed_between(first: datetime | None, last: datetime | None) -> Range | None:
    """Return the whole quarters between two moments that are closed, or None if they are too few
    to matter."""
    if first is None:
        return None
    end = closed_until() if last is None else min(closed_until(), seconds_of(last))
    start, end = -(-full_seconds_of(first) // QUARTER) * QUARTER, end // QUARTER * QUARTER
    return (start, end) if end - start >= LEAST_SECONDS else None


def closed_until() -> int:
    """Return up to when everything may be rolled up."""
    return seconds_of(timezone.now()) - GRACE


def seconds_of(moment: datetime) -> int:
    """Return a moment in seconds since 1970, rounded down."""
    return (aware(moment) - _EPOCH) // _SECOND


def full_seconds_of(moment: datetime) -> int:
    """Return a moment in seconds since 1970, rounded up."""
    return -((_EPOCH - aware(moment)) // _SECOND)


def moment_at(seconds: int) -> datetime:
    """Return the moment so many seconds after 1970 began."""
    return _EPOCH + seconds * _SECOND


def late_ranges(alias: str, whole: Range) -> list[Range]:
    """Return where rows changed after they may have been rolled up."""
    start, end = whole
    late = LateChange.objects.using(alias).filter(first__lt=end, last__gte=start)
    found = late.values_list("first", "last")[:MOST_LATE]
    if len(found) == MOST_LATE:
        # It is quicker to begin anew.
        return [whole]
    return [(first, last + 1) for first, last in found]


def without(wholes: Iterable[Range], parts: Iterable[Range]) -> list[Range]:
    """Return what is left of some ranges without others."""
    taken = sorted(parts)
    left = []
    for start, end in wholes:
        reached = start
        for first, last in taken:
            if last > reached and first < end:
                if first > reached:
                    left.append((reached, first))
                reached = last
        if reached < end:
            left.append((reached, end))
    return left


def gaps(
    start: datetime, end: datetime | None, known: Iterable[Range]
) -> list[tuple[datetime, datetime | None]]:
    """Return what lies from one moment to another outside of some ranges that lie within."""
    start = aware(start)
    found: list[tuple[datetime, datetime | None]] = []
    for first, last in sorted(known):
        if start < moment_at(first):
            found.append((start, moment_at(first)))
        start = moment_at(last)
    if end is None or start < aware(end):
        found.append((start, end))
    return found


def _unsummed(
    wanted: Iterable[Range], days: Iterable[Listed], missing: Iterable[Range]
) -> tuple[int, ...]:
    left = without(wanted, [*(each.range for each in days), *missing])
    return tuple(
        day for start, end in left for day in range(-(-start // DAY) * DAY, end // DAY * DAY, DAY)
    )


def _days_of(whole: Range, cuts: Iterable[int]) -> list[Range]:
    """Return the range of the days that lie within, as far as no cut falls into one of them."""
    start, end = -(-whole[0] // DAY) * DAY, whole[1] // DAY * DAY
    broken = [(cut // DAY * DAY, (cut // DAY + 1) * DAY) for cut in cuts if cut % DAY]
    return without([(start, end)], broken) if start < end else []


def listed(alias: str, length: int, ranges: Iterable[Range], late: Sequence[Range]) -> list[Listed]:
    """Return the rollups of one length within some ranges that nothing has changed under."""
    within = Q()
    for start, end in ranges:
        within |= Q(start__gte=start, start__lt=end)
    if not within:
        return []
    made = Rollup.objects.using(alias).filter(within, length=length).exclude(figures=None)
    found = made.order_by("-start").values_list("pk", "start", "entries")[:MOST_QUARTERS]
    rollups = [Listed(pk, (start, start + length), entries) for pk, start, entries in found]
    return [each for each in rollups if without([each.range], late) == [each.range]]


def read_documents(alias: str, rollups: Sequence[Listed]) -> tuple[Document, ...]:
    """Return the contents of rollups, unless they are too large."""
    if not rollups or sum(each.entries for each in rollups) > MOST_ENTRIES:
        return ()
    made = Rollup.objects.using(alias).filter(pk__in=[each.pk for each in rollups])
    return tuple(
        Document(start=start, end=start + length, figures=_figures(text))
        for start, length, text in made.values_list("start", "length", "figures")
        if text
    )


def _figures(text: str) -> Figures:
    return _small_figures(text) if len(text) <= SMALL else Figures(text)


@lru_cache(maxsize=MANY)
def _small_figures(text: str) -> Figures:
    return Figures(text)
