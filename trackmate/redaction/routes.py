"""The routes of a site, what they capture from a path, and operations named in request data."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from functools import lru_cache
from itertools import pairwise
from typing import Any, NamedTuple

from django.conf import settings
from django.conf.urls.i18n import is_language_prefix_patterns_used
from django.http import HttpRequest
from django.urls import Resolver404, ResolverMatch, get_resolver, resolve
from django.utils import translation

from trackmate.redaction.detection.names import words_of
from trackmate.redaction.detection.vocabulary import AUTHENTICATION


class Argument(NamedTuple):
    """A part of a path that a route captures."""

    name: str
    """"" for an unnamed group of a regular expression."""
    start: int
    end: int


@lru_cache(maxsize=2048)
def is_about_authentication(text: str) -> bool:
    """Return True if one of the words of a route, a path or a name is about authentication."""
    words = (*re.split(r"[\W_]+", text.lower()), *words_of(text))
    # "sign-in" and "two_factor" are two words.
    together = map("".join, pairwise(words))
    return not AUTHENTICATION.isdisjoint((*words, *together)) or any(
        map(_COMPOUND.fullmatch, words)
    )


_COMPOUND = re.compile(
    r"(?:login|password)\w+|\w+(?:login|password)"
    r"|(?:activate|confirm|reset|verify)(?:account|code|e?mail|otp|phone|token|user)"
)
"""Compound words: "passwordreset", "verifyemail"."""

OPERATION_NAMES = ("operationName", "method", "action")
MAX_OPERATION, MAX_BATCH = 64, 10
"""Maximum length of an operation's name, and number of operations of a batch."""
_FIRST_FIELD = re.compile(
    r"\s*(?:(?:mutation|query)\b\s*(\w{0,64})[^{]{0,2000})?\{\s*(?:\w{1,64}\s*:\s*)?(\w{1,64})"
)
"""The name of a GraphQL query and its first field."""


def find_operation(data: Any) -> str:
    """Return the names of the operation, or "" if there is none."""
    if type(data) is list:
        return " ".join(find_operation(each) for each in data[:MAX_BATCH] if type(each) is dict)
    if type(data) is not dict:
        return ""
    named = [data[name] for name in OPERATION_NAMES if name in data]
    names = [name for name in named if isinstance(name, str) and len(name) <= MAX_OPERATION]
    query = data.get("query")
    if isinstance(query, str) and "{" in query and (found := _FIRST_FIELD.match(query)):
        names += [found[1] or "", found[2]]
    return " ".join(names)


MAX_LOOKUPS = 500
"""Maximum number of paths that are resolved for one request, since resolving takes time."""


