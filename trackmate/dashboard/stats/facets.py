"""The facets of a list: its histogram, and the top values of each dimension."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from trackmate import selectors
from trackmate.dashboard import formatting
from trackmate.dashboard.db.results import QueryResult, run_query
from trackmate.dashboard.dimensions import dimensions
from trackmate.dashboard.http import permissions
from trackmate.dashboard.stats import histogram
from trackmate.dashboard.stats.periods import load_periods
from trackmate.dashboard.stats.top_values import TopValue, TopValues, build_values, top_values
from trackmate.dashboard.tables.activity_list import list_params
from trackmate.dashboard.time_ranges import preset
from trackmate.enums import ActionType

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from django.http import HttpRequest

    from trackmate.dashboard.dimensions import Dimension
    from trackmate.dashboard.entities import EntityPage
    from trackmate.dashboard.search.filters import ActivityFilters
    from trackmate.dashboard.stats.histogram import Histogram
    from trackmate.dashboard.time_ranges import TimeRange
    from trackmate.selectors import PeriodStats, Rows, Top

    _Counts = dict[str, tuple[Top, ...]]

GROUPED = ("status", "action_type", "status_code", "method", "source")
"""Dimensions with few values, which one query counts together."""

PERCENTILES = {
    0.5: gettext_lazy("Median"),
    0.95: gettext_lazy("95th percentile"),
    0.99: gettext_lazy("99th percentile"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Facets:
    """The facets of one list, ready to be shown."""

    url: str
    """The list."""
    histogram: QueryResult
    panels: tuple[TopValues, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Builder:
    """Builds the panels of one list."""

    period: PeriodStats
    previous: PeriodStats
    page: EntityPage
    params: Mapping[str, str]

    def panels(self, request: HttpRequest) -> Iterator[TopValues]:
        page = self.page
        if page.type == "request":
            # Its few rows say it all.
            return
        if page.type == "route":
            yield self._durations()
        if page.type == "address":
            yield self._accounts()
        for dimension in dimensions().values():
            is_counted = dimension.facet_fields and dimension.name not in (*GROUPED, page.type)
            if is_counted and permissions.may_see(request, dimension):
                panel = self._top_values(dimension)
                if panel.values or panel.result.state or not dimension.hides_empty_facet:
                    yield panel
        yield from self._grouped()

    def _top_values(self, dimension: Dimension) -> TopValues:
        fields = dimension.facet_fields or ()

        def read() -> tuple[TopValue, ...]:
            tops = self.period.top_values(*fields)
            previous = self.previous.counts_for(tops, *fields)
            return self._values(dimension.name, tops, previous)

        return TopValues(title=str(dimension.label), column=_("Activities"), result=run_query(read))

    def _grouped(self) -> Iterator[TopValues]:
        result = run_query(
            lambda: (
                _with_classes(self.period.facets(*GROUPED)),
                _with_classes(self.previous.facets(*GROUPED)),
            )
        )
        counts: _Counts = result.value[0] if result.value else {}
        previous: _Counts = result.value[1] if result.value else {}
        titles = {name: str(dimensions()[name].label) for name in GROUPED}
        for facet, title in {**titles, "status_class": _("Status class")}.items():
            values = self._values(
                "status_code" if facet == "status_class" else facet,
                counts.get(facet, ())[: selectors.TOP],
                {top.values: top.count for top in previous.get(facet, ())},
            )
            yield TopValues(
                title=title,
                column=_("Activities"),
                result=QueryResult(value=values, state=result.state),
            )

    def _values(
        self, name: str, tops: tuple[Top, ...], previous: Mapping[tuple[Any, ...], int]
    ) -> tuple[TopValue, ...]:
        return build_values(tops, name=name, params=self.params, page=self.page, previous=previous)

    def _durations(self) -> TopValues:
        return TopValues(
            title=_("Duration"),
            column=_("Activities"),
            result=run_query(lambda: tuple(_durations(self.period.latencies()))),
        )

    def _accounts(self) -> TopValues:
        """Return the accounts that an address tried to log in to."""
        action_type = ActionType.LOGIN_FAILED.value
        refused = self.period.rows.filter(action_type=action_type)
        return top_values(
            _("Accounts tried"),
            lambda: selectors.top(refused, "object_id", "object_repr", by="failed"),
            name="object",
            params={**self.params, "action_type": action_type},
            page=self.page,
            by="failed",
            column=_("Failed logins"),
        )


def build_facets(rows: Rows, filters: ActivityFilters, request: HttpRequest) -> Facets | None:
    """Return the facets of a list, or None if its filters are not valid."""
    if not filters.is_valid():
        return None
    params, page = list_params(filters, request.GET), filters.page
    time_range = filters.time_range
    previous, period = load_periods(filters.filter_any_time(rows), time_range)
    builder = _Builder(period=period, previous=previous, page=page, params=params)
    return Facets(
        url=page.url(params),
        histogram=run_query(partial(_histogram, period, previous, time_range, page, params)),
        panels=tuple(builder.panels(request)),
    )


def _histogram(
    period: PeriodStats,
    previous: PeriodStats,
    time_range: TimeRange,
    page: EntityPage,
    params: Mapping[str, str],
) -> Histogram:
    if time_range.is_unlimited:
        first = selectors.oldest(period.all_rows)
        time_range = preset("24h") if first is None else replace(time_range, start=first)
    return histogram.build_histogram(period, previous, time_range, page, params)


def _with_classes(facets: _Counts) -> _Counts:
    """Add the classes of status codes, "5xx"."""
    codes = ((f"{top.values[0] // 100}xx", top.count, top.failed) for top in facets["status_code"])
    return facets | selectors.facets_of(["status_class"], codes)


def _durations(counts: tuple[int, ...]) -> Iterator[TopValue]:
    """Yield percentiles, then how many rows took how long."""
    for share, label in PERCENTILES.items():
        if (seconds := selectors.percentile(counts, share)) is not None:
            yield TopValue(label=str(label), number=formatting.format_duration(seconds))
    spread = [sum(counts[index : index + 2]) for index in range(0, len(counts), 2)]
    edges = [0.0, *selectors.LATENCIES[1::2]]
    for index, count in enumerate(spread):
        if count:
            yield TopValue(
                label=_format_class(edges, index),
                number=formatting.format_number(count),
                share=100 * count // max(spread),
            )


def _format_class(edges: list[float], index: int) -> str:
    """Return the text of a class of durations: "2.9 to 5.8 s"."""
    low, high = edges[index], edges[index + 1] if index + 1 < len(edges) else None
    if high is None:
        return _("%(low)s or more") % {"low": formatting.format_duration(low)}
    if not index:
        return _("up to %(high)s") % {"high": formatting.format_duration(high)}
    return _("%(low)s to %(high)s") % {
        "low": formatting.format_duration(low),
        "high": formatting.format_duration(high),
    }
