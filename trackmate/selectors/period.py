"""Stats of a time range, from rollups as far as these reach, and from rows for the rest.

No rollups are used for filtered rows.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from django.db.models import Count, Q

from trackmate.clock import aware
from trackmate.enums import ActionType, Source, Status
from trackmate.selectors import aggregates
from trackmate.selectors.aggregates import Summary, Top, facets_of, to_tops, top_n
from trackmate.selectors.expressions import WithoutIndex
from trackmate.selectors.grouping import GROUPINGS, LATENCIES, MOST_GROUPS, add_up, count
from trackmate.selectors.keyset import KeyRange
from trackmate.selectors.rollups.contents import QUARTER
from trackmate.selectors.rollups.reader import RollupSet, load_rollups
from trackmate.selectors.rows import newest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from trackmate.models import ActivityLog
    from trackmate.selectors.aggregates import Bucket, Figure
    from trackmate.selectors.grouping import GroupedCounts
    from trackmate.selectors.keyset import Rows
    from trackmate.selectors.rollups.contents import RollupData

MOST_GAPS = 16
"""Ranges of rows that are read beside rollups; with more, rollups are not used."""

TYPES = GROUPINGS["types"].columns

COUNTED = {("actor", "actor_label"): "actors", ("route",): "routes", ("ip_address",): "addresses"}
"""Which grouping has the counts of some columns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PeriodStats:
    """The stats of the rows between two times. Each reads the database once, when it is needed."""

    all_rows: Rows
    """The rows of any time."""
    start: datetime
    end: datetime | None = None
    """None for no end."""
    rollups: tuple[RollupData, ...] = ()
    """Those within the period, in order."""
    _counted: dict[str, GroupedCounts] = field(default_factory=dict, init=False)

    @property
    def rows(self) -> Rows:
        """The rows themselves."""
        return KeyRange.of_times(self.start, self.end).filter(self.all_rows)

    def summary(self) -> Summary:
        """Return the totals."""
        types, actors = self._counts("types"), self._counts("actors")
        users = len({actor for actor, _label in actors if actor is not None})
        if len(actors) >= MOST_GROUPS:
            users = self.rows.aggregate(number=Count("actor_id", distinct=True))["number"]
        return Summary(
            count=sum(number for number, _failed in types.values()),
            failed=sum(failed for _number, failed in types.values()),
            actors=users,
            logins=_of_type(types, ActionType.LOGIN),
            failed_logins=_of_type(types, ActionType.LOGIN_FAILED),
        )

    def latencies(self) -> tuple[int, ...]:
        """Count the rows by execution time, between `LATENCIES` and beyond both ends of these."""
        counted = self._counts("latencies")
        return tuple(counted.get((place,), [0])[0] for place in range(len(LATENCIES) + 1))

    def histogram(self, bounds: Sequence[datetime]) -> tuple[Bucket, ...]:
        """Count rows between each two neighbours of `bounds`, also outside of the period."""
        inner = [aware(bound).timestamp() for bound in bounds[1:-1]]
        first, last = (_round(bounds[0], up=True), _round(bounds[-1]))
        covered = [
            (max(each.start, first), min(each.end, last))
            for each in self.rollups
            if each.end > first and each.start < last
        ]
        if not covered or any(bound % QUARTER for bound in inner):
            return aggregates.histogram(self.all_rows, bounds)
        rest = _within(self.all_rows, _gaps(bounds[0], bounds[-1], covered))
        found: dict[int, list[int]] = defaultdict(lambda: [0, 0])
        found.update(aggregates.count_between(rest, bounds))
        for time, number, failed in self._buckets():
            if first <= time < last:
                sums = found[bisect_right(inner, time)]
                sums[0] += number
                sums[1] += failed
        return aggregates.to_buckets(bounds, found)

    def newest_failures(self, number: int) -> tuple[ActivityLog, ...]:
        """Return the newest rows that failed."""
        keys, left = KeyRange.of_times(self.start, self.end), number
        for time, _count, failed in sorted(self._buckets(), reverse=True):
            left -= failed
            if left <= 0:
                # So many have failed since then, and the database need not look further back.
                since = KeyRange.of_times(datetime.fromtimestamp(time, UTC), None)
                rows = keys.intersect(since).filter(self.all_rows)
                rows = rows.alias(outcome=WithoutIndex("status")).filter(outcome=Status.FAILED)
                return newest(rows, number)
        return newest(keys.filter(self.all_rows).filter(status=Status.FAILED), number)

    def facets(self, *columns: str) -> dict[str, tuple[Top, ...]]:
        """Return all values of some columns that have few of them, with their counts."""
        places = [TYPES.index(name) for name in columns]
        types = self._counts("types").items()
        return facets_of(
            columns, ((*(values[place] for place in places), *sums) for values, sums in types)
        )

    def counts_for(self, tops: Iterable[Top], *columns: str) -> dict[tuple[Any, ...], int]:
        """Return the counts of the values of `tops` in this period."""
        if columns not in COUNTED:
            return aggregates.counts_of(self.rows, tops, *columns)
        counted: dict[tuple[Any, ...], int] = defaultdict(int)
        for values, (number, *_more) in self._counts(COUNTED[columns]).items():
            counted[values[-len(columns) :]] += number
        return {top.values: counted[top.values] for top in tops if top.values in counted}

    def top_values(self, *columns: str) -> tuple[Top, ...]:
        """Return the most frequent values of any columns."""
        if columns in COUNTED:
            counted = self._counts(COUNTED[columns])
            width = len(columns)
            sums = ({values[-width:]: sums} for values, sums in counted.items())
            return top_n(to_tops(add_up(sums)))
        return aggregates.top(self.rows, *columns)

    def actors(self) -> tuple[Top, ...]:
        """Return the most active actors."""
        return top_n(to_tops(self._counts("actors")))

    def routes(self, *, by: Figure = "count", source: Source | None = None) -> tuple[Top, ...]:
        """Return the routes that lead in a figure, of all sources or of one."""
        counted = self._counts("routes").items()
        chosen = (
            {(route,): sums} for (each, route), sums in counted if source is None or each == source
        )
        return top_n(to_tops(add_up(chosen)), by=by)

    def refused(self) -> tuple[Top, ...]:
        """Return the addresses with the most failed logins."""
        return top_n(to_tops(self._counts("refused")), by="failed")

    def _counts(self, name: str) -> GroupedCounts:
        if name not in self._counted:
            covered = [(each.start, each.end) for each in self.rollups]
            rest = _within(self.all_rows, _gaps(self.start, self.end, covered))
            counted = [count(rest, GROUPINGS[name]), *(each.counts(name) for each in self.rollups)]
            self._counted[name] = add_up(counted)
        return self._counted[name]

    def _buckets(self) -> Iterator[tuple[int, int, int]]:
        """Yield time (in seconds since 1970), rows and failures of each quarter hour."""
        for each in self.rollups:
            for quarter, number, failed in each.buckets:
                yield quarter * QUARTER, number, failed


