"""One list of activities: what was asked, what was found, and which state that is."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from trackmate import selectors
from trackmate.clock import lowest_uuid7
from trackmate.dashboard import access, charts, columns, looks, windows
from trackmate.dashboard.answers import State, answer
from trackmate.dashboard.filters import TYPED, ActivityFilters, CursorForm
from trackmate.dashboard.looks import Look, Sorting
from trackmate.dashboard.places import encoded, with_query
from trackmate.dashboard.tables import ActivityTable

if TYPE_CHECKING:
    from uuid import UUID

    from django.http import HttpRequest, QueryDict

    from trackmate.dashboard.places import Place
    from trackmate.dashboard.windows import Window
    from trackmate.models import ActivityLog
    from trackmate.selectors import Page, Rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A list of activities, ready to be shown."""

    filters: ActivityFilters
    cursor: CursorForm
    asked: dict[str, str]
    state: State
    place: Place
    look: Look
    sorting: Sorting
    table: ActivityTable | None = None
    page: Page | None = None
    may_export: bool = False
    """Whether this person may take the rows out as a file."""
    since: UUID | None = None
    """Newer rows than this one are news."""
    shown: UUID = field(default_factory=lambda: lowest_uuid7(datetime.now(UTC)))
    """The moment of reading, as an identifier: what is stored later is news too."""

    @property
    def template(self) -> str:
        """The template of the state."""
        return f"trackmate/states/{self.state}.html"

    @property
    def form_key(self) -> tuple[Any, ...] | None:
        """What tells its filter form from others that look otherwise; None where something was
        typed, which is seldom the same twice."""
        if self.state == State.INVALID or TYPED & self.asked.keys():
            return None
        zone = timezone.get_current_timezone_name()
        return zone, self.filters.line, self.newest_url

    @property
    def is_live(self) -> bool:
        """Say whether news can come: on the newest page of a range that lasts until now."""
        is_newest = self.sorting.is_usual and not self.is_turned
        return is_newest and self.since is not None and self.filters.window.is_open

    @property
    def newest(self) -> ActivityLog | None:
        """The newest row of all about its thing, where the list begins with it."""
        if not self.is_live or self.filters.is_narrowed or self.page is None:
            return None
        return next(iter(self.page.rows), None)

    @property
    def is_turned(self) -> bool:
        """Say whether this is another page than the newest."""
        asked = self.cursor.data.get("before") or self.cursor.data.get("after")
        return bool(asked or (self.page and self.page.newer))

    @property
    def newer_url(self) -> str:
        """The link to the next newer page, if there is one."""
        return self._page_url("after", self.page.newer if self.page else None)

    @property
    def older_url(self) -> str:
        """The link to the next older page, if there is one."""
        return self._page_url("before", self.page.older if self.page else None)

    @property
    def newest_url(self) -> str:
        """The link to the newest page."""
        return self.place.url(self.asked)

    @property
    def pinned_url(self) -> str:
        """The same list over the present moment's range of time, for a link that lasts; nothing
        where the range is one of dates already."""
        window = self.filters.window
        if "end" in self.asked or window.start == windows.BEGINNING:
            return ""
        kept = windows.timeless(self.asked)
        return self.place.url({**kept, **charts.between(*charts.span(window))})

    @property
    def wider_urls(self) -> list[tuple[str, str]]:
        """Links to the same question over longer ranges of time."""
        return [
            (self.place.url({"range": name, **windows.timeless(self.asked)}), str(text))
            for name, text in windows.wider(self.filters.window)
        ]

    @property
    def figures_url(self) -> str:
        """The address of the histogram and of what occurs most; none for a wrong question."""
        if self.state == State.INVALID or self.place.kind == "request":
            # A request has a few rows, which say more than any figure.
            return ""
        return with_query(reverse("trackmate:figures"), self._question)

    @property
    def export_url(self) -> str:
        """The address of the page where this list can be taken out as a file."""
        return with_query(reverse("trackmate:export"), self._question)

    @property
    def sort(self) -> str:
        """How it is sorted, as a parameter; empty for the usual order."""
        return self.asked.get(looks.SORT, "")

    @property
    def query(self) -> str:
        """What is asked here, as a query string."""
        return encoded(self.asked)

    @property
    def _question(self) -> dict[str, str]:
        """Everything that is asked here, for a part of the page that has an address of its own."""
        settled = {"place": self.place.kind, **self.place.settled} if self.place.kind else {}
        return {**self.asked, **settled}

    def _page_url(self, side: str, pk: UUID | None) -> str:
        return "" if pk is None else self.place.url({**self.asked, side: str(pk)})


def listing(
    rows: Rows, request: HttpRequest, place: Place, filters: ActivityFilters, asked: dict[str, str]
) -> Listing:
    """Return the list that a request asks for; a wrong question reads no rows at all."""
    query = request.GET
    cursor = CursorForm(query)
    look, sorting = looks.look_of(query), looks.sorting_of(query.get(looks.SORT, ""))
    found = partial(
        Listing,
        filters=filters,
        cursor=cursor,
        asked=asked,
        place=place,
        look=look,
        sorting=sorting,
    )
    if not (filters.is_valid() and cursor.is_valid()):
        return found(state=State.INVALID)
    sides = cursor.cleaned_data
    # Django asks the database for permissions, so a list without payload and rows does not ask it.
    with_payload = columns.hold_payload(look.columns) and access.may_see_payload(request)
    # Taken first, so that what is stored while the page is read is news at worst twice.
    shown = lowest_uuid7(datetime.now(UTC))

    def read() -> tuple[Page, State, dict[int, str]]:
        page = selectors.page(
            filters.qs,
            before=sides["before"],
            after=sides["after"],
            holding=sides["row"],
            order=sorting.order,
            among=rows,
            more=columns.needed(look.columns, with_payload=with_payload),
        )
        return page, _state_of(page, rows), selectors.object_types(page.rows)

    answered = answer(read)
    if answered.state is not None:
        return found(state=answered.state)
    page, state, types = answered.value
    return found(
        state=state,
        page=page,
        may_export=state == State.ROWS and access.may_export(request),
        table=ActivityTable(
            page.rows,
            caption=_caption(filters.window, sorting),
            sorting=sorting,
            look=look,
            request=request,
            with_payload=with_payload,
            can_be_sorted=True,
            types=types,
            place=place,
            asked=asked,
            current=sides["row"],
        ),
        since=page.rows[0].pk if page.rows else filters.window.first,
        shown=shown,
    )


def asked_of(filters: ActivityFilters, query: QueryDict) -> dict[str, str]:
    """Return what was asked beside the page: the filters, how the list is sorted, its look."""
    asked = set_filters(filters)
    sorting = looks.sorting_of(query.get(looks.SORT, ""))
    if not sorting.is_usual:
        asked[looks.SORT] = sorting.written
    return {**asked, **looks.look_of(query).said}


def set_filters(filters: ActivityFilters) -> dict[str, str]:
    """Return the filters that are set, without those that are settled."""
    return {name: filters.asked[name] for name in filters.form.fields if name in filters.asked}


def _state_of(page: Page, rows: Rows) -> State:
    if page.rows:
        return State.ROWS
    return State.EMPTY if selectors.is_empty(rows) else State.NO_MATCH


def _caption(window: Window, sorting: Sorting) -> str:
    if sorting.is_usual:
        return _("Activities of %(window)s, newest first") % {"window": window.text}
    by = columns.BUILT_IN[sorting.name]
    return _("Activities of %(window)s, by %(column)s") % {"window": window.text, "column": by}
