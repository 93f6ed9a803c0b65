"""Grouped counts: rows counted by the values of a few columns, in a form that can be added up."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from django.db.models import Count, F, Q, Sum, Value

from trackmate.enums import ActionType, Status
from trackmate.selectors.expressions import BucketIndex, WithoutIndex

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from django.db.models import Aggregate
    from django.db.models.expressions import Combinable

    from trackmate.selectors.keyset import Rows

GroupedCounts = dict[tuple[Any, ...], list[Any]]
"""Sums by values."""

MOST_GROUPS = 20_000
"""Groups that are read; the largest are."""

FAILED = Q(status=Status.FAILED)

LATENCIES = tuple(2 ** (power / 2) / 1000 for power in range(34))
"""Bounds between buckets of execution times, in seconds: from 1 ms to 92 s, each 1.41 times the
one before."""


def _counts() -> dict[str, Aggregate]:
    return {"count": Count("pk"), "failed": Count("pk", filter=FAILED)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Grouping:
    """What is counted together."""

    columns: tuple[str | Combinable, ...]
    sums: Mapping[str, Aggregate] = field(default_factory=_counts)
    condition: Q = field(default_factory=Q)
    """Which rows are counted."""
    blank: tuple[Any, ...] = ()
    """Values of the last columns of rows that are left out."""


GROUPINGS = {
    "types": Grouping(columns=("source", "action_type", "status", "status_code", "method")),
    "actors": Grouping(
        columns=("actor", "actor_label"),
        # Whoever failed to log in is not known.
        condition=~Q(action_type=ActionType.LOGIN_FAILED),
        blank=(None, ""),
    ),
    "routes": Grouping(
        columns=("source", "route"),
        sums={**_counts(), "seconds": Sum("execution_time"), "timed": Count("execution_time")},
        blank=("",),
    ),
    "addresses": Grouping(columns=("ip_address",), blank=(None,)),
    "refused": Grouping(
        columns=("ip_address",),
        condition=FAILED & Q(action_type=ActionType.LOGIN_FAILED),
        blank=(None,),
    ),
    "latencies": Grouping(
        columns=(BucketIndex("execution_time", LATENCIES),),
        sums={"count": Count("pk")},
        condition=Q(execution_time__isnull=False),
    ),
}


def count(rows: Rows, grouping: Grouping) -> GroupedCounts:
    """Count rows by one query."""
    return {values: sums for _bucket, values, sums in count_by_bucket(rows, grouping, Value(0))}


def count_by_bucket(
    rows: Rows, grouping: Grouping, bucket: Combinable
) -> Iterator[tuple[int, tuple[Any, ...], list[Any]]]:
    """Count rows by one query, and yield a bucket, values and sums for each group."""
    columns = {
        f"value{place}": WithoutIndex(each) if isinstance(each, str) else each
        for place, each in enumerate(grouping.columns)
    }
    grouped = rows.filter(grouping.condition).order_by().annotate(bucket=bucket, **columns)
    counted = (
        grouped.values_list("bucket", *columns)
        .annotate(**grouping.sums)
        .order_by(F("count").desc())
    )
    width, blank = 1 + len(columns), grouping.blank
    for found in counted.order_by(F("count").desc())[:MOST_GROUPS]:
        values = found[1:width]
        if not blank or values[-len(blank) :] != blank:
            yield found[0], values, [number or 0 for number in found[width:]]


def add_up(counts: Iterable[GroupedCounts]) -> GroupedCounts:
    """Return the sum of grouped counts."""
    total: GroupedCounts = {}
    for each in counts:
        for values, sums in each.items():
            previous = total.get(values)
            total[values] = (
                sums if previous is None else [a + b for a, b in zip(previous, sums, strict=True)]
            )
    return total
