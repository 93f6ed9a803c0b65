"""One list of activities: its filters, its rows, and what it has to say without any."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from django.urls import reverse
from django.utils.translation import gettext as _

from trackmate import selectors
from trackmate.clock import lowest_uuid7
from trackmate.dashboard import formatting, time_ranges
from trackmate.dashboard.db.results import ListState, run_query
from trackmate.dashboard.dimensions import columns
from trackmate.dashboard.entities import querystring, with_query
from trackmate.dashboard.forms.pagination import KeysetForm
from trackmate.dashboard.http import permissions
from trackmate.dashboard.search.active_filters import ActiveFilter, active_filters
from trackmate.dashboard.search.syntax import without_time_filters
from trackmate.dashboard.tables.activity_table import ActivityTable, fields_of
from trackmate.dashboard.tables.display_options import (
    DISPLAY_PARAMS,
    SORT,
    DisplayOptions,
    Sorting,
    display_options,
    parse_sorting,
)

if TYPE_CHECKING:
    from uuid import UUID

    from django.http import HttpRequest, QueryDict

    from trackmate.dashboard.entities import EntityPage
    from trackmate.dashboard.search.filters import ActivityFilters
    from trackmate.dashboard.time_ranges import TimeRange
    from trackmate.models import ActivityLog
    from trackmate.selectors import Page, Rows

MAX_COUNT = 10_000
"""Rows are counted up to here: "10,000+"."""
COUNT_TIMEOUT = 100
"""Milliseconds for counting; the list can do without."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivityList:
    """A list of activities, ready to be shown."""

    filters: ActivityFilters
    keyset: KeysetForm
    params: dict[str, str]
    state: ListState
    page: EntityPage
    display: DisplayOptions
    sorting: Sorting
    table: ActivityTable | None = None
    rows: Page | None = None
    count: int | None = None
    """How many rows match, up to one more than `MAX_COUNT`; None if that is not known."""
    may_export: bool = False
    since: UUID | None = None
    """Rows with a greater key are new."""
    loaded_at: UUID = field(default_factory=lambda: lowest_uuid7(datetime.now(UTC)))
    """When the rows were read, as a key: what is stored later is new too."""

    @property
    def template(self) -> str:
        """The template of the state."""
        return f"trackmate/states/{self.state}.html"

    @property
    def active_filters(self) -> list[ActiveFilter]:
        """The filters that can be removed."""
        return active_filters(self.page, self.params)

    @property
    def is_live(self) -> bool:
        """Return True if new rows belong on this page."""
        is_first = self.sorting.is_default and not self.is_later_page
        return is_first and self.since is not None and self.filters.time_range.is_open

    @property
    def newest(self) -> ActivityLog | None:
        """The newest row of an entity page, if it is the first one shown."""
        if not self.is_live or self.filters.is_narrowed or self.rows is None:
            return None
        return next(iter(self.rows.rows), None)

    @property
    def is_later_page(self) -> bool:
        """Return True for another page than the first."""
        side = self.keyset.data.get("before") or self.keyset.data.get("after")
        return bool(side or (self.rows and self.rows.newer))

    @property
    def count_text(self) -> str:
        """How many rows match: "1,204", "10,000+", or "" if that is not known."""
        if self.count is None:
            return ""
        number = formatting.format_number(min(self.count, MAX_COUNT))
        return f"{number}+" if self.count > MAX_COUNT else number

    @property
    def newer_url(self) -> str:
        """The next page with newer rows, if there is one."""
        return self._page_url("after", self.rows.newer if self.rows else None)

    @property
    def older_url(self) -> str:
        """The next page with older rows, if there is one."""
        return self._page_url("before", self.rows.older if self.rows else None)

    @property
    def cleared_url(self) -> str:
        """The list without filters, with the same sorting and display options."""
        kept = (SORT, *DISPLAY_PARAMS)
        options = {name: value for name, value in self.params.items() if name in kept}
        return self.page.url({**self.page.default_params, **options})

    @property
    def url(self) -> str:
        """The first page."""
        return self.page.url(self.params)

    @property
    def fixed_dates_url(self) -> str:
        """The same list with two dates, for a link that lasts; "" if it has them already."""
        time_range = self.filters.time_range
        if time_range.end is not None or time_range.is_unlimited or self.params.get("end"):
            return ""
        return self.page.url({**without_time_filters(self.params), **time_range.to_params()})

    @property
    def wider_urls(self) -> list[tuple[str, str]]:
        """The same filters over longer time ranges."""
        kept = without_time_filters(self.params)
        return [
            (self.page.url({"range": name, **kept}), str(text))
            for name, text in time_ranges.wider_presets(self.filters.time_range)
        ]

    @property
    def facets_url(self) -> str:
        """The histogram and top values; "" where they would say nothing."""
        if self.state == ListState.INVALID or self.page.type == "request":
            return ""
        return with_query(reverse("trackmate:facets"), self._part_params)

    @property
    def filter_form_url(self) -> str:
        """A field for every dimension; the parameters are added when it is loaded."""
        return with_query(reverse("trackmate:filters"), self.page.params)

    @property
    def all_fields_url(self) -> str:
        """This page with a field for every dimension, for browsers without JavaScript."""
        return self.page.url({**self.params, "filters": "all"})

    @property
    def export_url(self) -> str:
        """The page where this list can be exported."""
        return with_query(reverse("trackmate:export"), self._part_params)

    @property
    def display_form_url(self) -> str:
        """The display options; the parameters are added when they are loaded."""
        return with_query(reverse("trackmate:display"), self.page.params)

    @property
    def display_url(self) -> str:
        """The page with the display options, for browsers without JavaScript."""
        return with_query(reverse("trackmate:display"), self._part_params)

    @property
    def sort(self) -> str:
        """The parameter `sort`; "" for the default."""
        return self.params.get(SORT, "")

    @property
    def query(self) -> str:
        """The parameters as a query string."""
        return querystring(self.params)

    @property
    def _part_params(self) -> dict[str, str]:
        return {**self.params, **self.page.params}

    def _page_url(self, side: str, pk: UUID | None) -> str:
        return "" if pk is None else self.page.url({**self.params, side: str(pk)})


