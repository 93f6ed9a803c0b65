"""Texts to copy from the page of an activity: link, JSON, curl, test client, Markdown."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from django.core.exceptions import DisallowedHost
from django.urls import reverse
from django.utils.translation import gettext as _

from trackmate.dashboard import formatting
from trackmate.dashboard.detail.documents import DOCUMENTS, has_document
from trackmate.dashboard.detail.replay import MAX_DATA, as_curl, as_test_code, build_replay
from trackmate.dashboard.exports.writers import export_columns, values
from trackmate.dashboard.http import permissions
from trackmate.selectors import PAYLOAD

if TYPE_CHECKING:
    from django.http import HttpRequest

    from trackmate.models import ActivityLog

PLACEHOLDER = "https://example.com"
"""The origin of links where the request has no valid host."""

_BACKTICKS = re.compile("`+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Snippet:
    """A text with a button that copies it."""

    name: str
    """Part of its `id` in the page."""
    label: str
    text: str
    note: str = ""
    """What is missing in it."""


def build_snippets(
    row: ActivityLog, request: HttpRequest, *, object_type: str, with_payload: bool
) -> list[Snippet]:
    """Return all snippets of a row; `object_type` is the label of its object's model."""
    may_see = partial(permissions.may_see, request)
    visible = export_columns(may_see, with_payload=with_payload)
    names = [name for name in visible if name != "object_type"]
    fields = {**values(row, names), "object_type": object_type}
    origin = _origin(request)
    url = f"{origin}{reverse('trackmate:detail', args=[row.pk])}"
    is_incomplete = not with_payload and any(has_document(row, name) for name in PAYLOAD)
    note = _("Fields you cannot access are left out.") if is_incomplete else ""
    return [
        Snippet(name="link", label=_("Link"), text=url),
        Snippet(name="json", label="JSON", text=formatting.format_json(fields), note=note),
        *_replay_snippets(row, origin, with_payload=with_payload),
        Snippet(name="markdown", label="Markdown", text=as_markdown(fields, url), note=note),
    ]


def _replay_snippets(row: ActivityLog, origin: str, *, with_payload: bool) -> list[Snippet]:
    replay = build_replay(row, with_payload=with_payload)
    if replay is None:
        return []
    note = _("Without the data that the request sent.") if replay.lacks_data else ""
    return [
        Snippet(name="curl", label="curl", text=as_curl(replay, origin), note=note),
        Snippet(
            name="client",
            label=_("Django test client"),
            text=as_test_code(replay),
            note=note,
        ),
    ]


def as_markdown(fields: dict[str, Any], url: str) -> str:
    """Return a row for a ticket. Values are code: none becomes a link, a table or HTML."""
    filled = {name: value for name, value in fields.items() if value not in (None, "")}
    title = filled.get("action") or filled.get("route") or filled.get("action_type") or fields["id"]
    lines = [f"## {_code_span(title)}", "", f"<{url}>", ""]
    lines += [
        f"- {name}: {_code_span(str(filled[name]))}" for name in filled if name not in DOCUMENTS
    ]
    blocks = [f"{name}:\n\n{_code_block(filled[name])}" for name in DOCUMENTS if name in filled]
    return "\n\n".join(["\n".join(lines), *blocks])


def _code_span(text: str) -> str:
    """Return a text as code on one line."""
    text = formatting.escape_invisible(text).replace("\n", " \N{RETURN SYMBOL} ")
    fence = "`" * _fence_length(text)
    pad = " " if "`" in text or text.startswith(" ") else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def _code_block(value: Any) -> str:
    """Return a value as a block of JSON, cut off after `MAX_DATA` characters."""
    text = formatting.format_json(value)
    if (missing := len(text) - MAX_DATA) > 0:
        text = f"{text[:MAX_DATA]}\N{HORIZONTAL ELLIPSIS} [{missing} more]"
    fence = "`" * max(3, _fence_length(text))
    return f"{fence}json\n{text}\n{fence}"


def _fence_length(text: str) -> int:
    """Return one more than the longest run of backticks in a text."""
    return 1 + max((len(run) for run in _BACKTICKS.findall(text)), default=0)


def _origin(request: HttpRequest) -> str:
    """Return scheme and host of this request."""
    try:
        return f"{request.scheme}://{request.get_host()}"
    except DisallowedHost:
        return PLACEHOLDER
