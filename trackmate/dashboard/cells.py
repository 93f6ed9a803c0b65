"""What stands in the cells of a table of activities, as HTML."""

from __future__ import annotations

from html import escape

from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from trackmate.enums import ActionType, Status

_ACTION_TYPES = dict(ActionType.choices)
"""What each is called, in the reader's language once it is shown."""

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
    return SafeString(f'<span class="tm-badge" data-kind="{known}">{escape(text)}</span>')


def action_type_text(action_type: str) -> str:
    """Return an action type in the reader's language; a project's own stays as it is."""
    known = _ACTION_TYPES.get(action_type)
    return str(known) if known is not None else action_type or _("Other")


def status_mark(status: str, code: int | None) -> SafeString:
    """Return how it went by a sign, a word and the status code: never by colour alone."""
    sign, word = ("failed", _("Failed")) if status == Status.FAILED else ("success", _("Success"))
    number = "" if code is None else f" <b>{code:d}</b>"
    return SafeString(
        f'<span class="tm-mark" data-status="{sign}"><svg class="tm-icon" aria-hidden="true">'
        f'<use href="#tm-icon-{sign}"></use></svg>{escape(word)}{number}</span>'
    )


def path(method: str, path: str) -> SafeString:
    return SafeString(f'<span class="tm-method">{escape(method)}</span> {cut(path)}')
