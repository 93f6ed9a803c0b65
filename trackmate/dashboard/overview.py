"""The first page: what a range of time came to, and how that compares with the one before."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from django.utils.translation import gettext as _

from trackmate import selectors
from trackmate.dashboard import charts, texts
from trackmate.dashboard.answers import Answer, answer
from trackmate.dashboard.filters import WindowFilters
from trackmate.dashboard.looks import look_of
from trackmate.dashboard.panels import Panel, panel
from trackmate.dashboard.places import EXPLORER, explorer_url
from trackmate.dashboard.stretches import stretches
from trackmate.dashboard.tables import ActivityTable
from trackmate.dashboard.windows import times_of
from trackmate.enums import ActionType, Source, Status

if TYPE_CHECKING:
    from collections.abc import Mapping

    from django.http import QueryDict

    from trackmate.dashboard.looks import Look
    from trackmate.models import ActivityLog
    from trackmate.selectors import Rows, Stretch, Summary

LATEST = 8
"""Failures, and activities, that the page lists."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One figure with its change against the range before."""

    title: str
    value: str
    note: str = ""
    change: str = ""
    tone: str = ""
    """Whether the change is "good" or "bad"; most changes are neither."""
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """The page, ready to be shown."""

    filters: WindowFilters
    asked: Mapping[str, str] = field(default_factory=dict)
    cards: Answer | None = None
    chart: Answer | None = None
    panels: tuple[Panel, ...] = ()
    failures: Answer | None = None
    latest: Answer | None = None

    @property
    def is_valid(self) -> bool:
        """Say whether there is a range of time to tell of."""
        return bool(self.filters.is_valid())

    @property
    def latest_url(self) -> str:
        """The list of all activities of this range of time."""
        return explorer_url(self.asked)

    @property
    def is_live(self) -> bool:
        """Say whether the figures can change."""
        return self.is_valid and self.filters.window.is_open


def overview(rows: Rows, query: QueryDict, look: Look) -> Overview:
    """Return the page that a query string asks for; a wrong question reads nothing."""
    filters = WindowFilters(query, rows)
    if not filters.is_valid():
        return Overview(filters=filters)
    window = filters.window
    asked = {**times_of(query), **look_of(query).said}
    before, now = stretches(rows, window)
    return Overview(
        filters=filters,
        asked=asked,
        cards=answer(lambda: _cards(now, before, asked)),
        chart=answer(lambda: charts.histogram(now, window, EXPLORER, asked)),
        panels=tuple(_panels(now, asked)),
        failures=answer(lambda: _failures_table(now, asked, look)),
        latest=answer(lambda: _latest_table(now, asked, look)),
    )


def _panels(now: Stretch, asked: Mapping[str, str]) -> list[Panel]:
    routes = partial(now.routes, source=Source.REQUEST)
    refused = {**asked, "action_type": ActionType.LOGIN_FAILED.value}
    by_route = partial(panel, name="route", asked=asked)
    return [
        panel(
            _("Top actors"),
            now.actors,
            name="actor",
            asked=asked,
            column=_("Activities"),
        ),
        by_route(_("Busiest routes"), routes, column=_("Requests")),
        by_route(
            _("Slowest routes"),
            lambda: routes(by="mean"),
            by="mean",
            column=_("Mean time"),
        ),
        by_route(
            _("Most failing routes"),
            lambda: routes(by="failed"),
            by="failed",
            column=_("Failures"),
        ),
        panel(
            _("Failed logins by address"),
            now.refused,
            name="address",
            asked=refused,
            by="failed",
            column=_("Failed logins"),
        ),
    ]


def _cards(time: Stretch, earlier: Stretch, asked: Mapping[str, str]) -> tuple[Card, ...]:
    now, before = time.summary(), earlier.summary()
    times, former_times = time.latencies(), earlier.latencies()
    return (
        _count(_("Activities"), now, before, "count", asked),
        _failures(now, before, asked),
        _time(_("Half are faster than"), 0.5, times, former_times, asked),
        _time(_("95 % are faster than"), 0.95, times, former_times, asked),
        _count(_("Active users"), now, before, "actors", asked),
        _count(
            _("Logins"), now, before, "logins", {**asked, "action_type": ActionType.LOGIN.value}
        ),
        _count(
            _("Failed logins"),
            now,
            before,
            "failed_logins",
            {**asked, "action_type": ActionType.LOGIN_FAILED.value},
            more_is="bad",
        ),
    )


def _count(
    title: str,
    now: Summary,
    before: Summary,
    name: str,
    asked: Mapping[str, str],
    *,
    more_is: str = "",
) -> Card:
    value, former = getattr(now, name), getattr(before, name)
    change, tone = _change(value, former, more_is)
    return Card(
        title=title, value=texts.number(value), change=change, tone=tone, url=explorer_url(asked)
    )


def _failures(now: Summary, before: Summary, asked: Mapping[str, str]) -> Card:
    card = _count(
        _("Failures"),
        now,
        before,
        "failed",
        {**asked, "status": Status.FAILED.value},
        more_is="bad",
    )
    note = _("%(share)s of all") % {"share": texts.share(now.failure_rate)}
    return replace(card, note=note)


def _time(
    title: str,
    share: float,
    now: tuple[int, ...],
    before: tuple[int, ...],
    asked: Mapping[str, str],
) -> Card:
    value, former = selectors.percentile(now, share), selectors.percentile(before, share)
    change, tone = _change(value or 0, former or 0, "bad")
    shown = "\N{EN DASH}" if value is None else texts.duration(value)
    return Card(title=title, value=shown, change=change, tone=tone, url=explorer_url(asked))


def _change(value: float, former: float, more_is: str) -> tuple[str, str]:
    """Return the change, and whether it is good or bad news."""
    if not former:
        return ("", "") if not value else (_("none before"), "")
    change = texts.change(value, former)
    if not change:
        return _("as before"), ""
    tone = more_is if value > former or not more_is else "good"
    return _("%(change)s vs. before") % {"change": change}, tone


def _failures_table(now: Stretch, asked: Mapping[str, str], look: Look) -> ActivityTable | None:
    question = {**asked, "status": Status.FAILED.value}
    caption = _("Latest failures, newest first")
    found = now.newest_failures(LATEST)
    return _table(found, question, look, caption, row_name="tm-failure")


def _latest_table(now: Stretch, asked: Mapping[str, str], look: Look) -> ActivityTable | None:
    found = selectors.newest(now.rows, LATEST)
    return _table(found, asked, look, _("Latest activities, newest first"), row_name="tm-row")


def _table(
    found: tuple[ActivityLog, ...],
    asked: Mapping[str, str],
    look: Look,
    caption: str,
    *,
    row_name: str,
) -> ActivityTable | None:
    if not found:
        return None
    types = selectors.object_types(found)
    return ActivityTable(
        found,
        caption=caption,
        look=look.with_usual_columns,
        types=types,
        asked=asked,
        row_name=row_name,
    )
