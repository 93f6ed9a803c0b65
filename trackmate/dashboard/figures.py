"""The figures beside a list: its histogram, and what occurs most in it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from trackmate import selectors
from trackmate.dashboard import charts, texts
from trackmate.dashboard.answers import Answer, answer
from trackmate.dashboard.filters import ActivityFilters
from trackmate.dashboard.listing import asked_of
from trackmate.dashboard.panels import Entry, Panel, entries, panel
from trackmate.dashboard.stretches import stretches
from trackmate.dashboard.windows import BEGINNING, preset
from trackmate.enums import ActionType

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from django.http import QueryDict

    from trackmate.dashboard.places import Place
    from trackmate.dashboard.windows import Window
    from trackmate.selectors import Rows, Stretch, Top

    Facets = dict[str, tuple[Top, ...]]

FEW: dict[str, Any] = {
    "status": _("Status"),
    "action_type": _("Action type"),
    "status_code": _("Status code"),
    "method": _("Method"),
    "source": _("Source"),
}
"""Columns with few values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """The figures of one list, ready to be shown."""

    url: str
    """The list that they are of."""
    chart: Answer
    panels: tuple[Panel, ...]


def figures(rows: Rows, filters: ActivityFilters, place: Place, query: QueryDict) -> Figures | None:
    """Return the figures of a list, or None if its question is wrong."""
    if not filters.is_valid():
        return None
    asked = asked_of(filters, query)
    window = filters.window
    before, now = stretches(filters.of_any_time(rows), window)
    return Figures(
        url=place.url(asked),
        chart=answer(lambda: _chart(now, window, place, asked)),
        panels=tuple(_panels(now, before, place, asked)),
    )


def _chart(now: Stretch, window: Window, place: Place, asked: Mapping[str, str]) -> charts.Chart:
    if window.start == BEGINNING:
        first = selectors.oldest(now.every)
        window = preset("24h") if first is None else replace(window, start=first)
    return charts.histogram(now, window, place, asked)


def _panels(
    now: Stretch, before: Stretch, place: Place, asked: Mapping[str, str]
) -> Iterator[Panel]:
    if place.kind == "request":
        # All that there is to know of it stands in its few rows.
        return
    lead = partial(_lead, before, asked=asked, place=place)
    if place.kind == "route":
        yield _latencies(now)
    if place.kind == "address":
        refused = now.rows.filter(action_type=ActionType.LOGIN_FAILED)
        tried = {**asked, "action_type": ActionType.LOGIN_FAILED.value}
        yield panel(
            gettext("Accounts tried"),
            lambda: selectors.top(refused, "actor_label", by="failed"),
            name="actor",
            asked=tried,
            place=place,
            by="failed",
            column=gettext("Failed logins"),
        )
    if place.kind != "route":
        yield lead(gettext("Routes"), now.routes, "route", name="route")
    if place.kind != "actor":
        yield lead(gettext("Actors"), now.actors, "actor", "actor_label", name="actor")
    if place.kind != "address":
        yield lead(gettext("Addresses"), now.addresses, "ip_address", name="address")
    yield from _few(now, before, place, asked)


def _lead(
    before: Stretch,
    title: str,
    find: Callable[[], tuple[Top, ...]],
    *columns: str,
    name: str,
    asked: Mapping[str, str],
    place: Place,
) -> Panel:
    """Return a panel of the values that lead in some columns, and how that has changed."""

    def read() -> tuple[Entry, ...]:
        found = find()
        former = before.having(found, *columns)
        return entries(found, name=name, asked=asked, place=place, former=former)

    return Panel(title=title, column=gettext("Activities"), answer=answer(read))


def _few(now: Stretch, before: Stretch, place: Place, asked: Mapping[str, str]) -> Iterator[Panel]:
    found = answer(lambda: (_with_classes(now.facets(*FEW)), _with_classes(before.facets(*FEW))))
    counted: Facets = found.value[0] if found.value else {}
    former: Facets = found.value[1] if found.value else {}
    for facet, title in (*FEW.items(), ("status_class", _("Status class"))):
        lines = entries(
            counted.get(facet, ())[: selectors.TOP],
            name="status_code" if facet == "status_class" else facet,
            asked=asked,
            place=place,
            former={top.values: top.count for top in former.get(facet, ())},
        )
        yield Panel(
            title=str(title),
            column=gettext("Activities"),
            answer=Answer(value=lines, state=found.state),
        )


def _with_classes(facets: Facets) -> Facets:
    """Add the classes of status codes, "5xx", to what was counted of the codes."""
    codes = ((f"{top.values[0] // 100}xx", top.count, top.failed) for top in facets["status_code"])
    return facets | selectors.facets_of(["status_class"], codes)


def _latencies(now: Stretch) -> Panel:
    return Panel(
        title=gettext("Execution time"),
        column=gettext("Activities"),
        answer=answer(lambda: tuple(_times(now.latencies()))),
    )


def _times(counts: tuple[int, ...]) -> Iterator[Entry]:
    """Say below which time which share of the rows is, and how they are spread."""
    for share in (0.5, 0.95, 0.99):
        if (seconds := selectors.percentile(counts, share)) is not None:
            label = gettext("%(share)s faster than") % {"share": texts.share(share)}
            yield Entry(label=label, number=texts.duration(seconds))
    spread = [sum(counts[place : place + 2]) for place in range(0, len(counts), 2)]
    edges = [0.0, *selectors.LATENCIES[1::2]]
    for seconds, count in zip(edges, spread, strict=False):
        if count:
            label = gettext("from %(time)s") % {"time": texts.duration(seconds)}
            yield Entry(label=label, number=texts.number(count), share=100 * count // max(spread))
