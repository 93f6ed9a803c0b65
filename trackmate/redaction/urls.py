"""URLs within texts, and the parts of a URL."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

_PLAIN = r"[^\s\"'<>\\`{}|,;&„“”«»‘’]*+"  # noqa: RUF001 (quotes of many languages)
_REST = rf"(?=\S){_PLAIN}(?:[|,;&](?!/){_PLAIN})*+"
URL_IN_TEXT = re.compile(
    rf"(?<![\w.@/+-])(?:[a-z][a-z0-9+.-]{{1,20}}://{_REST}"
    r"|(?:localhost|(?:[\w-]{1,63}+\.){1,8}(?:[a-z]{2,24}+|\d{1,3}+))"
    rf"(?::\d{{1,5}})?/{_REST})"
    rf"|//{_REST}|/(?<![\w</]/){_REST}",
    re.IGNORECASE,
)
"""A URL within a text: with a scheme, with only a host, or from the root of the site."""
RELATIVE_URL = re.compile(
    r"(?:\.{1,2}/)*+[\w~%@+-][\w.~%@+:=-]*+(?:/[\w.~%@+:=-]++)++/?(?:[?#]\S*)?"
)
"""A path without a leading slash, as the whole text."""
_BARE_HOST = re.compile(r"(?!/)[^/?#:]{1,253}(?::\d{1,5})?(?=/)")
_AFTER = re.compile(r"[^\w/.~%@+=-]")
"""Characters that end a path in a text."""
_ORIGIN = re.compile(r"(?:[a-z][a-z0-9+.-]{0,20}:)?//[^/?#]*", re.IGNORECASE)


class UrlParts(NamedTuple):
    """The parts of a URL; joined, they are the URL."""

    origin: str
    """Scheme and host, as in "https://example.org"."""
    path: str
    query: str
    """With its "?", if there is one."""
    fragment: str
    """With its "#", if there is one."""

    @classmethod
    def split(cls, url: str) -> UrlParts:
        """Split any text. Unlike `urlsplit`, this never fails and loses nothing."""
        rest, sign, fragment = url.partition("#")
        fragment = sign + fragment
        rest, sign, query = rest.partition("?")
        origin = _ORIGIN.match(rest) or _BARE_HOST.match(rest)
        host = origin[0] if origin else ""
        return cls(host, rest[len(host) :], sign + query, fragment)


def path_variants(path: str) -> Iterator[str]:
    """Yield what an unknown path may mean: normalized, and up to a punctuation mark."""
    normalized = _normalize_path(path)
    if normalized != path:
        yield normalized
    end = _AFTER.search(normalized)
    if end and end.start() > 1:
        yield normalized[: end.start()]


def _normalize_path(path: str) -> str:
    """Return a path without `//`, `/./` and `/../`, as clients send it."""
    if "//" not in path and "/." not in path:
        return path
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            parts = parts[:-1]
        elif part not in ("", "."):
            parts.append(part)
    return f"/{'/'.join(parts)}{'/' if parts and path.endswith(('/', '/.', '/..')) else ''}"
