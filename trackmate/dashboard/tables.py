"""The table of activities: which columns it has and which cells each row."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import cache
from html import escape
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote_plus
from uuid import UUID

import django_tables2 as tables
from django.urls import reverse
from django.utils.html import conditional_escape, format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from trackmate.dashboard import cells, columns, texts
from trackmate.dashboard.filters import TYPED
from trackmate.dashboard.looks import SORT, SORTED, Look, Sorting
from trackmate.dashboard.places import EXPLORER, with_query
from trackmate.dashboard.sharing import twin
from trackmate.diagnostics import summarize_error
from trackmate.enums import Status

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from django.http import HttpRequest

    from trackmate.dashboard.places import Place
    from trackmate.models import ActivityLog

logger = logging.getLogger("trackmate")

USUAL_LOOK = Look()
NEWEST_FIRST = Sorting()
OLDEST_FIRST = Sorting(is_descending=False)

SOME_KEY = UUID(int=0)
"""Stands in a URL where the key of a row will."""


class Column(tables.Column):  # type: ignore[misc]
    """A column whose cells are made from the whole row; the key is only what is surely there."""

    def __init__(self, label: Any, **kwargs: Any) -> None:
        super().__init__(verbose_name=label, accessor="pk", **kwargs)

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        # For each table there is a copy of each column, the options of which nobody changes.
        return twin(self)


class OwnColumn(Column):
    """A column of the project's, which must not take the list with it when it fails."""

    def __init__(
        self, column: columns.Own, request: HttpRequest | None, *, is_hidden: bool
    ) -> None:
        super().__init__(column.label)
        self.column = column
        self.request = request
        self.is_hidden = is_hidden
        self.has_failed = False

    def render(self, record: ActivityLog) -> Any:
        if self.has_failed or self.is_hidden:
            return cells.HIDDEN if self.is_hidden else cells.NOTHING
        try:
            content = self.column.content(record, self.request)
            return cells.NOTHING if content in (None, "") else format_html("<bdi>{}</bdi>", content)
        except Exception as error:  # noqa: BLE001 (a project's own code)
            self.has_failed = True
            logger.error("TABLE_COLUMNS: %r failed: %s", self.column.name, summarize_error(error))
            return cells.NOTHING


@dataclass(frozen=True, slots=True, kw_only=True)
class Heading:
    """What stands over a column."""

    name: str
    text: Any
    direction: str = ""
    """How the list is sorted, over the column by which it is."""
    url: str = ""
    """The list sorted by this column, or the other way round."""


