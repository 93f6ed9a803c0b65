"""JSON as a tree that opens and closes without a script, and that ends somewhere."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.utils.html import format_html, format_html_join
from django.utils.translation import ngettext

from trackmate.dashboard import texts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.utils.safestring import SafeString

DEPTH = 10
"""Levels that are shown."""
NODES = 1_000
"""Values that are shown, all levels together."""
ITEMS = 100
"""Values that are shown of one list or object."""
LENGTH = 1_000
"""Characters that are shown of one text."""

OPEN_DEPTH = 2
"""Levels that are open at first, beside the outermost, unless they are long."""
OPEN_ITEMS = 20
"""Most values of a list or object that is open at first."""

_PLAIN_NAME = re.compile(r"\w[\w.\[\]-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """A value as nested lists."""

    html: SafeString
    is_whole: bool
    """Whether everything is shown."""


def tree_of(value: Any) -> Tree:
    """Return JSON as a tree, as far as people can look at it."""
    growth = _Growth()
    html = growth.branch(value) if _holds_others(value) else growth.leaf(value)
    return Tree(html=html, is_whole=growth.is_whole)


@dataclass(slots=True)
class _Growth:
    """One pass over a value, with what is left of its bounds."""

    nodes: int = NODES
    is_whole: bool = True

    def branch(self, value: Any, *, depth: int = 1) -> SafeString:
        """Return what a list or an object holds."""
        lines = [*self._lines(value, depth=depth)]
        if missing := len(value) - len(lines):
            lines.append(self._left_out(_more(missing)))
        items = format_html_join("", "<li>{}</li>", ((line,) for line in lines))
        return format_html('<ul class="tm-tree">{}</ul>', items)

    def _lines(self, value: Any, *, depth: int) -> Iterator[SafeString]:
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        for number, (name, item) in enumerate(pairs):
            if number == ITEMS or not self.nodes:
                return
            self.nodes -= 1
            yield self._line(_name(name), item, depth=depth)

    def _line(self, name: SafeString, value: Any, *, depth: int) -> SafeString:
        if not _holds_others(value):
            return format_html("{}: {}", name, self.leaf(value))
        if depth == DEPTH:
            return format_html("{}: {}", name, self._left_out(_more(len(value))))
        return format_html(
            '<details{}><summary>{}: <span class="tm-quiet">{}</span></summary>{}</details>',
            " open" if depth <= OPEN_DEPTH and len(value) <= OPEN_ITEMS else "",
            name,
            _size(value),
            self.branch(value, depth=depth + 1),
        )

    def leaf(self, value: Any) -> SafeString:
        """Return a value that holds no others: a text in quotes, anything else without."""
        if isinstance(value, str):
            return self._text(value)
        kind = "word" if value is None or isinstance(value, bool) else "number"
        return format_html('<bdi data-kind="{}">{}</bdi>', kind, json.dumps(value))

    def _text(self, value: str) -> SafeString:
        shown = format_html('<bdi data-kind="text">"{}"</bdi>', _written(value[:LENGTH]))
        if (missing := len(value) - LENGTH) <= 0:
            return shown
        return format_html("{} {}", shown, self._left_out(_more_characters(missing)))

    def _left_out(self, text: str) -> SafeString:
        self.is_whole = False
        return format_html('<span class="tm-quiet">{}</span>', text)


def _holds_others(value: Any) -> bool:
    return isinstance(value, dict | list) and bool(value)


def _name(name: str | int) -> SafeString:
    """Return a name or a number; quotes hold a name that could be taken for something else."""
    text = str(name)
    shown = text if _PLAIN_NAME.fullmatch(text) else f'"{_written(text)}"'
    return format_html('<bdi class="tm-name">{}</bdi>', shown)


def _written(text: str) -> str:
    """Return a text as JSON writes it, on as many lines as it has."""
    lines = (json.dumps(line, ensure_ascii=False)[1:-1] for line in text.split("\n"))
    return texts.visible("\\n\n".join(lines))


def _size(value: Any) -> str:
    if isinstance(value, dict):
        text = ngettext("%(number)s field", "%(number)s fields", len(value))
    else:
        text = ngettext("%(number)s item", "%(number)s items", len(value))
    return text % {"number": texts.number(len(value))}


def _more(missing: int) -> str:
    text = ngettext("%(number)s more, not shown", "%(number)s more, not shown", missing)
    return text % {"number": texts.number(missing)}


def _more_characters(missing: int) -> str:
    text = ngettext(
        "%(number)s more character, not shown", "%(number)s more characters, not shown", missing
    )
    return text % {"number": texts.number(missing)}
