"""Panels of the values that occur most; each is a query with a timeout of its own."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from html import escape
from typing import TYPE_CHECKING, Any

from django.utils.safestring import mark_safe
from django.utils.text import Truncator
from django.utils.translation import gettext as _

from trackmate.activity import actor_name
from trackmate.dashboard import formatting
from trackmate.dashboard.db.results import QueryResult, run_query
from trackmate.dashboard.dimensions import dimensions
from trackmate.dashboard.entities import (
    EXPLORER,
    account_token,
    actor_token,
    entity_url,
    with_query,
)
from trackmate.dashboard.search.active_filters import excluding_params
from trackmate.dashboard.time_ranges import time_params
from trackmate.enums import Status

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from django.utils.safestring import SafeString

    from trackmate.dashboard.entities import EntityPage
    from trackmate.selectors import Figure, Top


@dataclass(frozen=True, slots=True, kw_only=True)
class TopValue:
    """One value, with its number."""

    label: str
    page_url: str = ""
    """The page about it, if it has one."""
    url: str = ""
    """The activities that have it, if a filter can select them."""
    number: str
    exclude_url: str = ""
    """The list without them."""
    failed: int = 0
    failed_url: str = ""
    share: int = 0
    """Of the greatest number, in per cent."""
    change: str = ""
    """Since the previous period, where that was counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TopValues:
    """The values under one heading."""

    title: str
    column: str
    """What the numbers are."""
    result: QueryResult

    @property
    def values(self) -> tuple[TopValue, ...]:
        """The values, if there are any."""
        return self.result.value or ()

    @property
    def body(self) -> SafeString:
        """The values as rows of a table: there are a hundred on a page."""
        labels = {
            "change": escape(_("since the previous period")),
            "exclude": escape(_("Exclude")),
            "failed": escape(_("Failed")),
        }
        return mark_safe("".join(_row(value, labels) for value in self.values))  # noqa: S308 (escaped)


def top_values(
    title: str,
    find: Callable[[], tuple[Top, ...]],
    *,
    name: str,
    params: Mapping[str, str],
    page: EntityPage = EXPLORER,
    by: Figure = "count",
    column: str,
) -> TopValues:
    """Return the panel of what `find` returns.

    `name` is the dimension that the values are of, `params` are those of the list on `page` that
    they link to, and `by` is the number that is shown.
    """
    build = partial(build_values, name=name, params=params, page=page, by=by)
    return TopValues(title=title, column=column, result=run_query(lambda: build(find())))


def build_values(
    tops: tuple[Top, ...],
    *,
    name: str,
    params: Mapping[str, str],
    page: EntityPage = EXPLORER,
    by: Figure = "count",
    previous: Mapping[tuple[Any, ...], int] | None = None,
) -> tuple[TopValue, ...]:
    """Return values with their links; `previous` are the counts of the previous period."""
    build = partial(
        _value,
        name=name,
        params=params,
        list_url=page.url(),
        by=by,
        greatest=max((getattr(top, by) or 0 for top in tops), default=0),
        previous=previous,
    )
    return tuple(build(top) for top in tops)


def _value(
    top: Top,
    *,
    name: str,
    params: Mapping[str, str],
    list_url: str,
    by: Figure,
    greatest: float,
    previous: Mapping[tuple[Any, ...], int] | None,
) -> TopValue:
    value, label = _value_and_label(name, top)
    dimension = dimensions()[name]
    can_filter, fits = dimension.can_filter(value), len(value) <= dimension.max_length
    failed_url = with_query(list_url, {**params, name: value, "status": Status.FAILED.value})
    url = failed_url if by == "failed" else with_query(list_url, {**params, name: value})
    number = getattr(top, by) or 0
    return TopValue(
        label=Truncator(label).chars(dimension.max_length),
        page_url=entity_url(name, value, time_params(params)) if fits else "",
        url=url if can_filter else "",
        number=formatting.format_duration(number)
        if by == "mean"
        else formatting.format_number(number),
        # Beside a list, which is where previous counts are, a value can be excluded too.
        exclude_url="" if previous is None else _exclude_url(list_url, params, name, value),
        failed=top.failed if by == "count" and can_filter else 0,
        failed_url=failed_url,
        share=round(100 * number / greatest) if greatest else 0,
        change="" if previous is None else _change(top.count, previous.get(top.values, 0)),
    )


def _exclude_url(list_url: str, params: Mapping[str, str], name: str, value: str) -> str:
    excluding = None if name in params else excluding_params(params, name, value)
    return with_query(list_url, excluding) if excluding else ""


def _change(count: int, previous: int) -> str:
    return (formatting.format_change(count, previous) or "=") if previous else _("new")


def _value_and_label(name: str, top: Top) -> tuple[str, str]:
    """Return the value of the filter, and what people read; people have a key and a name."""
    if len(top.values) == 1:
        value = str(top.values[0])
        return value, dimensions()[name].label_for(value)
    key, label = top.values
    token = account_token(key) if name == "object" else actor_token(key, label)
    return token, actor_name(label) or token


def _row(value: TopValue, labels: Mapping[str, str]) -> str:
    label, url = escape(value.label), escape(value.url)
    about = escape(value.page_url) or url
    name, number, share, without, failed = f"<bdi>{label}</bdi>", escape(value.number), "", "", ""
    if about:
        name = f'<a href="{about}" title="{label}">{name}</a>'
    if url:
        number = f'<a href="{url}">{number}</a>'
    if value.share:
        share = (
            '<svg class="tm-share" viewBox="0 0 100 1" preserveAspectRatio="none" '
            f'aria-hidden="true"><rect width="{value.share}" height="1"></rect></svg>'
        )
    if value.exclude_url:
        without = (
            f'<a href="{escape(value.exclude_url)}" title="{labels["exclude"]}"><span '
            f'aria-hidden="true">\N{MINUS SIGN}</span><span class="tm-unseen">'
            f"{labels['exclude']} {label}</span></a>"
        )
    if value.failed:
        failed = (
            f'<a class="tm-bad" href="{escape(value.failed_url)}" title="{labels["failed"]}"><svg '
            'class="tm-icon" aria-hidden="true"><use href="#tm-icon-failed"></use></svg>'
            f"{formatting.format_number(value.failed)}</a>"
        )
    return (
        f'<tr><th scope="row">{name} {share}</th><td>{number}</td>'
        f'<td class="tm-quiet" title="{labels["change"]}">{escape(value.change)}</td>'
        f"<td>{without}</td><td>{failed}</td></tr>\n"
    )
