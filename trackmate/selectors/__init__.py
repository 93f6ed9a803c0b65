"""Queries of the activity log.

Each takes a queryset that is limited already to what a user may see, and returns frozen values.
None counts a whole table, or skips rows to reach a page.
"""

from trackmate.selectors.aggregates import (
    TOP,
    Bucket,
    Figure,
    Summary,
    Top,
    facets_of,
    histogram,
    percentile,
    top,
    value_expression,
)
from trackmate.selectors.grouping import LATENCIES
from trackmate.selectors.keyset import ALL_KEYS, CLOCK, NEWEST_FIRST, KeyRange, Order, Rows
from trackmate.selectors.period import PeriodStats, periods, rollups_for
from trackmate.selectors.rollups.builder import build_all, build_rollups, clear
from trackmate.selectors.rollups.reader import RollupSet
from trackmate.selectors.rows import (
    LISTED,
    NEW_CAP,
    PAGE_SIZE,
    PAYLOAD,
    Adjacent,
    NewActivities,
    Page,
    SeenRange,
    adjacent,
    count_new,
    count_up_to,
    every_row,
    is_empty,
    newest,
    object_types,
    oldest,
    one,
    page,
    related,
    seen_range,
    stream,
)

__all__ = [
    "ALL_KEYS",
    "CLOCK",
    "LATENCIES",
    "LISTED",
    "NEWEST_FIRST",
    "NEW_CAP",
    "PAGE_SIZE",
    "PAYLOAD",
    "TOP",
    "Adjacent",
    "Bucket",
    "Figure",
    "KeyRange",
    "NewActivities",
    "Order",
    "Page",
    "PeriodStats",
    "RollupSet",
    "Rows",
    "SeenRange",
    "Summary",
    "Top",
    "adjacent",
    "build_all",
    "build_rollups",
    "clear",
    "count_new",
    "count_up_to",
    "every_row",
    "facets_of",
    "histogram",
    "is_empty",
    "newest",
    "object_types",
    "oldest",
    "one",
    "page",
    "percentile",
    "periods",
    "related",
    "rollups_for",
    "seen_range",
    "stream",
    "top",
    "value_expression",
]
