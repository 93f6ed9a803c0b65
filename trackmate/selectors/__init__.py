"""Answers about rows.

Each takes a queryset that is already limited to what a person may see, and returns plain frozen
values; nothing here counts a whole table or skips rows to reach a page.
"""

from trackmate.selectors.counts import (
    LATENCIES,
    TOP,
    Bucket,
    Summary,
    Top,
    facets,
    facets_of,
    histogram,
    latencies,
    percentile,
    summary,
    top,
)
from trackmate.selectors.filling import fill, fill_all, forget
from trackmate.selectors.loading import Rolled
from trackmate.selectors.orders import CLOCK, NEWEST_FIRST, Order
from trackmate.selectors.pages import (
    LISTED,
    PAGE_SIZE,
    PAYLOAD,
    TICK_CAP,
    Ends,
    Neighbours,
    Page,
    Rows,
    Tick,
    companions,
    ends,
    every_row,
    is_empty,
    neighbours,
    newest,
    object_types,
    oldest,
    one,
    page,
    stream,
    tick,
)
from trackmate.selectors.stretch import Stretch
from trackmate.selectors.summed import rolled, stretches

__all__ = [
    "CLOCK",
    "LATENCIES",
    "LISTED",
    "NEWEST_FIRST",
    "PAGE_SIZE",
    "PAYLOAD",
    "TICK_CAP",
    "TOP",
    "Bucket",
    "Ends",
    "Neighbours",
    "Order",
    "Page",
    "Rolled",
    "Rows",
    "Stretch",
    "Summary",
    "Tick",
    "Top",
    "companions",
    "ends",
    "every_row",
    "facets",
    "facets_of",
    "fill",
    "fill_all",
    "forget",
    "histogram",
    "is_empty",
    "latencies",
    "neighbours",
    "newest",
    "object_types",
    "oldest",
    "one",
    "page",
    "percentile",
    "rolled",
    "stream",
    "stretches",
    "summary",
    "tick",
    "top",
]