def rollups_for(rows: Rows, *times: datetime | None) -> RollupSet:
    """Return the rollups between each two of some times; none for filtered rows."""
    query = rows.query
    is_filtered = query.where or query.is_sliced or query.combinator
    return RollupSet() if is_filtered else load_rollups(rows.db, times)


def periods(
    rows: Rows, *times: datetime | None, rollups: Sequence[RollupData] = ()
) -> tuple[PeriodStats, ...]:
    """Return the stats between each two of some times, of which the last may be None."""
    return tuple(
        _period(rows, start, end, rollups) for start, end in pairwise(times) if start is not None
    )


def _period(
    rows: Rows, start: datetime, end: datetime | None, rollups: Sequence[RollupData]
) -> PeriodStats:
    first = aware(start).timestamp()
    last = None if end is None else aware(end).timestamp()
    within = [
        each for each in rollups if each.start >= first and (last is None or each.end <= last)
    ]
    within.sort(key=lambda each: each.start)
    covered = [(each.start, each.end) for each in within]
    if len(_gaps(start, end, covered)) > MOST_GAPS:
        within = []
    return PeriodStats(all_rows=rows, start=start, end=end, rollups=tuple(within))


def _gaps(
    start: datetime, end: datetime | None, covered: Iterable[tuple[int, int]]
) -> list[KeyRange]:
    """Return what is left of a time range beside ordered parts of it, in seconds since 1970."""
    found = []
    for first, last in covered:
        begin = datetime.fromtimestamp(first, UTC)
        if aware(start) < begin:
            found.append(KeyRange.of_times(start, begin))
        start = datetime.fromtimestamp(last, UTC)
    if end is None or aware(start) < aware(end):
        found.append(KeyRange.of_times(start, end))
    return found


def _within(rows: Rows, ranges: Iterable[KeyRange]) -> Rows:
    condition = Q()
    for each in ranges:
        condition |= each.condition
    return rows.filter(condition) if condition else rows.none()


def _round(time: datetime, *, up: bool = False) -> int:
    """Return the whole quarter hour before or after a time, in seconds since 1970."""
    seconds = aware(time).timestamp()
    return int(-(-seconds // QUARTER) if up else seconds // QUARTER) * QUARTER


def _of_type(types: GroupedCounts, action_type: ActionType) -> int:
    place = TYPES.index("action_type")
    return sum(
        number for values, (number, _failed) in types.items() if values[place] == action_type
    )
