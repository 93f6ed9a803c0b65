"""One activity as a text to take along: JSON, a command, lines of a test, Markdown, a link."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.core.exceptions import DisallowedHost
from django.urls import reverse
from django.utils.translation import gettext as _

from trackmate.dashboard import texts
from trackmate.dashboard.documents import DOCUMENTS, holds
from trackmate.dashboard.export import columns, values
from trackmate.dashboard.replays import LONGEST, as_curl, as_lines_of_a_test, replay_of
from trackmate.selectors import PAYLOAD

if TYPE_CHECKING:
    from django.http import HttpRequest

    from trackmate.models import ActivityLog

PLACEHOLDER = "https://example.com"
"""Where this site is, if it does not know its own name."""

_BACKTICKS = re.compile("`+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """A text, with a button that copies it."""

    name: str
    """What tells it from the others, in the page and in links."""
    label: str
    text: str
    note: str = ""
    """What it lacks."""


def copies(row: ActivityLog, request: HttpRequest, *, kind: str, with_payload: bool) -> list[Copy]:
    """Return a row in all forms; `kind` names the type of its object."""
    names = [name for name in columns(with_payload=with_payload) if name != "object_type"]
    found = {**values(row, names), "object_type": kind}
    origin = _origin(request)
    url = f"{origin}{reverse('trackmate:detail', args=[row.pk])}"
    hides = not with_payload and any(holds(row, name) for name in PAYLOAD)
    note = _("Without what you may not see.") if hides else ""
    return [
        Copy(name="link", label=_("Link"), text=url),
        Copy(name="json", label="JSON", text=texts.pretty(found), note=note),
        *_replays(row, origin, with_payload=with_payload),
        Copy(name="markdown", label="Markdown", text=as_markdown(found, url), note=note),
    ]


def _replays(row: ActivityLog, origin: str, *, with_payload: bool) -> list[Copy]:
    replay = replay_of(row, with_payload=with_payload)
    if replay is None:
        return []
    note = _("Without the data that the request sent.") if replay.lacks_data else ""
    lines = as_lines_of_a_test(replay)
    return [
        Copy(name="curl", label="curl", text=as_curl(replay, origin), note=note),
        Copy(name="client", label=_("Django test client"), text=lines, note=note),
    ]


def as_markdown(found: dict[str, Any], url: str) -> str:
    """Return a row for a ticket. Every value stands in a span or a block of code, so that nothing
    in it makes links, tables or HTML."""
    facts = {name: value for name, value in found.items() if value not in (None, "")}
    title = facts.get("action") or facts.get("route") or facts.get("action_type") or found["id"]
    lines = [f"## {_span(title)}", "", f"<{url}>", ""]
    lines += [f"- {name}: {_span(str(facts[name]))}" for name in facts if name not in DOCUMENTS]
    blocks = [f"{name}:\n\n{_block(facts[name])}" for name in DOCUMENTS if name in facts]
    return "\n\n".join(["\n".join(lines), *blocks])


def _span(text: str) -> str:
    """Return a span of code, on one line."""
    text = texts.visible(text).replace("\n", " \N{RETURN SYMBOL} ")
    fence = "`" * _longer_than_any_in(text)
    pad = " " if "`" in text or text.startswith(" ") else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def _block(value: Any) -> str:
    """Return a block of JSON, as much of it as anyone reads in a ticket."""
    text = texts.pretty(value)
    if (missing := len(text) - LONGEST) > 0:
        text = f"{text[:LONGEST]}\N{HORIZONTAL ELLIPSIS} [{missing} more]"
    fence = "`" * max(3, _longer_than_any_in(text))
    return f"{fence}json\n{text}\n{fence}"


def _longer_than_any_in(text: str) -> int:
    return 1 + max((len(run) for run in _BACKTICKS.findall(text)), default=0)


def _origin(request: HttpRequest) -> str:
    """Return scheme and host of this site, by which people have just reached it."""
    try:
        return f"{request.scheme}://{request.get_host()}"
    except DisallowedHost:
        return PLACEHOLDER
