"""Aggregates of rows: summaries, histograms, percentiles and top values."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal

from django.db.models import Count, JSONField, Q, Sum, TextField, Value
from django.db.models.fields.json import KT
from django.db.models.functions import Cast, NullIf

from trackmate.clock import lowest_uuid7
from trackmate.enums import OTHER
from trackmate.models import ActivityLog
from trackmate.selectors.expressions import BucketIndex
from trackmate.selectors.grouping import FAILED, LATENCIES, MOST_GROUPS, Grouping, count
from trackmate.selectors.keyset import KeyRange

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from django.db.models.expressions import Combinable

    from trackmate.selectors.grouping import GroupedCounts
    from trackmate.selectors.keyset import Rows

Figure = Literal["count", "failed", "mean"]

TOP = 10

SPARSE = ("tenant",)
"""Columns that most projects leave empty, which a `SparseIndex` has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """The number of activities in one bar of a histogram."""

    start: datetime
    end: datetime
    count: int = 0
    failed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Top:
    """The number of activities with the same values."""

    values: tuple[Any, ...]
    """One for each column."""
    count: int
    failed: int
    mean: float | None = None
    """Mean execution time in seconds, where it is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Totals of a time range."""

    count: int = 0
    failed: int = 0
    actors: int = 0
    """Users among the actors."""
    logins: int = 0
    failed_logins: int = 0

    @property
    def failure_rate(self) -> float:
        """The share of failures, from 0 to 1."""
        return self.failed / self.count if self.count else 0.0


def histogram(rows: Rows, bounds: Sequence[datetime]) -> tuple[Bucket, ...]:
    """Count rows between each two neighbours of `bounds`, which are aware and ascending."""
    within = KeyRange.of_times(bounds[0], bounds[-1]).filter(rows)
    return to_buckets(bounds, count_between(within, bounds))


def count_between(rows: Rows, bounds: Sequence[datetime]) -> dict[int, list[int]]:
    """Count rows, and failures, by the index of the inner bounds that they are between."""
    index = BucketIndex("pk", [lowest_uuid7(bound) for bound in bounds[1:-1]])
    return {bucket: sums for (bucket,), sums in count(rows, Grouping(columns=(index,))).items()}


def to_buckets(
    bounds: Sequence[datetime], counted: Mapping[int, Sequence[int]]
) -> tuple[Bucket, ...]:
    """Return buckets for rows and failures by index."""
    return tuple(
        Bucket(start=start, end=end, count=sums[0], failed=sums[1])
        for index, (start, end) in enumerate(pairwise(bounds))
        for sums in [counted.get(index, (0, 0))]
    )


def percentile(counts: Sequence[int], share: float) -> float | None:
    """Return the execution time in seconds that `share` of the rows do not exceed, within a few
    per cent, or None for no rows. `counts` are those of `PeriodStats.latencies()`."""
    wanted = share * sum(counts)
    if not wanted:
        return None
    edges = (0.0, *LATENCIES, LATENCIES[-1])
    passed = 0
    for place, number in enumerate(counts):
        if number and passed + number >= wanted:
            return edges[place] + (edges[place + 1] - edges[place]) * (wanted - passed) / number
        passed += number
    return edges[-1]


def top(rows: Rows, *columns: str, by: Figure = "count", limit: int = TOP) -> tuple[Top, ...]:
    """Return the most frequent values of one or more columns, or those leading in another figure;
    empty values are left out."""
    grouping = Grouping(
        columns=_expressions(columns),
        sums={
            "count": Count("pk"),
            "failed": Count("pk", filter=FAILED),
            "seconds": Sum("execution_time"),
            "timed": Count("execution_time"),
        },
        condition=_condition(columns),
        blank=_blank_values(columns),
    )
    return top_n(to_tops(count(rows, grouping)), by=by, limit=limit)


def counts_of(rows: Rows, tops: Iterable[Top], *columns: str) -> dict[tuple[Any, ...], int]:
    """Return how often the values of `tops` occur in some rows."""
    tops = tuple(tops)
    if not tops:
        return {}
    grouping = Grouping(
        columns=_expressions(columns),
        condition=_condition(columns),
        blank=_blank_values(columns),
    )
    counted = count(rows, grouping)
    return {top.values: counted[top.values][0] for top in tops if top.values in counted}


def _expressions(lookups: Sequence[str]) -> tuple[str | Combinable, ...]:
    """Return lookups as expressions; an empty text in a JSON column is no value, as without one."""
    found = map(value_expression, lookups)
    return tuple(
        each if isinstance(each, str) else NullIf(each, Value("", output_field=TextField()))
        for each in found
    )


def value_expression(lookup: str) -> str | Combinable:
    """Return a lookup as an expression; a key of a JSON column is read as text."""
    if not isinstance(ActivityLog._meta.get_field(lookup.partition("__")[0]), JSONField):
        return lookup
    return Cast(KT(lookup), TextField())


def _condition(columns: Sequence[str]) -> Q:
    """Return the condition by which an index without empty values can be used."""
    is_sparse = len(columns) == 1 and columns[0] in SPARSE
    return Q(**{f"{columns[0]}__isnull": False}) if is_sparse else Q()


def _blank_values(columns: Sequence[str]) -> tuple[Any, ...]:
    fields = (ActivityLog._meta.get_field(name.partition("__")[0]) for name in columns)
    return tuple(None if field.null else "" for field in fields)


def to_tops(counts: GroupedCounts) -> Iterable[Top]:
    """Yield values with their counts."""
    for values, (number, failed, *times) in counts.items():
        mean = times[0] / times[1] if times and times[1] else None
        yield Top(values=values, count=number, failed=failed, mean=mean)


def top_n(tops: Iterable[Top], *, by: Figure = "count", limit: int = TOP) -> tuple[Top, ...]:
    """Return the values that lead in a figure, the highest first."""
    counted = [(getattr(each, by) or 0, each) for each in tops]
    ordered = sorted(counted, key=lambda pair: (-pair[0], str(pair[1].values)))
    return tuple(each for figure, each in ordered[:limit] if figure > 0)


def facets_of(
    columns: Sequence[str], combinations: Iterable[Sequence[Any]]
) -> dict[str, tuple[Top, ...]]:
    """Add up combinations of values, each with its count and failures, for each column."""
    found: dict[str, dict[tuple[Any, ...], list[int]]] = {name: {} for name in columns}
    for *values, number, failed in combinations:
        for name, value in zip(columns, values, strict=True):
            stored = value or OTHER if name == "action_type" else value
            sums = found[name].setdefault((stored,), [0, 0])
            sums[0] += number
            sums[1] += failed
    for counts in found.values():
        counts.pop((None,), None)
        counts.pop(("",), None)
    return {name: top_n(to_tops(sums), limit=MOST_GROUPS) for name, sums in found.items()}
