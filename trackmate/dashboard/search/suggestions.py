"""Autocomplete for the query line and for the fields of dimensions.

Values are those of the newest activities that this person may see: one bounded query, cached for a
minute. If anything fails there are fewer suggestions, and no error.
"""

from __future__ import annotations

import re
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from django.contrib.contenttypes.models import ContentType
from django.core.cache import cache
from django.core.exceptions import EmptyResultSet

from trackmate.dashboard.db.results import run_query
from trackmate.dashboard.dimensions import dimension_for, dimensions
from trackmate.dashboard.http.permissions import may_see, user_of
from trackmate.dashboard.search.syntax import format_token, tokenize
from trackmate.selectors import value_expression

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.db.models import QuerySet
    from django.http import HttpRequest

    from trackmate.dashboard.dimensions import Dimension
    from trackmate.selectors import Rows

MAX_SUGGESTIONS = 10
ROWS_READ = 5_000
"""The newest activities, whose values are counted."""
VALUES_CACHED = 500
CACHE_SECONDS = 60
TIMEOUT = 150
"""Milliseconds; nobody waits for a suggestion."""

_INCOMPLETE = re.compile(
    r'(?P<minus>-?)(?P<key>[A-Za-z_]*)(?:(?P<colon>:)(?P<quote>"?)(?P<value>[^"]*)"?)?'
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """One way to complete a text."""

    text: str
    """What is inserted."""
    before: str
    """The whole text up to the cursor, once it is inserted."""
    after: str = ""
    """The text behind the cursor."""


def suggest_for_query(
    request: HttpRequest, rows: Rows, line: str, position: int
) -> tuple[Suggestion, ...]:
    """Return completions of the token that the cursor is in, behind `position` characters."""
    token = next((each for each in tokenize(line) if each.start < position <= each.end), None)
    start, end = (token.start, token.end) if token else (position, position)
    if token and token.is_unclosed:
        # What follows is part of it only because the second quotation mark is missing.
        end = position
    incomplete = _INCOMPLETE.fullmatch(line[start:position])
    if incomplete is None:
        return ()
    texts = list(_completions(request, rows, incomplete))
    if texts == [line[start:end]]:
        return ()
    rest = line[end:].lstrip()
    return tuple(
        Suggestion(
            text=text,
            before=line[:start] + text + ("" if text.endswith(":") else " "),
            after=rest and (f" {rest}" if text.endswith(":") else rest),
        )
        for text in texts
    )


def suggest_for_field(
    request: HttpRequest, rows: Rows, key: str, text: str
) -> tuple[Suggestion, ...]:
    """Return values for the field of a dimension."""
    values = [value for value in _values(request, rows, key, text.strip()) if value != text]
    return tuple(Suggestion(text=value, before=value) for value in values)


def _completions(request: HttpRequest, rows: Rows, incomplete: re.Match[str]) -> Iterator[str]:
    key, minus = incomplete["key"].lower(), incomplete["minus"]
    if not incomplete["colon"]:
        for dimension in dimensions().values():
            found = next((each for each in dimension.keys if each.startswith(key)), None)
            if dimension.parser and found and may_see(request, dimension):
                yield f"{minus}{found}:"
        return
    complete, last = _last_value(incomplete)
    for value in _values(request, rows, key, last):
        text = format_token(key, value, negated=bool(minus))
        if text and not (complete and text.endswith('"')):
            yield text.replace(":", f":{complete}", 1)


def _last_value(incomplete: re.Match[str]) -> tuple[str, str]:
    """Return the values of `key:a,b,c` that are complete, "a,b,", and the last one."""
    dimension, value = dimension_for(incomplete["key"]), incomplete["value"]
    if dimension is None or not dimension.accepts_several or incomplete["quote"]:
        return "", value
    *_complete, last = value.split(",")
    return value.removesuffix(last), last


def _values(request: HttpRequest, rows: Rows, key: str, text: str) -> list[str]:
    """Return values that start with the text, then those that contain it."""
    dimension = dimension_for(key)
    if dimension is None or not may_see(request, dimension):
        return []
    text = text.casefold()
    known = dict.fromkeys([*dimension.suggested_values, *_recorded(request, rows, dimension)])
    matches = [value for value in known if text in value.casefold()]
    return sorted(matches, key=lambda value: not value.casefold().startswith(text))[
        :MAX_SUGGESTIONS
    ]


def _recorded(request: HttpRequest, rows: Rows, dimension: Dimension) -> list[str]:
    if not dimension.suggested_fields:
        return []
    fields = map(value_expression, dimension.suggested_fields)
    values = rows.order_by("-pk").values_list(*fields)[:ROWS_READ]
    try:
        key = _cache_key(request, dimension.name, values)
    except EmptyResultSet:
        return []
    cached: Any = None
    with suppress(Exception):
        # A cache may fail in any way.
        cached = cache.get(key)
    if cached is None:
        cached = run_query(lambda: _read(dimension, values), timeout=TIMEOUT).value or []
        with suppress(Exception):
            cache.set(key, cached, CACHE_SECONDS)
    return list(cached)


def _cache_key(request: HttpRequest, name: str, values: QuerySet[Any, Any]) -> str:
    """Return the key for one person, site, dimension and these rows, so that nobody is shown what
    only others may see."""
    user = user_of(request)
    sql = values.query.get_compiler(values.db).as_sql()
    parts = repr((request.get_host(), user and user.pk, name, values.db, sql))
    return f"trackmate.suggestions.{sha256(parts.encode()).hexdigest()}"


def _read(dimension: Dimension, values: QuerySet[Any, Any]) -> list[str]:
    """Return the values as they are typed, without those that are empty or cannot be typed."""
    return _texts(dimension, [value for value, _ in Counter(values).most_common(VALUES_CACHED)])


def _texts(dimension: Dimension, values: list[tuple[Any, ...]]) -> list[str]:
    if dimension.suggested_fields == ("content_type",):
        types = ContentType.objects.in_bulk([key for (key,) in values if key is not None])
        found = [types[key] for (key,) in values if key in types]
        texts = [f"{each.app_label}.{each.model}" for each in found]
    elif dimension.suggested:
        texts = [dimension.suggested(*value) for value in values]
    else:
        texts = [str(value) for (value,) in values if value is not None]
    return [text for text in dict.fromkeys(texts) if text and text.isprintable()]
