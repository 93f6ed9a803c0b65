"""Figures of a stretch of time from rollups as far as these reach, and from rows for the rest.

Where no rollup helps, as with anything about filtered rows, they all come from the rows.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from itertools import chain, pairwise
from typing import TYPE_CHECKING, Any

from django.db.models import Q

from trackmate.clock import aware, lowest_uuid7
from trackmate.enums import ActionType, Source, Status
from trackmate.rollups import QUARTER
from trackmate.selectors import counts
from trackmate.selectors.bounds import tightened
from trackmate.selectors.counts import LATENCIES, Summary, Top
from trackmate.selectors.expressions import Unindexed
from trackmate.selectors.loading import (
    Rolled,
    bars_of,
    full_seconds_of,
    gaps,
    load,
    moment_at,
    seconds_of,
)
from trackmate.selectors.pages import newest
from trackmate.selectors.stretch import Stretch
from trackmate.selectors.tallies import PARTS, added, tally

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from trackmate.models import ActivityLog
    from trackmate.selectors.counts import Bucket, Figure
    from trackmate.selectors.loading import Document
    from trackmate.selectors.pages import Rows
    from trackmate.selectors.tallies import Tally

MOST_GAPS = 16
"""Ranges of rows that are read beside the rollups."""

FAILED = Status.FAILED
_KIND = PARTS["kinds"].columns


TALLIES = {
    ("actor", "actor_label"): "actors",
    ("route",): "routes",
    ("ip_address",): "addresses",
}
"""Which tally tells of the values that lead in some columns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RolledStretch(Stretch):
    """A stretch that rollups tell of, but for a rest of its rows."""

    rest: Rows
    documents: tuple[Document, ...]
    rolled: Rolled
    """All rollups at hand, those of other stretches too."""
    tallies: dict[str, Tally] = field(default_factory=dict)
    """What has been counted already."""

    def summary(self) -> Summary:
        kinds = self._tally("kinds")
        return Summary(
            count=sum(count for count, _failed in kinds.values()),
            failed=sum(failed for _count, failed in kinds.values()),
            actors=len({actor for actor, _label in self._tally("actors") if actor is not None}),
            logins=_of_type(kinds, ActionType.LOGIN),
            failed_logins=_of_type(kinds, ActionType.LOGIN_FAILED),
        )

    def latencies(self) -> tuple[int, ...]:
        times = self._tally("times")
        return tuple(times.get((place,), [0])[0] for place in range(len(LATENCIES) + 1))

    def histogram(self, bounds: Sequence[datetime]) -> tuple[Bucket, ...]:
        inner = bounds[1:-1]
        first, last = full_seconds_of(bounds[0]), seconds_of(bounds[-1]) - QUARTER
        bars = [bar for bar in bars_of(self.rolled.documents) if first <= bar[0] <= last]
        rest = gaps(bounds[0], bounds[-1], [(bar[0], bar[0] + QUARTER) for bar in bars])
        if len(rest) > MOST_GAPS or not all(map(_is_a_quarter, inner)):
            return counts.histogram(self.every, bounds)
        # Only the bars that rows are read for are told apart by the database.
        edges = sorted({start for start, _end in rest} | _inside(rest, inner))
        counted = counts.by_time(_within(self.every, rest), edges)
        known = ((moment_at(start), sums) for start, *sums in bars)
        found: dict[int, tuple[int, int]] = {}
        for moment, (count, failed) in chain(counted, known):
            place = bisect_right(inner, moment)
            former = found.get(place, (0, 0))
            found[place] = former[0] + count, former[1] + failed
        return counts.buckets(bounds, found)

    def newest_failures(self, number: int) -> tuple[ActivityLog, ...]:
        start = _since(bars_of(self.documents), number)
        if start is None:
            return Stretch.newest_failures(self, number)
        rows = tightened(self.rows.filter(pk__gte=lowest_uuid7(moment_at(start))))
        return newest(rows.alias(outcome=Unindexed("status")).filter(outcome=FAILED), number)

    def facets(self, *columns: str) -> dict[str, tuple[Top, ...]]:
        places = [_KIND.index(name) for name in columns]
        kinds = self._tally("kinds").items()
        found = ((*(values[place] for place in places), *sums) for values, sums in kinds)
        return counts.facets_of(columns, found)

    def having(self, tops: tuple[Top, ...], *columns: str) -> dict[tuple[Any, ...], int]:
        sums = self._tally(TALLIES[columns]).items()
        width = len(columns)
        # A tally may tell of more columns before those that lead.
        found = added({values[-width:]: [count]} for values, (count, *_more) in sums)
        return {top.values: found[top.values][0] for top in tops if top.values in found}

    def actors(self) -> tuple[Top, ...]:
        return counts.leading(self._tops("actors"))

    def routes(self, *, by: Figure = "count", source: Source | None = None) -> tuple[Top, ...]:
        wanted = {
            values: sums
            for values, sums in self._tally("routes").items()
            if source is None or values[0] == source
        }
        of_any_source = added({(route,): sums} for (_source, route), sums in wanted.items())
        return counts.leading((_route(*each) for each in of_any_source.items()), by=by)

    def addresses(self) -> tuple[Top, ...]:
        return counts.leading(self._tops("addresses"))

    def refused(self) -> tuple[Top, ...]:
        found = self._tally("addresses").items()
        return counts.leading(
            (
                Top(values=values, count=refused, failed=refused)
                for values, (_count, _failed, refused) in found
            ),
            by="failed",
        )

    def _tops(self, name: str) -> Iterator[Top]:
        for values, (count, failed, *_more) in self._tally(name).items():
            yield Top(values=values, count=count, failed=failed)

    def _tally(self, name: str) -> Tally:
        if name not in self.tallies:
            counted = tally(self.rest, name)
            known = (document.figures.tally(name) for document in self.documents)
            self.tallies[name] = added([counted, *known])
        return self.tallies[name]


