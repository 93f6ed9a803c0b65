"""The table of activities."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus
from uuid import UUID

import django_tables2 as tables
from django.urls import reverse
from django.utils.html import conditional_escape, format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from trackmate.dashboard import cells, formatting
from trackmate.dashboard.dimensions import FIRST_COLUMN, columns
from trackmate.dashboard.entities import EXPLORER, with_query
from trackmate.dashboard.http import permissions
from trackmate.dashboard.tables.display_options import (
    SORT,
    DisplayOptions,
    Sorting,
    can_sort_by,
)
from trackmate.diagnostics import summarize_error
from trackmate.enums import Status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from django.http import HttpRequest

    from trackmate.dashboard.dimensions import Dimension
    from trackmate.dashboard.entities import EntityPage
    from trackmate.models import ActivityLog

    Cell = Callable[[ActivityLog], Any]

logger = logging.getLogger("trackmate")

DEFAULT_OPTIONS = DisplayOptions()
DEFAULT_SORTING = Sorting()

ANY_KEY = UUID(int=0)
"""In a URL, in place of a row's key."""


class Column(tables.Column):  # type: ignore[misc]
    """The column of a dimension."""

    def __init__(self, dimension: Dimension) -> None:
        # Cells read the whole row; the key is what is always there.
        super().__init__(verbose_name=dimension.label, accessor="pk")


@dataclass(frozen=True, slots=True, kw_only=True)
class Heading:
    """The heading of a column."""

    name: str
    text: Any
    direction: str = ""
    """The value of `aria-sort`, for the column that the list is sorted by."""
    url: str = ""
    """The list sorted by this column, or in the other direction."""


