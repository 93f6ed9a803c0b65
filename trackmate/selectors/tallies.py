"""Tallies: sums by the values of a few columns, which can be added up and kept as text.

A rollup keeps those of a stretch of time; the same query counts them for rows that no rollup
tells of, so that both add up to what all rows together give.
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from django.db.models import Count, Q, Sum, Value

from trackmate.enums import ActionType
from trackmate.models import ActivityLog
from trackmate.selectors.counts import FAILED, LATENCIES
from trackmate.selectors.expressions import Place, Unindexed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from django.db.models import Aggregate
    from django.db.models.expressions import Combinable

    from trackmate.selectors.pages import Rows

Tally = dict[tuple[Any, ...], list[Any]]
"""Sums by values."""

_REFUSED = FAILED & Q(action_type=ActionType.LOGIN_FAILED)
_LATENCY = "latency"


def _counts() -> dict[str, Aggregate]:
    return {"count": Count("pk"), "failed": Count("pk", filter=FAILED)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One thing that is counted."""

    columns: tuple[str, ...]
    sums: Mapping[str, Aggregate] = field(default_factory=_counts)
    empty: tuple[Any, ...] = ()
    """What stands in the last columns of rows that do not count."""


PARTS = {
    "kinds": Part(columns=("source", "action_type", "status", "status_code", "method")),
    "actors": Part(columns=("actor", "actor_label"), empty=(None, "")),
    "routes": Part(
        columns=("source", "route"),
        sums={**_counts(), "seconds": Sum("execution_time"), "timed": Count("execution_time")},
        empty=("",),
    ),
    "addresses": Part(
        columns=("ip_address",),
        sums={**_counts(), "refused": Count("pk", filter=_REFUSED)},
        empty=(None,),
    ),
    "times": Part(columns=(_LATENCY,), sums={"count": Count("pk")}),
}
BARS = "bars"
"""Of a document: when a quarter of an hour began, how many rows it has, and how many failed."""


def tally(rows: Rows, name: str) -> Tally:
    """Count one part of some rows."""
    return {values: sums for _place, values, sums in _grouped(rows, name, Value(0))}


def documents(rows: Rows, keys: Sequence[Any]) -> list[dict[str, list[Any]]]:
    """Count all parts of the rows between each two neighbours of some primary keys."""
    within = rows.filter(pk__gte=keys[0], pk__lt=keys[-1])
    found: list[dict[str, list[Any]]] = [{name: [] for name in PARTS} for _key in keys[1:]]
    for name in PARTS:
        for place, values, sums in _grouped(within, name, Place("pk", keys[1:-1])):
            found[place][name].append([*values, *sums])
    return found


def bar(document: Mapping[str, list[Any]], start: int) -> list[Any]:
    """Return the bar of the quarter that a document is of."""
    return [start, *map(sum, zip([0, 0], *(kind[-2:] for kind in document["kinds"]), strict=True))]


def added(tallies: Iterable[Tally]) -> Tally:
    """Add tallies up."""
    total: Tally = {}
    for each in tallies:
        for values, sums in each.items():
            former = total.get(values)
            total[values] = (
                sums if former is None else [a + b for a, b in zip(former, sums, strict=True)]
            )
    return total


def joined(documents: Iterable[Mapping[str, list[Any]]]) -> dict[str, list[Any]]:
    """Add documents up."""
    entries: dict[str, list[Tally]] = defaultdict(list)
    bars: list[Any] = []
    for each in documents:
        bars += each[BARS]
        for name in PARTS:
            entries[name].append(read(each, name))
    joined: dict[str, list[Any]] = {
        name: [[*values, *sums] for values, sums in added(tallies).items()]
        for name, tallies in entries.items()
    }
    return {**joined, BARS: bars}


def read(document: Mapping[str, list[Any]], name: str) -> Tally:
    """Return one part of a document."""
    entries = document[name]
    if name == "actors":
        # A key that is no number is text by now.
        return {(_key_of(actor), label): sums for actor, label, *sums in entries}
    width = len(PARTS[name].columns)
    return {tuple(entry[:width]): entry[width:] for entry in entries}


def written(document: Mapping[str, list[Any]]) -> str:
    """Return a document as text."""
    return json.dumps(document, default=str, separators=(",", ":"), ensure_ascii=False)


def _key_of(value: Any) -> Any:
    return value if value is None else _actor().to_python(value)


@cache
def _actor() -> Any:
    return ActivityLog._meta.get_field("actor").target_field


def _grouped(
    rows: Rows, name: str, place: Combinable
) -> Iterator[tuple[int, tuple[Any, ...], list[Any]]]:
    """Yield places, values and sums."""
    part = PARTS[name]
    if name == "times":
        rows = rows.filter(execution_time__isnull=False)
        columns: dict[str, Any] = {_LATENCY: Place("execution_time", LATENCIES)}
    else:
        columns = {f"value{index}": Unindexed(each) for index, each in enumerate(part.columns)}
    grouped = rows.order_by().annotate(place=place, **columns).values_list("place", *columns)
    for found in grouped.annotate(**part.sums):
        values = found[1 : 1 + len(columns)]
        if not part.empty or values[-len(part.empty) :] != part.empty:
            yield found[0], values, [number or 0 for number in found[1 + len(columns) :]]