def activity_list(
    rows: Rows, request: HttpRequest, filters: ActivityFilters, params: dict[str, str]
) -> ActivityList:
    """Return the list for a request; nothing is read for filters that are not valid."""
    keyset = KeysetForm(request.GET)
    display = display_options(request.GET)
    sorting = parse_sorting(request.GET.get(SORT, ""), request)
    make = partial(
        ActivityList,
        filters=filters,
        keyset=keyset,
        params=params,
        page=filters.page,
        display=display,
        sorting=sorting,
    )
    if not (filters.is_valid() and keyset.is_valid()):
        return make(state=ListState.INVALID)
    keys = keyset.cleaned_data
    # Taken first: what is stored while the page is read is reported twice rather than never.
    loaded_at = lowest_uuid7(datetime.now(UTC))

    def read() -> tuple[Page, ListState, dict[int, str]]:
        page = selectors.page(
            filters.filter_any_time(rows),
            within=filters.time_range.keys,
            before=keys["before"],
            after=keys["after"],
            holding=keys["row"],
            order=sorting.order,
            among=rows,
            more=fields_of(display.columns, request),
        )
        return page, _state(page, rows), selectors.object_types(page.rows)

    result = run_query(read)
    if result.state is not None:
        return make(state=result.state)
    page, state, object_types = result.value
    return make(
        state=state,
        rows=page,
        count=_count(filters, page),
        may_export=state == ListState.ROWS and permissions.may_export(request),
        table=ActivityTable(
            page.rows,
            caption=_caption(filters.time_range, sorting),
            object_types=object_types,
            display=display,
            sorting=sorting,
            is_sortable=True,
            page=filters.page,
            params=params,
            request=request,
            current=keys["open"] or keys["row"],
        ),
        since=page.rows[0].pk if page.rows else filters.time_range.keys.first,
        loaded_at=loaded_at,
    )


def list_params(filters: ActivityFilters, query: QueryDict) -> dict[str, str]:
    """Return the parameters of a list beside those of its page: filters, sorting, display."""
    sorting = parse_sorting(query.get(SORT, ""), filters.request)
    sort = {} if sorting.is_default else {SORT: sorting.param}
    return {**filters.params, **sort, **display_options(query).params}


def _count(filters: ActivityFilters, page: Page) -> int | None:
    """Return how many rows match, if that is known soon."""
    if page.newer is None and page.older is None:
        return len(page.rows)
    count: int | None = run_query(
        lambda: selectors.count_up_to(filters.qs, MAX_COUNT + 1), timeout=COUNT_TIMEOUT
    ).value
    return count


def _state(page: Page, rows: Rows) -> ListState:
    if page.rows:
        return ListState.ROWS
    return ListState.EMPTY if selectors.is_empty(rows) else ListState.NO_MATCH


def _caption(time_range: TimeRange, sorting: Sorting) -> str:
    if sorting.is_default:
        return _("Activities of %(range)s, newest first") % {"range": time_range.text}
    label = columns()[sorting.name].label
    return _("Activities of %(range)s, by %(column)s") % {"range": time_range.text, "column": label}
