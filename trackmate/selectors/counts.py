"""Rows counted: over time, by a column, by how long they took. One query each."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal

from django.db.models import Avg, Count, Q

from trackmate.clock import lowest_uuid7
from trackmate.enums import OTHER, ActionType, Status
from trackmate.selectors.expressions import Place, Unindexed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from django.db.models.expressions import Combinable

    from trackmate.selectors.pages import Rows

Figure = Literal["count", "failed", "mean"]

TOP = 10
MOST_COMBINATIONS = 2_000

LATENCIES = tuple(2 ** (power / 2) / 1000 for power in range(34))
"""Bounds between classes of execution times, in seconds: from 1 ms to 92 s, each 1.41 times the
one before."""

FAILED = Q(status=Status.FAILED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """How many activities fall into one stretch of time."""

    start: datetime
    end: datetime
    count: int = 0
    failed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Top:
    """How many activities have the same values."""

    values: tuple[Any, ...]
    """One for each column that was asked."""
    count: int
    failed: int
    mean: float | None = None
    """Mean execution time in seconds, where that was asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What rows come to in a few figures."""

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
    keys = [lowest_uuid7(bound) for bound in bounds]
    within = rows.filter(pk__gte=keys[0], pk__lt=keys[-1])
    return buckets(bounds, _counted(within, Place("pk", keys[1:-1])))


def buckets(bounds: Sequence[datetime], found: Mapping[int, tuple[int, int]]) -> tuple[Bucket, ...]:
    """Return buckets out of rows and failures by their place."""
    counted = (found.get(place, (0, 0)) for place in range(len(bounds) - 1))
    return tuple(
        Bucket(start=start, end=end, count=count, failed=failed)
        for (start, end), (count, failed) in zip(pairwise(bounds), counted, strict=True)
    )


def by_time(rows: Rows, edges: Sequence[datetime]) -> Iterator[tuple[datetime, tuple[int, int]]]:
    """Yield how many rows lie behind each of some edges and before the next, and how many failed;
    the first edge lies before them all."""
    found = _counted(rows, Place("pk", [lowest_uuid7(each) for each in edges[1:]]))
    for place, sums in found.items():
        yield edges[place], sums


def latencies(rows: Rows) -> tuple[int, ...]:
    """Count rows by execution time, in the classes between `LATENCIES` and beyond its ends."""
    timed = rows.filter(execution_time__isnull=False)
    found = _counted(timed, Place("execution_time", LATENCIES))
    return tuple(found.get(place, (0, 0))[0] for place in range(len(LATENCIES) + 1))


def percentile(counts: Sequence[int], share: float) -> float | None:
    """Return the execution time in seconds that `share` of the rows counted by `latencies()` do
    not exceed, to a few per cent, or None for no rows."""
    wanted = share * sum(counts)
    if not wanted:
        return None
    edges = (0.0, *LATENCIES, LATENCIES[-1])
    passed = 0
    for place, count in enumerate(counts):
        if count and passed + count >= wanted:
            return edges[place] + (edges[place + 1] - edges[place]) * (wanted - passed) / count
        passed += count
    return edges[-1]


def summary(rows: Rows) -> Summary:
    """Return the figures of some rows."""
    found = rows.order_by().aggregate(
        count=Count("pk"),
        failed=Count("pk", filter=FAILED),
        actors=Count("actor_id", distinct=True),
        logins=Count("pk", filter=Q(action_type=ActionType.LOGIN)),
        failed_logins=Count("pk", filter=Q(action_type=ActionType.LOGIN_FAILED)),
    )
    return Summary(**found)


def top(rows: Rows, *columns: str, by: Figure = "count", limit: int = TOP) -> tuple[Top, ...]:
    """Return the values of one or more columns that lead in a figure; empty ones are left out.

    Only where the mean execution time leads is it worth its cost.
    """
    means = {"mean": Avg("execution_time")} if by == "mean" else {}
    values = {f"value{place}": Unindexed(name) for place, name in enumerate(columns)}
    leading = (
        rows.order_by()
        .annotate(**values)
        .exclude(_is_empty(rows, dict(zip(values, columns, strict=True))))
        .values_list(*values)
        .annotate(count=Count("pk"), failed=Count("pk", filter=FAILED), **means)
        .filter(**{f"{by}__gt": 0})
        .order_by(f"-{by}", *values)
    )
    width = len(columns)
    return tuple(
        Top(
            values=tuple(found[:width]),
            **dict(zip(("count", "failed", "mean"), found[width:], strict=False)),
        )
        for found in leading[:limit]
    )


def having(rows: Rows, tops: Iterable[Top], *columns: str) -> dict[tuple[Any, ...], int]:
    """Count rows that have the values of one of `tops`."""
    wanted = Q()
    for each in tops:
        wanted |= Q(**dict(zip(columns, each.values, strict=True)))
    if not wanted:
        return {}
    counted = rows.filter(wanted).order_by().values_list(*columns).annotate(count=Count("pk"))
    return {tuple(values): count for *values, count in counted}


def facets(rows: Rows, *columns: str) -> dict[str, tuple[Top, ...]]:
    """Return how often each value of some columns with few of them occurs, by one query for all:
    the database counts the combinations, of which there are not many either, unless a client
    makes methods up: then the most frequent ones count."""
    values = {f"value{place}": Unindexed(name) for place, name in enumerate(columns)}
    combined = rows.order_by().annotate(**values).values_list(*values)
    counted = combined.annotate(count=Count("pk"), failed=Count("pk", filter=FAILED))
    return facets_of(columns, counted.order_by("-count")[:MOST_COMBINATIONS])


def facets_of(
    columns: Sequence[str], combinations: Iterable[Sequence[Any]]
) -> dict[str, tuple[Top, ...]]:
    """Sum combinations of values, each with its count and its failures, up for each column."""
    found: dict[str, dict[Any, list[int]]] = {name: {} for name in columns}
    for *values, count, failed in combinations:
        for name, value in zip(columns, values, strict=True):
            asked = value or OTHER if name == "action_type" else value
            sums = found[name].setdefault(asked, [0, 0])
            sums[0] += count
            sums[1] += failed
    return {name: _ordered(sums) for name, sums in found.items()}


def leading(tops: Iterable[Top], *, by: Figure = "count", limit: int = TOP) -> tuple[Top, ...]:
    """Return the first of values that were counted, as `top()` orders them."""
    counted = [(getattr(each, by) or 0, each) for each in tops]
    ordered = sorted(counted, key=lambda pair: (-pair[0], str(pair[1].values)))
    return tuple(each for figure, each in ordered[:limit] if figure > 0)


def _ordered(sums: dict[Any, list[int]]) -> tuple[Top, ...]:
    counted = (
        Top(values=(value,), count=count, failed=failed)
        for value, (count, failed) in sums.items()
        if value not in (None, "")
    )
    return leading(counted, limit=MOST_COMBINATIONS)


def _is_empty(rows: Rows, columns: Mapping[str, str]) -> Q:
    empty = Q()
    for alias, name in columns.items():
        is_null = rows.model._meta.get_field(name).null
        empty &= Q(**{f"{alias}__isnull": True} if is_null else {alias: ""})
    return empty


def _counted(rows: Rows, place: Combinable) -> dict[int, tuple[int, int]]:
    grouped = rows.order_by().annotate(place=place).values_list("place")
    counted = grouped.annotate(count=Count("pk"), failed=Count("pk", filter=FAILED))
    return {place: (count, failed) for place, count, failed in counted}
