"""The overview: a time range in numbers, compared with the previous period."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext as _

from trackmate import selectors
from trackmate.dashboard import formatting
from trackmate.dashboard.db.results import QueryResult, run_query
from trackmate.dashboard.entities import EXPLORER, list_url
from trackmate.dashboard.search.filters import TimeRangeFilters
from trackmate.dashboard.stats.histogram import build_histogram
from trackmate.dashboard.stats.periods import load_periods
from trackmate.dashboard.stats.top_values import TopValues, top_values
from trackmate.dashboard.tables.activity_table import ActivityTable
from trackmate.dashboard.tables.display_options import display_options
from trackmate.dashboard.time_ranges import time_params
from trackmate.enums import ActionType, Source, Status

if TYPE_CHECKING:
    from collections.abc import Mapping

    from django.http import QueryDict

    from trackmate.dashboard.tables.display_options import DisplayOptions
    from trackmate.models import ActivityLog
    from trackmate.selectors import PeriodStats, Rows

LATEST = 8
"""Failures, and activities, that the page lists."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One number, and how it has changed."""

    title: str
    value: str
    note: str = ""
    change: str = ""
    tone: str = ""
    """"good" or "bad" for a change that is either."""
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """The page, ready to be shown."""

    filters: TimeRangeFilters
    params: Mapping[str, str] = field(default_factory=dict)
    cards: QueryResult | None = None
    histogram: QueryResult | None = None
    panels: tuple[TopValues, ...] = ()
    failures: QueryResult | None = None
    latest: QueryResult | None = None

    @property
    def is_valid(self) -> bool:
        """Return True if the time range is valid."""
        return bool(self.filters.is_valid())

    @property
    def latest_url(self) -> str:
        """The list of all activities of this time range."""
        return list_url(self.params)

    @property
    def is_live(self) -> bool:
        """Return True if the numbers can change."""
        return self.is_valid and self.filters.time_range.is_open


def build_overview(rows: Rows, query: QueryDict, display: DisplayOptions) -> Overview:
    """Return the overview; nothing is read for a time range that is not valid."""
    filters = TimeRangeFilters(query, rows)
    if not filters.is_valid():
        return Overview(filters=filters)
    time_range = filters.time_range
    params = {**time_params(query), **display_options(query).params}
    previous, period = load_periods(rows, time_range)
    length = str(time_range.short) or _("period")
    return Overview(
        filters=filters,
        params=params,
        cards=run_query(lambda: _Cards(period, previous, length, params).all()),
        histogram=run_query(
            lambda: build_histogram(period, previous, time_range, EXPLORER, params)
        ),
        panels=tuple(_panels(period, params)),
        failures=run_query(lambda: _failures(period, params, display)),
        latest=run_query(lambda: _latest(period, params, display)),
    )


def _panels(period: PeriodStats, params: Mapping[str, str]) -> list[TopValues]:
    routes = partial(period.routes, source=Source.REQUEST)
    refused = {**params, "action_type": ActionType.LOGIN_FAILED.value}
    by_route = partial(top_values, name="route", params=params)
    return [
        top_values(
            _("Top actors"), period.actors, name="actor", params=params, column=_("Activities")
        ),
        by_route(_("Busiest routes"), routes, column=_("Requests")),
        by_route(
            _("Slowest routes"), lambda: routes(by="mean"), by="mean", column=_("Mean duration")
        ),
        by_route(
            _("Routes with most failures"),
            lambda: routes(by="failed"),
            by="failed",
            column=_("Failures"),
        ),
        top_values(
            _("Failed logins by address"),
            period.refused,
            name="address",
            params=refused,
            by="failed",
            column=_("Failed logins"),
        ),
    ]


class _Cards:
    """The cards of a period, compared with the previous one."""

    def __init__(
        self, period: PeriodStats, previous: PeriodStats, length: str, params: Mapping[str, str]
    ) -> None:
        self.now, self.before = period.summary(), previous.summary()
        self.durations, self.previous_durations = period.latencies(), previous.latencies()
        self.length = length
        self.params = params

    def all(self) -> tuple[Card, ...]:
        logins = {"action_type": ActionType.LOGIN.value}
        refused = {"action_type": ActionType.LOGIN_FAILED.value}
        failures = self._count(_("Failures"), "failed", {"status": Status.FAILED.value}, "bad")
        share = formatting.format_share(self.now.failure_rate)
        return (
            self._count(_("Activities"), "count"),
            replace(failures, note=_("%(share)s of all") % {"share": share}),
            self._duration(_("Median response time"), 0.5),
            self._duration(_("95th percentile"), 0.95),
            self._count(_("Active users"), "actors"),
            self._count(_("Logins"), "logins", logins),
            self._count(_("Failed logins"), "failed_logins", refused, "bad"),
        )

    def _count(
        self, title: str, name: str, filters: Mapping[str, str] | None = None, more_is: str = ""
    ) -> Card:
        value, before = getattr(self.now, name), getattr(self.before, name)
        change, tone = self._change(value, before, more_is)
        return Card(
            title=title,
            value=formatting.format_number(value),
            change=change,
            tone=tone,
            url=list_url({**self.params, **(filters or {})}),
        )

    def _duration(self, title: str, share: float) -> Card:
        value = selectors.percentile(self.durations, share)
        before = selectors.percentile(self.previous_durations, share)
        change, tone = self._change(value or 0, before or 0, "bad")
        text = "\N{EN DASH}" if value is None else formatting.format_duration(value)
        return Card(title=title, value=text, change=change, tone=tone, url=list_url(self.params))

    def _change(self, value: float, before: float, more_is: str) -> tuple[str, str]:
        """Return the change, and whether it is good or bad news."""
        if not before:
            return ("", "") if not value else (_("no earlier data"), "")
        change = formatting.format_change(value, before)
        if not change:
            return _("no change"), ""
        tone = more_is if value > before or not more_is else "good"
        return _("%(change)s vs. previous %(length)s") % {
            "change": change,
            "length": self.length,
        }, tone


def _failures(
    period: PeriodStats, params: Mapping[str, str], display: DisplayOptions
) -> ActivityTable | None:
    return _table(
        period.newest_failures(LATEST),
        {**params, "status": Status.FAILED.value},
        display,
        caption=_("Latest failures, newest first"),
        row_prefix="tm-failure",
    )


def _latest(
    period: PeriodStats, params: Mapping[str, str], display: DisplayOptions
) -> ActivityTable | None:
    return _table(
        selectors.newest(period.rows, LATEST),
        params,
        display,
        caption=_("Latest activities, newest first"),
        row_prefix="tm-row",
    )


def _table(
    rows: tuple[ActivityLog, ...],
    params: Mapping[str, str],
    display: DisplayOptions,
    **options: Any,
) -> ActivityTable | None:
    if not rows:
        return None
    return ActivityTable(
        rows,
        object_types=selectors.object_types(rows),
        display=display.with_built_in_columns,
        params=params,
        **options,
    )