def rolled(rows: Rows, *moments: datetime | None) -> Rolled:
    """Return the rollups between the first and the last of some moments, of which only the last
    may be None; nothing is known of rows that are filtered."""
    return load(rows.db, moments) if _is_every(rows) else Rolled()


def stretches(rows: Rows, *moments: datetime | None, rolled: Rolled) -> tuple[Stretch, ...]:
    """Return the stretches between each two neighbours of some moments."""
    return tuple(_stretch(rows, start, end, rolled) for start, end in pairwise(moments) if start)


def _stretch(rows: Rows, start: datetime, end: datetime | None, rolled: Rolled) -> Stretch:
    first, last = full_seconds_of(start), None if end is None else seconds_of(end)
    inside = [
        each
        for each in rolled.documents
        if each.start >= first and (last is None or each.end <= last)
    ]
    rest = gaps(start, end, [(each.start, each.end) for each in inside])
    if not inside or len(rest) > MOST_GAPS:
        return Stretch(every=rows, start=start, end=end)
    return RolledStretch(
        every=rows,
        start=start,
        end=end,
        rest=_within(rows, rest),
        documents=tuple(inside),
        rolled=rolled,
    )


def _is_every(rows: Rows) -> bool:
    """Say whether nothing keeps a row of the log out."""
    query = rows.query
    return not (query.where or query.is_sliced or query.combinator)


def _within(rows: Rows, ranges: Sequence[tuple[datetime, datetime | None]]) -> Rows:
    if not ranges:
        return rows.none()
    within = Q()
    for start, end in ranges:
        one = Q(pk__gte=lowest_uuid7(aware(start)))
        within |= one if end is None else one & Q(pk__lt=lowest_uuid7(aware(end)))
    return rows.filter(within)


def _inside(
    ranges: Sequence[tuple[datetime, datetime | None]], moments: Sequence[datetime]
) -> set[datetime]:
    """Return the moments that lie within one of some ranges."""
    return {
        moment
        for moment in moments
        if any(start < moment and (end is None or moment < end) for start, end in ranges)
    }


def _is_a_quarter(moment: datetime) -> bool:
    seconds = seconds_of(moment)
    return seconds % QUARTER == 0 and moment_at(seconds) == aware(moment)


def _since(bars: Iterable[list[int]], failures: int) -> int | None:
    """Return the beginning of a quarter since which so much has failed, if it has."""
    for start, _count, failed in sorted(bars, reverse=True):
        failures -= failed
        if failures <= 0:
            return start
    return None


def _of_type(kinds: Tally, action_type: ActionType) -> int:
    place = _KIND.index("action_type")
    return sum(count for values, (count, _failed) in kinds.items() if values[place] == action_type)


def _route(values: tuple[str, ...], sums: Sequence[Any]) -> Top:
    count, failed, seconds, timed = sums
    mean = seconds / timed if timed else None
    return Top(values=values, count=count, failed=failed, mean=mean)