class ActivityTable(tables.Table):  # type: ignore[misc]
    """Rows of the log, one line each."""

    time = Column(columns.BUILT_IN["time"])
    actor = Column(columns.BUILT_IN["actor"])
    action = Column(columns.BUILT_IN["action"])
    object = Column(columns.BUILT_IN["object"])
    request = Column(columns.BUILT_IN["request"])
    status = Column(columns.BUILT_IN["status"])
    duration = Column(columns.BUILT_IN["duration"])
    address = Column(columns.BUILT_IN["address"])
    source = Column(columns.BUILT_IN["source"])
    route = Column(columns.BUILT_IN["route"])
    agent = Column(columns.BUILT_IN["agent"])
    request_id = Column(columns.BUILT_IN["request_id"])

    class Meta:
        orderable = False
        template_name = "trackmate/table.html"

    def __init__(
        self,
        rows: Sequence[ActivityLog],
        *,
        caption: str,
        sorting: Sorting = NEWEST_FIRST,
        look: Look = USUAL_LOOK,
        request: HttpRequest | None = None,
        with_payload: bool = False,
        can_be_sorted: bool = False,
        types: Mapping[int, str],
        place: Place = EXPLORER,
        asked: Mapping[str, str] | None = None,
        current: UUID | None = None,
        row_name: str = "tm-row",
    ) -> None:
        columns.settle(rows)
        shown = look.columns
        super().__init__(
            rows,
            sequence=shown,
            exclude=[name for name in self.base_columns if name not in shown],
            extra_columns=[
                (own.name, OwnColumn(own, request, is_hidden=own.is_payload and not with_payload))
                for own in columns.own().values()
                if own.name in shown
            ],
        )
        self.row_name = row_name
        self.caption = caption
        self.sorting = sorting
        self.look = look
        self.can_be_sorted = can_be_sorted
        self.types = types
        self.place = place
        self.asked = dict(asked or {})
        self.current = current
        came_from = {**self.asked, **place.settled}
        self.opening = _opening(with_query("", came_from))
        # What many rows have in common is made once for all of them.
        self.moments = texts.Moments(is_relative=look.is_relative)
        self.span = texts.Durations()
        self.nobody = format_html('<span class="tm-none">{}</span>', _("anonymous"))
        self.badge = cache(cells.badge)
        self.action_cell = cache(self._action)
        self.path_cell = cache(cells.path)
        self.status_cell = cache(cells.status_mark)
        self.narrowed = cache(self._narrowed)
        self.link = cache(self._narrowing)

    @property
    def body(self) -> SafeString:
        """The rows as HTML.

        The rows of django-tables2 look at the signature of what makes a cell, for each cell anew,
        which takes longer than to make it.
        """
        cells = [self._cell(column) for column in self.columns]
        pieces: list[str] = []
        for record in self.data:
            pieces.append(self._row(record))
            for start, make, end in cells:
                content = make(record)
                # Nearly all are safe, and Django asks more of each than that takes.
                safe = content if type(content) is SafeString else conditional_escape(content)
                pieces += (start, safe, end)
            pieces.append("</tr>\n")
        return SafeString("".join(pieces))

    def _row(self, record: ActivityLog) -> str:
        """Return the tag before the cells of a row."""
        look = ' class="tm-failed"' if record.status == Status.FAILED else ""
        is_current = self.current is not None and record.id == self.current
        current = ' aria-current="true"' if is_current else ""
        return f'<tr id="{self.row_name}-{record.id}"{look}{current}>'

    def _cell(self, column: Any) -> tuple[str, Callable[[ActivityLog], Any], str]:
        """Return what stands before the cells of a column, what makes them, what stands after."""
        name = column.name
        make = getattr(self, f"render_{name}", None) or column.column.render
        if name == columns.FIRST:
            return f'<th scope="row" class="tm-{name}">', make, "</th>"
        return f'<td class="tm-{name}">', make, "</td>"

    @property
    def key(self) -> tuple[Any, ...] | None:
        """What tells its headings from others; None where the links in them say what was typed."""
        if TYPED & self.asked.keys():
            return None
        look = (self.look.columns, columns.own_headings(), self.look.is_utc)
        return look, self.sorting.written, self.can_be_sorted, self.place.url(self.asked)

    @property
    def headings(self) -> list[Heading]:
        """What stands over each column."""
        return [self._heading(column.name, column.header) for column in self.columns]

    def _heading(self, name: str, text: Any) -> Heading:
        if name == columns.FIRST and self.look.is_utc:
            text = _("Time (UTC)")
        if name != self.sorting.name and not (self.can_be_sorted and name in SORTED):
            return Heading(name=name, text=text)
        way = "descending" if self.sorting.is_descending else "ascending"
        question = {**self.asked, SORT: self.sorting.turned(name)}
        return Heading(
            name=name,
            text=text,
            direction=way if name == self.sorting.name else "",
            url=self.place.url(question) if self.can_be_sorted else "",
        )

    def render_time(self, record: ActivityLog) -> SafeString:
        before, after = self.opening
        moment = self.moments(record.action_time)
        return SafeString(f"{before}{record.id}{after}{moment}</a>")

    def render_actor(self, record: ActivityLog) -> SafeString:
        who = record.who
        if record.actor_label or record.actor_id is not None:
            return self.link("actor", who, who)
        return self.nobody if who else cells.NOTHING

    def render_action(self, record: ActivityLog) -> SafeString:
        return self.action_cell(record.action_type, record.action or record.route)

    def render_object(self, record: ActivityLog) -> SafeString:
        kind = self.types.get(record.content_type_id or 0)
        if kind is None and not record.object_repr:
            return cells.NOTHING
        key = f"{kind or '?'}/{record.object_id}" if record.object_id else kind or ""
        shown = record.object_repr or key
        if kind is None:
            return cells.cut(shown)
        return self.link("object", key, shown)

    def render_request(self, record: ActivityLog) -> SafeString:
        if not record.path:
            return cells.NOTHING
        return self.path_cell(record.method, record.path)

    def render_status(self, record: ActivityLog) -> SafeString:
        return self.status_cell(record.status, record.status_code)

    def render_duration(self, record: ActivityLog) -> SafeString | str:
        seconds = record.execution_time
        return cells.NOTHING if seconds is None else self.span(seconds)

    def render_address(self, record: ActivityLog) -> SafeString:
        if not record.ip_address:
            return cells.NOTHING
        return self.link("address", record.ip_address, record.ip_address)

    def render_source(self, record: ActivityLog) -> str:
        return record.get_source_display()

    def render_route(self, record: ActivityLog) -> SafeString:
        return self.link("route", record.route, record.route) if record.route else cells.NOTHING

    def render_agent(self, record: ActivityLog) -> SafeString:
        agent = record.user_agent
        return cells.cut(agent) if agent else cells.NOTHING

    def render_request_id(self, record: ActivityLog) -> SafeString:
        key = record.request_id
        return self.link("request", key, key) if key else cells.NOTHING

    def _action(self, action_type: str, named: str) -> SafeString:
        badge = self.badge(action_type)
        return SafeString(f"{badge} {cells.cut(named)}") if named else badge

    def _narrowing(self, name: str, value: str, shown: str) -> SafeString:
        """Link a value to the list of what has it too, within what is asked now."""
        if name in self.place.settled:
            return cells.cut(shown)
        url, text = self.narrowed(name) + escape(quote_plus(value)), escape(shown)
        return SafeString(f'<a class="tm-cut" href="{url}" title="{text}"><bdi>{text}</bdi></a>')

    def _narrowed(self, name: str) -> str:
        """Return the address of what has some value too, as far as that value."""
        rest = {key: value for key, value in self.asked.items() if key != name}
        return escape(self.place.url({**rest, name: ""}))


def _opening(query: str) -> tuple[str, str]:
    """Return what stands before and after the key in the tag that links to an activity."""
    url = reverse("trackmate:detail", args=[SOME_KEY])
    tag = format_html('<a class="tm-open" href="{}{}">', url, query)
    before, _key, after = tag.partition(str(SOME_KEY))
    return before, after
