"""What stands in the cells of a table of activities, as HTML."""

from __future__ import annotations

from html import escape

from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from trackmate.enums import ActionType, Status

KINDS = frozenset({"create", "read", "update", "delete", "login", "logout", "login-failed"})
"""The action types that have a colour of their own."""

HIDDEN = SafeString(
    '<svg class="tm-icon" role="img" aria-label="trackmate.view_payload">'
    '<use href="#tm-icon-lock"></use></svg>'
)
"""Names the permission that it takes to see what stands here."""
NOTHING = SafeString('<span class="tm-none">\N{EN DASH}</span>')


def cut(text: str) -> SafeString:
    """Return a text that may be shown in part; all of it is the title."""
    escaped = escape(text)
    return SafeString(f'<bdi class="tm-cut" title="{escaped}">{escaped}</bdi>')


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


def status_mark(status: str, code: int | None) -> SafeString:
    """Return how it went by a sign, a word and the status code: never by colour alone."""
    failed = status == Status.FAILED
    return format_html(
        '<span class="tm-mark" data-status="{}"><svg class="tm-icon" aria-hidden="true">'
        '<use href="#tm-icon-{}"></use></svg>{}{}</span>',
        "failed" if failed else "success",
        "failed" if failed else "success",
        _("Failed") if failed else _("Success"),
        "" if code is None else format_html(" <b>{}</b>", code),
    )


def path(method: str, path: str) -> SafeString:
    return SafeString(f'<span class="tm-method">{escape(method)}</span> {cut(path)}')
