"""The table of activities: which columns it has and how each cell reads."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import django_tables2 as tables
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import mark_safe
from django.utils.translation import gettext as _

from trackmate.dashboard import columns, texts
from trackmate.dashboard.looks import SORT, SORTED, Look, Sorting
from trackmate.dashboard.places import EXPLORER
from trackmate.enums import ActionType, Status

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    from django.http import HttpRequest
    from django.utils.safestring import SafeString

    from trackmate.dashboard.places import Place
    from trackmate.models import ActivityLog

logger = logging.getLogger("trackmate")

USUAL_LOOK = Look()
NEWEST_FIRST = Sorting()
OLDEST_FIRST = Sorting(is_descending=False)

KINDS = frozenset({"create", "read", "update", "delete", "login", "logout", "login-failed"})
"""The action types that have a colour of their own."""

HIDDEN = mark_safe(
    '<svg class="tm-icon" role="img" aria-label="trackmate.view_payload">'
    '<use href="#tm-icon-lock"></use></svg>'
)
"""Names the permission that it takes to see what stands here."""
NOTHING = mark_safe('<span class="tm-none">\N{EN DASH}</span>')


class Column(tables.Column):  # type: ignore[misc]
    """A column whose cells are made from the whole row; the key is only what is surely there."""

    def __init__(self, label: Any, **kwargs: Any) -> None:
        super().__init__(verbose_name=label, accessor="pk", **kwargs)


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
            return HIDDEN if self.is_hidden else NOTHING
        try:
            content = self.column.content(record, self.request)
        except Exception:
            self.has_failed = True
            logger.exception("TABLE_COLUMNS: %r failed", self.column.name)
            return NOTHING
        return NOTHING if content in (None, "") else format_html("<bdi>{}</bdi>", content)


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
        row_attrs = {  # noqa: RUF012 (the shape that django-tables2 reads)
            "id": lambda record, table: f"{table.row_name}-{record.pk}",
            "class": lambda record: "tm-failed" if record.status == Status.FAILED else None,
            "aria-current": lambda record, table: "true" if record.pk == table.current else None,
        }

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
        super().__init__(
            rows,
            sequence=look.columns,
            exclude=[name for name in self.base_columns if name not in look.columns],
            extra_columns=[
                (own.name, OwnColumn(own, request, is_hidden=own.is_payload and not with_payload))
                for own in columns.own().values()
                if own.name in look.columns
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
        self.query = f"?{urlencode(came_from)}" if came_from else ""

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
        url = reverse("trackmate:detail", args=[record.pk])
        tell = texts.age if self.look.is_relative else texts.moment
        return format_html(
            '<a class="tm-open" href="{}{}">{}</a>', url, self.query, tell(record.action_time)
        )

    def render_actor(self, record: ActivityLog) -> SafeString:
        if record.actor_label:
            return self._narrowing("actor", record.actor_label, record.actor_label)
        if record.actor_id is not None:
            return self._narrowing("actor", f"#{record.actor_id}", f"#{record.actor_id}")
        return format_html('<span class="tm-none">{}</span>', _("anonymous"))

    def render_action(self, record: ActivityLog) -> SafeString:
        named = record.action or record.route
        kind = badge(record.action_type)
        if not named:
            return kind
        return format_html("{} {}", kind, cut(named))

    def render_object(self, record: ActivityLog) -> SafeString:
        kind = self.types.get(record.content_type_id or 0)
        if kind is None and not record.object_repr:
            return NOTHING
        key = f"{kind or '?'}/{record.object_id}" if record.object_id else kind or ""
        shown = record.object_repr or key
        if kind is None:
            return cut(shown)
        return self._narrowing("object", key, shown)

    def render_request(self, record: ActivityLog) -> SafeString:
        if not record.path:
            return NOTHING
        return format_html('<span class="tm-method">{}</span> {}', record.method, cut(record.path))

    def render_status(self, record: ActivityLog) -> SafeString:
        return status_mark(record)

    def render_duration(self, record: ActivityLog) -> SafeString | str:
        return NOTHING if record.execution_time is None else texts.duration(record.execution_time)

    def render_address(self, record: ActivityLog) -> SafeString:
        if not record.ip_address:
            return NOTHING
        return self._narrowing("address", record.ip_address, record.ip_address)

    def render_source(self, record: ActivityLog) -> str:
        return record.get_source_display()

    def render_route(self, record: ActivityLog) -> SafeString:
        return self._narrowing("route", record.route, record.route) if record.route else NOTHING

    def render_agent(self, record: ActivityLog) -> SafeString:
        agent = record.user_agent
        return cut(agent) if agent else NOTHING

    def render_request_id(self, record: ActivityLog) -> SafeString:
        key = record.request_id
        return self._narrowing("request", key, key) if key else NOTHING

    def _narrowing(self, name: str, value: str, shown: str) -> SafeString:
        """Link a value to the list of what has it too, within what is asked now."""
        if name in self.place.settled:
            return cut(shown)
        return format_html(
            '<a class="tm-cut" href="{}" title="{}"><bdi>{}</bdi></a>',
            self.place.url({**self.asked, name: value}),
            shown,
            shown,
        )


def cut(text: str) -> SafeString:
    """Return a text that may be shown in part; all of it is the title."""
    return format_html('<bdi class="tm-cut" title="{}">{}</bdi>', text, text)


def badge(action_type: str) -> SafeString:
    """Return an action type as a small label."""
    kind = action_type.lower().replace(" ", "-")
    known = kind if kind in KINDS else "other"
    text = action_type_text(action_type)
    return format_html('<span class="tm-badge" data-kind="{}">{}</span>', known, text)


def action_type_text(action_type: str) -> str:
    """Return an action type in the reader's language; a project's own stays as it is."""
    if action_type in ActionType.values:
        return str(ActionType(action_type).label)
    return action_type or _("Other")


def status_mark(row: ActivityLog) -> SafeString:
    """Return how it went by a sign, a word and the status code: never by colour alone."""
    failed = row.status == Status.FAILED
    return format_html(
        '<span class="tm-mark" data-status="{}"><svg class="tm-icon" aria-hidden="true">'
        '<use href="#tm-icon-{}"></use></svg>{}{}</span>',
        "failed" if failed else "success",
        "failed" if failed else "success",
        _("Failed") if failed else _("Success"),
        "" if row.status_code is None else format_html(" <b>{}</b>", row.status_code),
    )