class ActivityTable(tables.Table):  # type: ignore[misc]
    """Activities, one row each. It is the `CellContext` of its cells."""

    class Meta:
        orderable = False
        template_name = "trackmate/includes/table.html"

    def __init__(
        self,
        rows: Sequence[ActivityLog],
        *,
        caption: str,
        object_types: dict[int, str],
        display: DisplayOptions = DEFAULT_OPTIONS,
        sorting: Sorting = DEFAULT_SORTING,
        is_sortable: bool = False,
        page: EntityPage = EXPLORER,
        params: Mapping[str, str] | None = None,
        request: HttpRequest | None = None,
        current: UUID | None = None,
        row_prefix: str = "tm-row",
    ) -> None:
        self.dimensions = [columns()[name] for name in display.columns]
        if not all(each.is_built_in for each in self.dimensions):
            null_deferred_fields(rows)
        super().__init__(
            rows, extra_columns=[(each.name, Column(each)) for each in self.dimensions]
        )
        self.caption = caption
        self.object_types = object_types
        self.display = display
        self.sorting = sorting
        self.is_sortable = is_sortable
        self.page = page
        self.params = dict(params or {})
        self.request = request
        self.current = current
        self.row_prefix = row_prefix
        self.format_duration = formatting.Durations()
        self.format_time = formatting.Times(is_relative=display.is_relative)
        self._detail_link = _detail_link(with_query("", {**self.params, **page.fixed_filters}))
        self._link_prefixes: dict[str, str] = {}

    @property
    def body(self) -> SafeString:
        """The rows as HTML.

        django-tables2 inspects the signature of every cell's function, which takes longer than all
        of the rest.
        """
        cells = [self._cell(each) for each in self.dimensions]
        pieces: list[str] = []
        for row in self.data:
            pieces.append(self._row_tag(row))
            for start, render, end in cells:
                pieces += (start, conditional_escape(render(row)), end)
            pieces.append("</tr>\n")
        return SafeString("".join(pieces))

    @property
    def headings(self) -> list[Heading]:
        """The heading of each column."""
        return [self._heading(each) for each in self.dimensions]

    def link(self, name: str, value: str, text: str) -> SafeString:
        """Return a link to this list, narrowed to a value of a dimension."""
        if name in self.page.fixed_filters:
            return cells.shorten(text)
        if name not in self._link_prefixes:
            rest = {key: value for key, value in self.params.items() if key != name}
            self._link_prefixes[name] = escape(self.page.url({**rest, name: ""}))
        url = self._link_prefixes[name] + escape(quote_plus(value, errors="replace"))
        text = escape(text)
        return SafeString(f'<a class="tm-cut" href="{url}" title="{text}"><bdi>{text}</bdi></a>')

    def detail_link(self, row: ActivityLog) -> SafeString:
        """Return the time of a row as a link to its page."""
        before, after = self._detail_link
        return SafeString(f"{before}{row.pk}{after}{self.format_time(row.action_time)}</a>")

    def _heading(self, dimension: Dimension) -> Heading:
        name, text = dimension.name, dimension.label
        if name == FIRST_COLUMN and self.display.is_utc:
            text = _("Time (UTC)")
        is_sorted = name == self.sorting.name
        if not is_sorted and not (self.is_sortable and can_sort_by(name, self.request)):
            return Heading(name=name, text=text)
        direction = "descending" if self.sorting.is_descending else "ascending"
        params = {**self.params, SORT: self.sorting.toggle(name)}
        return Heading(
            name=name,
            text=text,
            direction=direction if is_sorted else "",
            url=self.page.url(params) if self.is_sortable else "",
        )

    def _row_tag(self, row: ActivityLog) -> str:
        failed = ' class="tm-failed"' if row.status == Status.FAILED else ""
        is_current = self.current is not None and row.pk == self.current
        current = ' aria-current="true"' if is_current else ""
        return f'<tr id="{self.row_prefix}-{row.pk}"{failed}{current}>'

    def _cell(self, dimension: Dimension) -> tuple[str, Cell, str]:
        """Return the start tag, the function that renders the content, and the end tag."""
        name = escape(dimension.name)
        if dimension.name == FIRST_COLUMN:
            return f'<th scope="row" class="tm-{name}">', self._render(dimension), "</th>"
        return f'<td class="tm-{name}">', self._render(dimension), "</td>"

    def _render(self, dimension: Dimension) -> Cell:
        cell = dimension.cell
        assert cell is not None
        if not permissions.may_see(self.request, dimension):
            hidden = cells.lock(dimension.permission)
            return lambda _row: hidden
        if dimension.is_built_in:
            return lambda row: cell(row, self)
        return _never_raise(lambda row: cell(row, self), dimension.name)


def null_deferred_fields(rows: Iterable[ActivityLog]) -> None:
    """Set what was not read to None, so that no column of a project reads it row by row."""
    for row in rows:
        for name in row.get_deferred_fields():
            setattr(row, name, None)


def fields_of(names: Iterable[str], request: HttpRequest | None) -> tuple[str, ...]:
    """Return the fields that the cells of some columns read, if this request may see them."""
    shown = (columns()[name] for name in names)
    fields = (each.fields for each in shown if permissions.may_see(request, each))
    return tuple(dict.fromkeys(name for each in fields for name in each))


def _never_raise(render: Cell, name: str) -> Cell:
    """Return a function that renders a project's cells, or none of them once one has failed."""
    has_failed = False

    def safe(row: ActivityLog) -> Any:
        nonlocal has_failed
        if has_failed:
            return cells.EMPTY
        try:
            content = render(row)
            if content in (None, ""):
                return cells.EMPTY
            return (
                content
                if isinstance(content, SafeString)
                else format_html("<bdi>{}</bdi>", content)
            )
        except Exception as error:  # noqa: BLE001 (a project's code)
            has_failed = True
            logger.error("The column %r failed: %s", name, summarize_error(error))
            return cells.EMPTY

    return safe


def _detail_link(query: str) -> tuple[str, str]:
    """Return what is before and after the key in the link to an activity."""
    url = reverse("trackmate:detail", args=[ANY_KEY])
    tag = format_html('<a class="tm-open" href="{}{}">', url, query)
    before, _key, after = tag.partition(str(ANY_KEY))
    return before, after