class SiteRoutes:
    """The routes of the site that responds to a request."""

    def __init__(self, urlconf: Any, script_name: str = "", language: str | None = None) -> None:
        self._urlconf = urlconf
        self._script_name = script_name.rstrip("/")
        self._language = language
        self._lookups = 0

    @classmethod
    def from_request(cls, request: HttpRequest) -> SiteRoutes:
        return cls(
            getattr(request, "urlconf", None),
            request.META.get("SCRIPT_NAME", ""),
            getattr(request, "LANGUAGE_CODE", None),
        )

    @property
    def key(self) -> tuple[Any, ...]:
        """Cache key: everything that affects how a path is resolved."""
        return self._urlconf, self._script_name, self._language

    @property
    def is_exhausted(self) -> bool:
        """Whether the maximum number of paths was resolved."""
        return self._lookups >= MAX_LOOKUPS

    def arguments(self, path: str) -> tuple[Sequence[Argument], str]:
        """Return the arguments that a route captures from a decoded path, and the route's words.

        The path may lack the script name, the final slash or the language, which redirects add.
        Both are empty if no route matches.
        """
        self._lookups += 1
        has_script_name = self._script_name and path.startswith(f"{self._script_name}/")
        start = len(self._script_name) if has_script_name else 0
        for language, added, candidate in self._candidates(path[start:]):
            with _active(language):
                found = _resolve_arguments(candidate, self._urlconf)
            if found is not None:
                arguments, route = found
                moved = start - len(added)
                length = len(path)
                return [
                    Argument(each.name, each.start + moved, min(each.end + moved, length))
                    for each in arguments
                ], route
        return (), ""

    def matched(self, path: str, match: ResolverMatch) -> list[Argument]:
        """Return the arguments that a resolved route captures from a path."""
        start = len(self._script_name) if path.startswith(f"{self._script_name}/") else 0
        with _active(self._language):
            found = captured_arguments(path[start:], match, self._urlconf)
        return [Argument(each.name, each.start + start, each.end + start) for each in found]

    def _candidates(self, path: str) -> Iterator[tuple[str | None, str, str]]:
        """Yield the languages, prefixes and paths to try for a path."""
        slash = "" if path.endswith("/") else "/"
        if not is_language_prefix_patterns_used(self._urlconf or settings.ROOT_URLCONF)[0]:
            yield from ((None, "", path), (None, "", path + slash))[: 1 + bool(slash)]
            return
        default = self._language or settings.LANGUAGE_CODE
        written = translation.get_language_from_path(path)
        for language in dict.fromkeys((written or default, default, settings.LANGUAGE_CODE)):
            prefix = "" if written else f"/{language}"
            for added in dict.fromkeys(("", prefix)):
                yield language, added, added + path
                if slash:
                    yield language, added, added + path + slash


def _active(language: str | None) -> Any:
    return translation.override(language) if language else nullcontext()


def _resolve_arguments(path: str, urlconf: Any) -> tuple[list[Argument], str] | None:
    try:
        match = resolve(path, urlconf)
    except Resolver404:
        return None
    has_arguments = match.args or match.kwargs
    arguments = captured_arguments(path, match, urlconf) if has_arguments else []
    return arguments, route_words(match)


def route_words(match: ResolverMatch) -> str:
    """Return pattern, name, application and view of a route."""
    view = match._func_path.rpartition(".")[2]
    return " ".join((match.route or "", match.view_name or "", *match.app_names, view))


def captured_arguments(path: str, match: ResolverMatch, urlconf: Any) -> list[Argument]:
    """Return the arguments that the route of a match captures, as written in the path.

    The match has converted values, so the patterns are matched again.
    """
    names = set(getattr(match, "captured_kwargs", None) or match.kwargs)
    patterns = get_resolver(urlconf).url_patterns
    found = _captured(patterns, path.removeprefix("/"), int(path.startswith("/")))
    if found is not None and (not names or names <= {each.name for each in found}):
        return found
    # A custom pattern: search for its arguments in the path.
    return list(_occurrences(path, match.kwargs)) + list(_occurrences(path, {"": match.args}))


def _captured(patterns: Sequence[Any], path: str, offset: int) -> list[Argument] | None:
    for each in patterns:
        matched = each.pattern.match(path)
        if not matched:
            continue
        arguments = _groups(each.pattern, path, offset)
        if not hasattr(each, "url_patterns"):
            return arguments
        rest = matched[0]
        inner = _captured(each.url_patterns, rest, offset + len(path) - len(rest))
        if inner is not None:
            return arguments + inner
    return None


def _groups(pattern: Any, path: str, offset: int) -> list[Argument]:
    found = pattern.regex.search(path)
    if found is None:
        return []
    names = {number: name for name, number in pattern.regex.groupindex.items()}
    return [
        Argument(names.get(number, ""), offset + found.start(number), offset + found.end(number))
        for number in range(1, pattern.regex.groups + 1)
        # Like Django, ignore unnamed groups if there are named ones.
        if found.start(number) >= 0 and (number in names or not names)
    ]


def _occurrences(path: str, values: Mapping[str, Any]) -> Iterator[Argument]:
    for name, value in values.items():
        for each in value if isinstance(value, (list, tuple)) else (value,):
            text = str(each)
            if text and (start := path.rfind(text)) >= 0:
                yield Argument(name, start, start + len(text))
