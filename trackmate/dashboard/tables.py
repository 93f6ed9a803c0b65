"""The table of activities: which columns it has and how each cell reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import django_tables2 as tables
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from trackmate.dashboard import texts
from trackmate.dashboard.places import EXPLORER
from trackmate.enums import ActionType, Status

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    from django.utils.safestring import SafeString

    from trackmate.dashboard.places import Place
    from trackmate.models import ActivityLog

ASCENDING = "ascending"
DESCENDING = "descending"

KINDS = frozenset({"create", "read", "update", "delete", "login", "logout", "login-failed"})
"""The action types that have a colour of their own."""

NOTHING = mark_safe('<span class="tm-none">\N{EN DASH}</span>')


def _column(label: Any) -> tables.Column:
    # Every cell is made from the whole row; the key is only what is surely there.
    return tables.Column(verbose_name=label, accessor="pk")


class ActivityTable(tables.Table):  # type: ignore[misc]
    """Rows of the log, one line each; the time column says how they are sorted."""

    time = _column(gettext_lazy("Time"))
    actor = _column(gettext_lazy("Actor"))
    action = _column(gettext_lazy("Action"))
    object = _column(gettext_lazy("Object"))
    request = _column(gettext_lazy("Request"))
    status = _column(gettext_lazy("Status"))
    duration = _column(gettext_lazy("Duration"))
    address = _column(gettext_lazy("Address"))

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
        direction: str = DESCENDING,
        types: Mapping[int, str],
        place: Place = EXPLORER,
        asked: Mapping[str, str] | None = None,
        current: UUID | None = None,
        row_name: str = "tm-row",
    ) -> None:
        super().__init__(rows)
        self.row_name = row_name
        self.caption = caption
        self.direction = direction
        self.types = types
        self.place = place
        self.asked = dict(asked or {})
        self.current = current
        came_from = {**self.asked, **place.settled}
        self.query = f"?{urlencode(came_from)}" if came_from else ""

    def render_time(self, record: ActivityLog) -> SafeString:
        url = reverse("trackmate:detail", args=[record.pk])
        return format_html(
            '<a class="tm-open" href="{}{}">{}</a>',
            url,
            self.query,
            texts.moment(record.action_time),
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
        return format_html('{} <bdi class="tm-cut" title="{}">{}</bdi>', kind, named, named)

    def render_object(self, record: ActivityLog) -> SafeString:
        kind = self.types.get(record.content_type_id or 0)
        if kind is None and not record.object_repr:
            return NOTHING
        key = f"{kind or '?'}/{record.object_id}" if record.object_id else kind or ""
        shown = record.object_repr or key
        if kind is None:
            return format_html('<bdi class="tm-cut" title="{}">{}</bdi>', shown, shown)
        return self._narrowing("object", key, shown)

    def render_request(self, record: ActivityLog) -> SafeString:
        if not record.path:
            return NOTHING
        return format_html(
            '<span class="tm-method">{}</span> <bdi class="tm-cut" title="{}">{}</bdi>',
            record.method,
            record.path,
            record.path,
        )

    def render_status(self, record: ActivityLog) -> SafeString:
        return status_mark(record)

    def render_duration(self, record: ActivityLog) -> SafeString | str:
        return NOTHING if record.execution_time is None else texts.duration(record.execution_time)

    def render_address(self, record: ActivityLog) -> SafeString:
        if not record.ip_address:
            return NOTHING
        return self._narrowing("address", record.ip_address, record.ip_address)

    def _narrowing(self, name: str, value: str, shown: str) -> SafeString:
        """Link a value to the list of what has it too, within what is asked now."""
        if name in self.place.settled:
            return format_html('<bdi class="tm-cut" title="{}">{}</bdi>', shown, shown)
        return format_html(
            '<a class="tm-cut" href="{}" title="{}"><bdi>{}</bdi></a>',
            self.place.url({**self.asked, name: value}),
            shown,
            shown,
        )


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
