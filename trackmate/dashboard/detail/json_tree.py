"""JSON as a tree of bounded size, which folds without JavaScript."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.utils.html import format_html, format_html_join
from django.utils.translation import ngettext

from trackmate.dashboard import formatting

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.utils.safestring import SafeString

MAX_DEPTH = 10
"""Levels."""
MAX_NODES = 1_000
"""Values on all levels together."""
MAX_ITEMS = 100
"""Values of one list or object."""
MAX_LENGTH = 1_000
"""Characters of one text."""

OPEN_DEPTH = 2
"""Levels below the outermost one that are open at first, unless they are long."""
OPEN_ITEMS = 20
"""A longer list or object is closed at first."""

_PLAIN_NAME = re.compile(r"\w[\w.\[\]-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """A value as nested lists."""

    html: SafeString
    is_whole: bool
    """Whether nothing is left out."""


def build_tree(value: Any) -> Tree:
    """Return JSON as a tree, within the bounds above."""
    renderer = _TreeRenderer()
    html = renderer.render_items(value) if _has_items(value) else renderer.render_leaf(value)
    return Tree(html=html, is_whole=renderer.is_whole)


@dataclass(slots=True)
class _TreeRenderer:
    """Renders one value."""

    nodes_left: int = MAX_NODES
    is_whole: bool = True

    def render_items(self, value: Any, *, depth: int = 1) -> SafeString:
        """Return the content of a list or an object."""
        lines = [*self._render_lines(value, depth=depth)]
        if missing := len(value) - len(lines):
            lines.append(self._leave_out(_more(missing)))
        items = format_html_join("", "<li>{}</li>", ((line,) for line in lines))
        return format_html('<ul class="tm-tree">{}</ul>', items)

    def _render_lines(self, value: Any, *, depth: int) -> Iterator[SafeString]:
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        for number, (name, item) in enumerate(pairs):
            if number == MAX_ITEMS or not self.nodes_left:
                return
            self.nodes_left -= 1
            yield self._render_line(_render_name(name), item, depth=depth)

    def _render_line(self, name: SafeString, value: Any, *, depth: int) -> SafeString:
        if not _has_items(value):
            return format_html("{}: {}", name, self.render_leaf(value))
        if depth == MAX_DEPTH:
            return format_html("{}: {}", name, self._leave_out(_more(len(value))))
        return format_html(
            '<details{}><summary>{}: <span class="tm-quiet">{}</span></summary>{}</details>',
            " open" if depth <= OPEN_DEPTH and len(value) <= OPEN_ITEMS else "",
            name,
            _describe_size(value),
            self.render_items(value, depth=depth + 1),
        )

    def render_leaf(self, value: Any) -> SafeString:
        """Return a value without items as JSON."""
        if isinstance(value, str):
            return self._render_text(value)
        return format_html("<bdi>{}</bdi>", json.dumps(value))

    def _render_text(self, value: str) -> SafeString:
        shown = format_html('<bdi data-type="text">"{}"</bdi>', _escape_as_json(value[:MAX_LENGTH]))
        if (missing := len(value) - MAX_LENGTH) <= 0:
            return shown
        return format_html("{} {}", shown, self._leave_out(_more_characters(missing)))

    def _leave_out(self, text: str) -> SafeString:
        self.is_whole = False
        return format_html('<span class="tm-quiet">{}</span>', text)


def _has_items(value: Any) -> bool:
    return isinstance(value, dict | list) and bool(value)


def _render_name(name: str | int) -> SafeString:
    """Return the name or the index of a value; a name that could be misread is in quotes."""
    text = str(name)
    shown = text if _PLAIN_NAME.fullmatch(text) else f'"{_escape_as_json(text)}"'
    return format_html('<bdi class="tm-name">{}</bdi>', shown)


def _escape_as_json(text: str) -> str:
    """Escape a text as JSON does, but keep its lines."""
    lines = (json.dumps(line, ensure_ascii=False)[1:-1] for line in text.split("\n"))
    return formatting.escape_invisible("\\n\n".join(lines))


def _describe_size(value: Any) -> str:
    if isinstance(value, dict):
        text = ngettext("%(number)s field", "%(number)s fields", len(value))
    else:
        text = ngettext("%(number)s item", "%(number)s items", len(value))
    return text % {"number": formatting.format_number(len(value))}


def _more(missing: int) -> str:
    text = ngettext("%(number)s more, not shown", "%(number)s more, not shown", missing)
    return text % {"number": formatting.format_number(missing)}


def _more_characters(missing: int) -> str:
    text = ngettext(
        "%(number)s more character, not shown", "%(number)s more characters, not shown", missing
    )
    return text % {"number": formatting.format_number(missing)}
