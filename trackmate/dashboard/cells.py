"""The cells of a table of activities, as HTML.

A cell is a function of a row and of a `CellContext`, which makes links and formats values.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any, Protocol

from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from trackmate.enums import ActionType, Status

if TYPE_CHECKING:
    from trackmate.models import ActivityLog

_ACTION_TYPES = dict(ActionType.choices)
"""Labels, translated when they are shown."""

COLORED_TYPES = frozenset(
    {"create", "read", "update", "delete", "login", "logout", "login-failed", "action"}
)
"""The action types that have a color."""

EMPTY = SafeString('<span class="tm-none">\N{EN DASH}</span>')


class CellContext(Protocol):
    """What cells need beside their row."""

    object_types: dict[int, str]
    """Labels of models, such as "shop.order", by the key of their content type."""

    request: Any
    """The request, for cells of a project; None where there is none."""

    def link(self, name: str, value: str, text: str) -> SafeString:
        """Return a link that narrows the list to a value of the dimension `name`."""

    def detail_link(self, row: ActivityLog) -> SafeString:
        """Return the row's time as a link to the page of the activity."""

    def format_duration(self, seconds: float) -> str:
        """Return a duration with its unit."""


def render_time(row: ActivityLog, context: CellContext) -> SafeString:
    return context.detail_link(row)


def render_actor(row: ActivityLog, context: CellContext) -> SafeString:
    actor = _render_actor(row, context)
    if not row.impersonator_name:
        return actor
    parts = {"actor": actor, "impersonator": render_impersonator(row, context)}
    return SafeString(escape(_("%(actor)s (by %(impersonator)s)")) % parts)


def _render_actor(row: ActivityLog, context: CellContext) -> SafeString:
    if row.actor_label or row.actor_id is not None:
        return _link_person("actor", row.actor_label, row.who, context)
    return SafeString(f'<span class="tm-none">{escape(row.who)}</span>') if row.who else EMPTY


def render_impersonator(row: ActivityLog, context: CellContext) -> SafeString:
    name = row.impersonator_name
    if not name:
        return EMPTY
    return _link_person("impersonator", row.impersonator_label, name, context)


def _link_person(dimension: str, label: str, name: str, context: CellContext) -> SafeString:
    # Without a label the name is the key: "#7".
    value = f"={label}" if label and label[0] in "#=" else label or name
    return context.link(dimension, value, name)


def render_action(row: ActivityLog, _context: CellContext) -> SafeString:
    name = row.action or row.route
    mark = badge(row.action_type)
    return SafeString(f"{mark} {shorten(name)}") if name else mark


def render_object(row: ActivityLog, context: CellContext) -> SafeString:
    label = context.object_types.get(row.content_type_id or 0)
    if label is None and not row.object_repr:
        return EMPTY
    key = f"{label or '?'}/{row.object_id}" if row.object_id else label or ""
    text = row.object_name or key
    return shorten(text) if label is None else context.link("object", key, text)


def render_path(row: ActivityLog, _context: CellContext) -> SafeString:
    if not row.path:
        return EMPTY
    return SafeString(f'<span class="tm-method">{escape(row.method)}</span> {shorten(row.path)}')


def render_status(row: ActivityLog, _context: CellContext) -> SafeString:
    return status_mark(row.status, row.status_code)


def render_duration(row: ActivityLog, context: CellContext) -> SafeString | str:
    seconds = row.execution_time
    return EMPTY if seconds is None else context.format_duration(seconds)


def render_source(row: ActivityLog, _context: CellContext) -> str:
    return row.get_source_display()


def render_reason(row: ActivityLog, _context: CellContext) -> SafeString:
    return shorten(row.reason) if row.reason else EMPTY


def render_user_agent(row: ActivityLog, _context: CellContext) -> SafeString:
    return shorten(row.user_agent) if row.user_agent else EMPTY


def lock(permission: str) -> SafeString:
    """Return what is in place of a value that needs a permission, which it names."""
    return SafeString(
        f'<svg class="tm-icon" role="img" aria-label="{escape(permission)}">'
        '<use href="#tm-icon-lock"></use></svg>'
    )


def shorten(text: str) -> SafeString:
    """Return a text that may be cut off; its title has all of it."""
    escaped = escape(text)
    return SafeString(f'<bdi class="tm-cut" title="{escaped}">{escaped}</bdi>')


def badge(action_type: str) -> SafeString:
    """Return an action type as a badge."""
    name = action_type.lower().replace(" ", "-")
    known = name if name in COLORED_TYPES else "other"
    text = action_type_label(action_type)
    return SafeString(f'<span class="tm-badge" data-type="{known}">{escape(text)}</span>')


def action_type_label(action_type: str) -> str:
    """Return an action type in the reader's language; one of a project's own stays as it is."""
    known = _ACTION_TYPES.get(action_type)
    return str(known) if known is not None else action_type or _("Other")


def status_mark(status: str, code: int | None) -> SafeString:
    """Return a status as icon, word and status code: never by color alone."""
    sign, word = ("failed", _("Failed")) if status == Status.FAILED else ("success", _("Success"))
    number = "" if code is None else f" <b>{code:d}</b>"
    return SafeString(
        f'<span class="tm-mark" data-status="{sign}"><svg class="tm-icon" aria-hidden="true">'
        f'<use href="#tm-icon-{sign}"></use></svg><span>{escape(word)}</span>{number}</span>'
    )
